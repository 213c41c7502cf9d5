"""What is looked up in the alerts' database without changing any alert, and what others keep in it."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from sqlalchemy import Connection, Engine

from citywarden.alerts import archive, progress
from citywarden.alerts.progress import Position, Snapshot
from citywarden.alerts.records import Event
from citywarden.alerts.transactions import reading, transaction
from citywarden.model.alert import Alert, AlertQuery
from citywarden.model.page import Page

R = TypeVar("R")


class Lookups:
    """Questions to one database. Raises Unavailable when it does not answer."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def get(self, alert_id: str) -> Alert:
        """Raises NotFound."""
        with reading(self.engine) as connection:
            return archive.read_entry(connection, alert_id).alert

    def find(self, query: AlertQuery) -> Page[Alert]:
        with reading(self.engine) as connection:
            return archive.find(connection, query)

    def history(self, alert_id: str) -> Sequence[Event]:
        """Every change of an alert, oldest first. Raises NotFound."""
        with reading(self.engine) as connection:
            return archive.read_history(connection, alert_id)

    def trim(self, before_ms: int) -> int:
        """Drop what was resolved before, with its history and deliveries; returns how many alerts."""
        with transaction(self.engine) as connection:
            return archive.trim(connection, before_ms)

    def save_snapshot(self, name: str, position: Position, data: bytes) -> None:
        """Keep the state a consumer had at `position`; the newest one stays."""
        progress.save_snapshot(self.engine, name, Snapshot(position, data))

    def load_snapshot(self, name: str) -> tuple[Mapping[int, int], bytes] | None:
        """(position, data) saved last under `name`, or None."""
        found = progress.load_snapshot(self.engine, name)
        return None if found is None else (found.position, found.data)

    def read(self, work: Callable[[Connection], R]) -> R:
        """Run a reading on the database."""
        with reading(self.engine) as connection:
            return work(connection)

    def write(self, work: Callable[[Connection], R]) -> R:
        """Run a change in a transaction."""
        with transaction(self.engine) as connection:
            return work(connection)
