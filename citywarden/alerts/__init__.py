"""Alerts: from findings to one open alert a subject, and from there to whoever has to act, at least once."""
