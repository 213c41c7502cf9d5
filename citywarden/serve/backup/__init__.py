"""Backup of everything a server keeps, taken while it runs, and restore into an empty place."""
