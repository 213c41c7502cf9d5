"""Importing this module declares every table of the SQL database, so that `migrate` makes them all."""

import citywarden.alerts.tables
import ingest.deadletters
import ingest.registry

__all__ = ["citywarden", "ingest"]
