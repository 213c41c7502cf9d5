"""How far a consumer has judged the log, and the state it had there: what a restart goes on from."""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson
from sqlalchemy import Connection, Engine, select
from sqlalchemy.dialects import postgresql, sqlite

from citywarden.alerts import tables
from citywarden.model.errors import CitywardenError

Position = Mapping[int, int]
"""Partition -> offset of the next message to judge."""


IDLE_POSITION_MS = 1000
"""Positions that changed no alert are saved at most this often: judging those messages again changes nothing."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """State of a consumer as it was at `position`."""

    position: Position
    data: bytes


def insertion(connection: Connection) -> type[sqlite.Insert] | type[postgresql.Insert]:
    """The dialect's INSERT, which can say what to do about a row that is there already."""
    match connection.dialect.name:
        case "sqlite":
            return sqlite.Insert
        case "postgresql":
            return postgresql.Insert
    raise CitywardenError(f"database {connection.dialect.name!r} is not supported, expected sqlite or postgresql")


def read_position(connection: Connection, consumer: str) -> dict[int, int]:
    """The position saved last; empty when there is none."""
    t = tables.position
    rows = connection.execute(select(t.c.partition, t.c.offset).where(t.c.consumer == consumer))
    return {row.partition: row.offset for row in rows}


def write_position(connection: Connection, consumer: str, position: Position) -> None:
    """Save a position; partitions never move back."""
    if not position:
        return
    t = tables.position
    insert = insertion(connection)(t)
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=[t.c.consumer, t.c.partition],
            set_={"offset": insert.excluded.offset},
            where=insert.excluded.offset > t.c.offset,
        ),
        [{"consumer": consumer, "partition": p, "offset": o} for p, o in position.items()],
    )


class Judged:
    """How far a consumer has judged the log, in memory beside the database."""

    def __init__(self, consumer: str) -> None:
        self._consumer = consumer
        self._position: dict[int, int] = {}
        self._saved_ms = 0

    @property
    def position(self) -> dict[int, int]:
        return dict(self._position)

    def read(self, connection: Connection) -> None:
        """Begin where the database says."""
        self._position = read_position(connection, self._consumer)

    def write(self, connection: Connection, consumed: Position) -> None:
        write_position(connection, self._consumer, consumed)

    def advance(self, consumed: Position, now_ms: int | None = None) -> None:
        """What was consumed is written; `now_ms`: in the course of work, which need not be saved again soon."""
        for partition, offset in consumed.items():
            self._position[partition] = max(offset, self._position.get(partition, offset))
        if consumed and now_ms is not None:
            self._saved_ms = now_ms

    def covers(self, consumed: Position) -> bool:
        """Wholly before what is saved: every partition at or behind, one of them behind."""
        known = [(offset, self._position.get(partition, -1)) for partition, offset in consumed.items()]
        return all(new <= saved for new, saved in known) and any(new < saved for new, saved in known)

    def reaches(self, consumed: Position) -> bool:
        """At or behind what is saved, in every partition."""
        return all(offset <= self._position.get(partition, -1) for partition, offset in consumed.items())

    def due(self, consumed: Position, now_ms: int) -> bool:
        """Whether a position that changed no alert is to be saved now."""
        ahead = any(offset > self._position.get(partition, -1) for partition, offset in consumed.items())
        return ahead and abs(now_ms - self._saved_ms) >= IDLE_POSITION_MS


def save_snapshot(engine: Engine, name: str, snapshot: Snapshot) -> None:
    """Keep the newest state under `name`."""
    t = tables.snapshot
    row = {
        "name": name,
        "position": orjson.dumps({str(p): o for p, o in snapshot.position.items()}).decode(),
        "data": snapshot.data,
    }
    with engine.begin() as connection:
        insert = insertion(connection)(t).values(row)
        connection.execute(
            insert.on_conflict_do_update(
                index_elements=[t.c.name], set_={"position": row["position"], "data": row["data"]}
            )
        )


def load_snapshot(engine: Engine, name: str) -> Snapshot | None:
    """The state saved last under `name`, or None."""
    t = tables.snapshot
    with engine.connect() as connection:
        row = connection.execute(select(t).where(t.c.name == name)).one_or_none()
    if row is None:
        return None
    return Snapshot({int(p): int(o) for p, o in orjson.loads(row.position).items()}, bytes(row.data))
