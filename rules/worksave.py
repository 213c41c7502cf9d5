"""Keeping the judge's memory over a restart: its fixes, in a versioned file without code in it.

Everything else follows from the fixes, so it is not kept but worked out again.
"""

from collections.abc import Sequence

from citywarden.model.work import Task, Zone
from rules.archive import pack, unpack
from rules.points import NAMES, Points, concatenate
from rules.work import State, WorkSettings, catch_up, start

_VERSION = 1


def dump(state: State) -> bytes:
    """The state as bytes."""
    points = concatenate(state.history.chunks).ordered()
    head = {
        "version": _VERSION,
        "since_ms": state.since_ms,
        "now_ms": state.now_ms,
        "vehicles": state.vehicles,
    }
    return pack(head, {name: getattr(points, name) for name in NAMES})


def load(data: bytes, tasks: Sequence[Task], zones: Sequence[Zone], settings: WorkSettings) -> State:
    """The state that `dump` wrote, under a plan that may have changed since. Raises ValueError for other bytes.

    What the rules had found stands again in the state and is not told a second time.
    """
    try:
        head, columns = unpack(data)
        points = Points(*(columns[name] for name in NAMES))
    except (KeyError, ValueError) as error:
        raise ValueError(f"not a saved state of the judge: {error}") from None
    if head.get("version") != _VERSION:
        raise ValueError(f"a saved state of version {head.get('version')!r}; this program reads {_VERSION}")
    state = start(tasks, zones, settings, int(head["since_ms"]))
    vehicles = [(str(tenant), str(name)) for tenant, name in head["vehicles"]]
    return catch_up(state, vehicles, points, int(head["now_ms"]))
