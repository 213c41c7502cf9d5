"""Keeping the judge's memory over a restart: its fixes, in a versioned file without code in it.

Everything else follows from the fixes, so it is not kept but worked out again.
"""

from collections.abc import Sequence

from citywarden.model.work import Task, Zone
from rules.archive import Array, Content, pack, unpack
from rules.points import NAMES, Points, concatenate
from rules.work import State, WorkSettings, catch_up, start

_VERSION = 2
_IN_ONE = 1
"""The version whose fixes were put together before they were written."""


def capture(state: State) -> Content:
    """The state as it is now; nothing is copied, because fixes that are kept never change."""
    arrays: dict[str, Array] = {
        f"{place}/{name}": getattr(chunk, name) for place, chunk in enumerate(state.history.chunks) for name in NAMES
    }
    head = {
        "version": _VERSION,
        "since_ms": state.since_ms,
        "now_ms": state.now_ms,
        "vehicles": state.vehicles,
        "chunks": len(state.history.chunks),
    }
    return Content(head, arrays)


def dump(state: State) -> bytes:
    """`capture` packed."""
    return pack(capture(state))


def load(data: bytes, tasks: Sequence[Task], zones: Sequence[Zone], settings: WorkSettings) -> State:
    """The state that `dump` wrote, under a plan that may have changed since. Raises ValueError for other bytes.

    What the rules had found stands again in the state and is not told a second time.
    """
    try:
        head, columns = unpack(data)
        if (version := head["version"]) not in (_IN_ONE, _VERSION):
            raise ValueError(f"version {version!r}; this program reads {_VERSION}")
        places = [""] if version == _IN_ONE else [f"{place}/" for place in range(head["chunks"])]
        points = concatenate([Points(*(columns[place + name] for name in NAMES)) for place in places]).ordered()
    except (KeyError, ValueError) as error:
        raise ValueError(f"not a saved state of the judge: {error}") from None
    state = start(tasks, zones, settings, int(head["since_ms"]))
    vehicles = [(str(tenant), str(name)) for tenant, name in head["vehicles"]]
    return catch_up(state, vehicles, points, int(head["now_ms"]))
