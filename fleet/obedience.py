"""How a simulated lamp takes commands: it says that it has heard, does it, says so, and remembers until when.

Pure: bytes and times in, answers out.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from citywarden.model.device import DeviceKey
from citywarden.model.message import Address, Channel, parse_topic

FOR_MIN = 60.0
"""How long a command holds when it does not say (our own choice)."""

REMEMBERED = 200


@dataclass(frozen=True, slots=True)
class Override:
    """What a lamp was told to do against its timetable, until `until_ms`."""

    on: bool
    dim_pct: float
    until_ms: int


class Obedience:
    """The lamps of a city and what they were told. One command counts once, however often it comes.

    `stubborn`: lamps that acknowledge a command, believe to have done it, and burn on as they like.
    """

    def __init__(self) -> None:
        self.stubborn: set[DeviceKey] = set()
        self._overrides: dict[DeviceKey, Override] = {}
        self._answers: dict[str, tuple[str, str]] = {}

    def override(self, device: DeviceKey, now_ms: int) -> Override | None:
        """What a lamp was told that still holds."""
        told = self._overrides.get(device)
        return told if told is not None and now_ms < told.until_ms else None

    def refuses(self, device: DeviceKey) -> bool:
        """Whether a lamp does not do what it says."""
        return device in self.stubborn

    def take(self, topic: str, payload: bytes, now_ms: int) -> list[tuple[str, bytes]]:
        """The answers to a message on a command topic, as (topic, payload), in their order."""
        address = parse_topic(topic)
        try:
            told = orjson.loads(payload)
        except orjson.JSONDecodeError:
            return []
        if address is None or address.channel is not Channel.COMMAND or not isinstance(told, dict):
            return []
        key = DeviceKey(address.tenant, address.kind, address.device)
        command, name, args = str(told.get("id", "")), str(told.get("name", "")), told.get("args")
        where = Address(*key, Channel.COMMAND_RESULT).topic
        if command not in self._answers:
            if len(self._answers) >= REMEMBERED:
                del self._answers[next(iter(self._answers))]
            self._answers[command] = self._obey(key, name, args if isinstance(args, dict) else {}, now_ms)
        status, detail = self._answers[command]
        heard = {"id": command, "status": "acknowledged"}
        said = {"id": command, "status": status, "detail": detail}
        return [(where, orjson.dumps(answer)) for answer in ((heard, said) if status == "done" else (said,))]

    def _obey(self, key: DeviceKey, name: str, args: Mapping[str, object], now_ms: int) -> tuple[str, str]:
        pct, minutes = args.get("pct", 100.0), args.get("for_min", FOR_MIN)
        if name not in ("on", "off", "dim") or not isinstance(pct, int | float) or not isinstance(minutes, int | float):
            return "rejected", f"{name}: this lamp knows on, off and dim"
        on = name == "on" or (name == "dim" and pct > 0)
        dim = float(pct) if name == "dim" else 100.0 if on else 0.0
        self._overrides[key] = Override(on, dim, now_ms + round(minutes * 60_000))
        return "done", f"{'on' if on else 'off'} at {dim:g} %" if on else "off"
