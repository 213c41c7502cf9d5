"""Commands down to devices: what one is, how far it got, and what a device answers."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from citywarden.model.device import DeviceKey
from citywarden.model.errors import CitywardenError
from citywarden.model.kind import Form, JsonScalar, Kind, Order, Quantity
from citywarden.model.wire import timestamp

MAX_TEXT = 256


class State(StrEnum):
    """How far a command got. The first three are outstanding, the others are its ends."""

    QUEUED = "queued"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    DONE = "done"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"

    @property
    def outstanding(self) -> bool:
        return self in (State.QUEUED, State.SENT, State.ACKNOWLEDGED)


class Answer(StrEnum):
    """What a device says of a command. `rejected`: it will not even try."""

    ACKNOWLEDGED = "acknowledged"
    DONE = "done"
    FAILED = "failed"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Command:
    """One command to one device. Times in ms; `next_ms`: when it is sent (again), None: not any more."""

    id: str
    device: DeviceKey
    name: str
    args: Mapping[str, JsonScalar]
    by: str
    created_ms: int
    expires_ms: int
    state: State = State.QUEUED
    attempts: int = 0
    sent_ms: int | None = None
    updated_ms: int = 0
    next_ms: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """A device's word on a command, as it came over the log."""

    device: DeviceKey
    id: str
    answer: Answer
    detail: str = ""
    received_ms: int = 0


@dataclass(frozen=True, slots=True)
class Wish:
    """A command as it is asked for. `id` empty: one is made; the same id again is the same command."""

    device: DeviceKey
    name: str
    args: Mapping[str, JsonScalar] = field(default_factory=dict)
    expires_min: float = 10.0
    id: str = ""


class BadCommand(CitywardenError):
    """A command that the kind does not have, or arguments that do not fit; says everything that is wrong."""


def checked(kind: Kind, name: str, args: Mapping[str, JsonScalar]) -> Mapping[str, JsonScalar]:
    """The arguments, once they fit the kind's table. Raises BadCommand."""
    if not kind.commands:
        raise BadCommand(f"{kind.name}: this kind has no commands", f"{kind.zh}不接受控制指令")
    order = next((one for one in kind.commands if one.name == name), None)
    if order is None:
        known, named = ", ".join(c.name for c in kind.commands), "、".join(c.zh for c in kind.commands)
        raise BadCommand(
            f"{kind.name} has no command {name!r}, expected one of {known}",
            f"{kind.zh}没有指令“{name}”，可用：{named}",
        )
    strange = [key for key in args if order.argument(key) is None]
    wrong = [f"{key}: unknown, expected any of {_names(order)}" for key in strange]
    zh = [f"没有参数“{key}”" for key in strange]
    for q in order.arguments:
        if q.field not in args:
            if q.required:
                wrong.append(f"{q.field}: is missing, expected {expected(q)}")
                zh.append(f"缺少“{q.zh}”，应为{expected_zh(q)}")
        elif not _fits(q, args[q.field]):
            wrong.append(f"{q.field}: {args[q.field]!r}, expected {expected(q)}")
            zh.append(f"“{q.zh}”不能是 {args[q.field]}，应为{expected_zh(q)}")
    if wrong:
        raise BadCommand(f"{name}: {'; '.join(wrong)}", f"{order.zh}：{'；'.join(zh)}")
    return dict(args)


def read_words(kind: Kind, name: str, words: Mapping[str, str]) -> Mapping[str, JsonScalar]:
    """Arguments out of words, as a command line has them; each by the form of its row. Raises BadCommand."""
    order = next((one for one in kind.commands if one.name == name), None)
    read: dict[str, JsonScalar] = {}
    for key, word in words.items():
        row = order.argument(key) if order else None
        read[key] = _read(row, word) if row else word
    return checked(kind, name, read)


def command_message(command: Command) -> dict[str, object]:
    """What is published to the device."""
    return {
        "id": command.id,
        "name": command.name,
        "args": dict(command.args),
        "expires_at": timestamp(command.expires_ms),
    }


def command_body(command: Command) -> dict[str, object]:
    """A command as API and command line tell of it."""

    def at(ms: int | None) -> str | None:
        return None if ms is None else timestamp(ms)

    return {
        "id": command.id, "tenant": command.device.tenant, "kind": command.device.kind, "device": command.device.id,
        "name": command.name, "args": dict(command.args), "state": command.state.value, "by": command.by,
        "created_at": at(command.created_ms), "expires_at": at(command.expires_ms), "sent_at": at(command.sent_ms),
        "updated_at": at(command.updated_ms), "attempts": command.attempts, "detail": command.detail,
    }  # fmt: skip


def expected(q: Quantity) -> str:
    """What a value of an argument must be, in words."""
    if q.form is Form.FLAG:
        return "true or false"
    if q.form is Form.TEXT:
        return f"text of at most {MAX_TEXT} letters"
    unit = f" {q.unit}" if q.unit else ""
    return f"a number from {q.low:g} to {q.high:g}{unit}" if q.low is not None and q.high is not None else "a number"


def expected_zh(q: Quantity) -> str:
    """The same in Chinese."""
    if q.form is Form.FLAG:
        return "是或否"
    if q.form is Form.TEXT:
        return f"不超过 {MAX_TEXT} 个字的文本"
    unit = f" {q.unit}" if q.unit else ""
    return f" {q.low:g} 至 {q.high:g}{unit} 之间的数" if q.low is not None and q.high is not None else "数字"


def _fits(q: Quantity, value: object) -> bool:
    if q.form is Form.FLAG:
        return isinstance(value, bool)
    if q.form is Form.TEXT:
        return isinstance(value, str) and len(value) <= MAX_TEXT and value.isprintable()
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return False
    return (q.low is None or value >= q.low) and (q.high is None or value <= q.high)


def _read(q: Quantity, word: str) -> JsonScalar:
    if q.form is Form.FLAG:
        return {"true": True, "1": True, "false": False, "0": False}.get(word.lower(), word)
    if q.form is Form.NUMBER:
        try:
            number = float(word)
        except ValueError:
            return word
        return int(number) if number.is_integer() and abs(number) < 1e15 else number
    return word


def _names(order: Order) -> str:
    return ", ".join(q.field for q in order.arguments) or "none"
