"""The commands in the database. Every change is one transaction on the row as it is then."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Index,
    Integer,
    Row,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from citywarden.commands.machine import MOST_OUTSTANDING, cancelled, heard, looked_at
from citywarden.database import metadata
from citywarden.model.command import Command, CommandResult, State
from citywarden.model.device import DeviceKey
from citywarden.model.errors import CitywardenError, NotFound
from citywarden.model.page import Page

commands = Table(
    "command",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("tenant", String(64), nullable=False),
    Column("kind", String(64), nullable=False),
    Column("device", String(128), nullable=False),
    Column("name", String(64), nullable=False),
    Column("args", Text, nullable=False),
    Column("by", String(200), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("sent_ms", BigInteger),
    Column("updated_ms", BigInteger, nullable=False),
    Column("next_ms", BigInteger),
    Column("detail", Text, nullable=False),
)
Index("ix_command_state", commands.c.state, commands.c.next_ms)
Index("ix_command_device", commands.c.tenant, commands.c.kind, commands.c.device)

_C = commands.c
_OUTSTANDING = [state.value for state in State if state.outstanding]


class Ledger:
    """Commands over one engine. Synchronous; call it on a thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def put(self, command: Command) -> Command:
        """Queue a command; one that is there already under its id is returned as it is.

        Raises CitywardenError when the id means another command, or the device has too many outstanding.
        """
        try:
            with self._engine.begin() as connection:
                known = _by_id(connection, command.id)
                if known is None:
                    mine = (_C.tenant == command.device.tenant, _C.kind == command.device.kind,
                            _C.device == command.device.id, _C.state.in_(_OUTSTANDING))  # fmt: skip
                    count = connection.execute(select(func.count()).where(*mine)).scalar_one()
                    if count >= MOST_OUTSTANDING:
                        raise CitywardenError(
                            f"{command.device.id} has {count} commands that are not at their end; "
                            "wait for them, or cancel some",
                            f"{command.device.id} 已有 {count} 条指令未完成，请稍候或先撤回",
                        )
                    connection.execute(insert(commands).values(_row(command)))
                    return command
        except IntegrityError:
            known = self.get(command.id)
        same = (known.device, known.name, dict(known.args)) == (command.device, command.name, dict(command.args))
        if not same:
            raise CitywardenError(
                f"the id {command.id} belongs to another command already", f"编号 {command.id} 已用于另一条指令"
            )
        return known

    def get(self, command_id: str) -> Command:
        """Raises NotFound."""
        with self._engine.connect() as connection:
            found = _by_id(connection, command_id)
        if found is None:
            raise NotFound(f"no command {command_id!r}")
        return found

    def find(
        self, device: DeviceKey | None, tenant: str | None, state: State | None, limit: int, cursor: str | None
    ) -> Page[Command]:
        """Commands, newest first, of a device, tenant and state (None: any)."""
        query = select(commands).order_by(_C.seq.desc()).limit(limit + 1)
        if device is not None:
            query = query.where(_C.tenant == device.tenant, _C.kind == device.kind, _C.device == device.id)
        if tenant is not None:
            query = query.where(_C.tenant == tenant)
        if state is not None:
            query = query.where(_C.state == state.value)
        if cursor is not None:
            query = query.where(_C.seq < _number(cursor))
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        following = str(rows[limit - 1].seq) if len(rows) > limit else None
        return Page([_command(row) for row in rows[:limit]], following)

    def due(self, now_ms: int, limit: int = 200) -> Sequence[Command]:
        """What is to be sent now, oldest first."""
        waiting = _C.state.in_((State.QUEUED.value, State.SENT.value))
        query = select(commands).where(waiting, _C.next_ms <= now_ms, _C.expires_ms > now_ms)
        with self._engine.connect() as connection:
            return [_command(row) for row in connection.execute(query.order_by(_C.seq).limit(limit))]

    def expire(self, now_ms: int) -> Sequence[Command]:
        """End what has had its time; returns those."""
        query = select(commands).where(_C.state.in_(_OUTSTANDING), _C.expires_ms <= now_ms).limit(1000)
        with self._engine.begin() as connection:
            over = [_command(row) for row in connection.execute(query.with_for_update())]
            return [_change(connection, one, looked_at(one, now_ms)) for one in over]

    def hear(self, results: Sequence[CommandResult], now_ms: int) -> Sequence[CommandResult]:
        """Take in what devices answered; returns the answers to commands that they were never sent."""
        strange = []
        with self._engine.begin() as connection:
            for result in results:
                known = _by_id(connection, result.id, locked=True)
                if known is None or known.device != result.device:
                    strange.append(result)
                else:
                    _change(connection, known, heard(known, result, now_ms))
        return strange

    def change(self, command_id: str, step: Callable[[Command], Command]) -> Command:
        """Apply a step to a command as it is now. Raises NotFound."""
        with self._engine.begin() as connection:
            known = _by_id(connection, command_id, locked=True)
            if known is None:
                raise NotFound(f"no command {command_id!r}")
            return _change(connection, known, step(known))

    def cancel(self, command_id: str, by: str, now_ms: int) -> Command:
        """Raises NotFound, and CitywardenError when the device has it already."""

        def step(known: Command) -> Command:
            ended = cancelled(known, by, now_ms)
            if ended is None:
                raise CitywardenError(f"{known.id} is {known.state}: too late to cancel it", "设备已接收，不能撤回")
            return ended

        return self.change(command_id, step)

    def trim(self, before_ms: int) -> int:
        """Drop commands that ended before a time; returns how many."""
        with self._engine.begin() as connection:
            over = (_C.state.not_in(_OUTSTANDING), _C.updated_ms < before_ms)
            return connection.execute(delete(commands).where(*over)).rowcount


def _by_id(connection: Connection, command_id: str, locked: bool = False) -> Command | None:
    query = select(commands).where(_C.id == command_id)
    row = connection.execute(query.with_for_update() if locked else query).first()
    return None if row is None else _command(row)


def _change(connection: Connection, known: Command, after: Command) -> Command:
    if after != known:
        connection.execute(update(commands).where(_C.id == known.id).values(_row(after)))
    return after


def _number(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 16):
        raise NotFound(f"no page {cursor!r}")
    return int(cursor)


def _row(command: Command) -> dict[str, object]:
    return {
        "id": command.id, "tenant": command.device.tenant, "kind": command.device.kind, "device": command.device.id,
        "name": command.name, "args": json.dumps(dict(command.args), ensure_ascii=False), "by": command.by,
        "created_ms": command.created_ms, "expires_ms": command.expires_ms, "state": command.state.value,
        "attempts": command.attempts, "sent_ms": command.sent_ms, "updated_ms": command.updated_ms,
        "next_ms": command.next_ms, "detail": command.detail,
    }  # fmt: skip


def _command(row: Row[tuple[object, ...]]) -> Command:
    device = DeviceKey(row.tenant, row.kind, row.device)
    made = Command(row.id, device, row.name, json.loads(row.args), row.by, row.created_ms, row.expires_ms)
    return replace(
        made, state=State(row.state), attempts=row.attempts, sent_ms=row.sent_ms, updated_ms=row.updated_ms,
        next_ms=row.next_ms, detail=row.detail,
    )  # fmt: skip
