"""Positions that readings carry: judged and shown as WGS-84, and kept as they were sent."""

from dataclasses import replace

import numpy as np

from citywarden.columns import Columns
from citywarden.coordinates import to_wgs84

SAME = frozenset({"wgs84", "cgcs2000"})
"""Datums that agree with WGS-84 below our accuracy (domain.md, section 2)."""


def place(batch: Columns) -> Columns:
    """Fill a kind's derived columns: `lat`/`lon` of devices with another `crs` become WGS-84, and what was sent goes to
    `raw_lat`/`raw_lon`, which are NaN where nothing was converted. Kinds without derived columns stay as they are.
    """
    derived = {q.field: np.full(len(batch), np.nan) for q in batch.kind.numeric if q.derived}
    if not derived:
        return batch
    fields = {**batch.fields, **derived}
    for number, device in enumerate(batch.devices):
        if device.crs in SAME:
            continue
        mine = batch.device == number
        lat, lon = batch.fields["lat"][mine], batch.fields["lon"][mine]
        fields = {name: column.copy() if name in ("lat", "lon") else column for name, column in fields.items()}
        fields["raw_lat"][mine], fields["raw_lon"][mine] = lat, lon
        fields["lat"][mine], fields["lon"][mine] = to_wgs84(lat, lon, device.crs)
    return replace(batch, fields=fields)
