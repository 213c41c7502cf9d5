"""Keeping the judge's memory over a restart: its fixes, in a versioned file without code in it.

Everything else follows from the fixes, so it is not kept but worked out again.
"""

import io
import json
import zipfile
from collections.abc import Sequence

import numpy as np

from citywarden.model.work import Task, Zone
from rules.points import NAMES, Points, concatenate
from rules.work import State, WorkSettings, catch_up, start

_VERSION = 1
_LEVEL = 1
"""Of compression: numpy's own, 6, takes three times as long for a tenth less."""


def dump(state: State) -> bytes:
    """The state as bytes."""
    points = concatenate(state.history.chunks).ordered()
    head = {
        "version": _VERSION,
        "since_ms": state.since_ms,
        "now_ms": state.now_ms,
        "vehicles": state.vehicles,
    }
    columns = {"head": np.frombuffer(json.dumps(head).encode(), np.uint8)}
    columns |= {name: getattr(points, name) for name in NAMES}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        for name, column in columns.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, column, allow_pickle=False)
    return file.getvalue()


def load(data: bytes, tasks: Sequence[Task], zones: Sequence[Zone], settings: WorkSettings) -> State:
    """The state that `dump` wrote, under a plan that may have changed since. Raises ValueError for other bytes.

    What the rules had found stands again in the state and is not told a second time.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            head = json.loads(file["head"].tobytes())
            columns = [file[name] for name in NAMES]
    except (OSError, KeyError, ValueError, EOFError) as error:
        raise ValueError(f"not a saved state of the judge: {error}") from None
    if head.get("version") != _VERSION:
        raise ValueError(f"a saved state of version {head.get('version')!r}; this program reads {_VERSION}")
    points = Points(*columns)
    state = start(tasks, zones, settings, int(head["since_ms"]))
    vehicles = [(str(tenant), str(name)) for tenant, name in head["vehicles"]]
    return catch_up(state, vehicles, points, int(head["now_ms"]))
