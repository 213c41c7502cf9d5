"""Columns: built in any order, taken apart and put together again."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from citywarden.columns import Reading, concat, from_readings
from tests.builders import KINDS, device

READINGS = st.lists(
    st.builds(
        lambda who, ts, values: Reading(device("streetlight", f"L{who}"), ts, ts + 1, values),
        st.integers(0, 4),
        st.integers(0, 20),
        st.fixed_dictionaries(
            {}, optional={"on": st.booleans(), "power_w": st.floats(0, 2000), "fault": st.sampled_from(["", "lamp"])}
        ),
    ),
    min_size=1,
)


@given(READINGS)
def test_columns_keep_every_reading_sorted_by_device_and_time(readings: list[Reading]) -> None:
    columns = from_readings(KINDS["streetlight"], readings)
    expected = sorted(readings, key=lambda r: (r.device.key, r.ts_ms))
    assert list(columns.rows()) == expected


@given(READINGS, st.integers(0, 50))
def test_parts_put_together_are_the_whole(readings: list[Reading], cut: int) -> None:
    kind = KINDS["streetlight"]
    parts = [from_readings(kind, part) for part in (readings[:cut], readings[cut:]) if part]
    whole = from_readings(kind, readings)
    together = concat(parts)
    assert list(together.rows()) == list(whole.rows())
    assert together.devices == whole.devices


def test_taking_rows_keeps_the_devices() -> None:
    columns = from_readings(
        KINDS["gas"], [Reading(device("gas", f"g{i}"), i, i, {"co_ppm": float(i)}) for i in range(5)]
    )
    odd = columns.take(columns.fields["co_ppm"] % 2 == 1)
    assert [row.device.id for row in odd.rows()] == ["g1", "g3"]
    assert np.array_equal(odd.ts_ms, [1, 3])
