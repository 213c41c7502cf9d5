"""What people see: the live console, the HTTP API, the Grafana boards."""
