"""Grafana boards as code: panels, queries and boards in, classic dashboard JSON out. Pure but for `push`."""
