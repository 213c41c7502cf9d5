"""Every number the judging of work rests on, with its default."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from zoneinfo import ZoneInfo

from citywarden.model.work import Operation

BANDS: Mapping[Operation, tuple[float, float]] = MappingProxyType(
    {
        Operation.SWEEP: (2.0, 12.0),
        Operation.WASH: (2.0, 15.0),
        Operation.SPRINKLE: (3.0, 20.0),
        Operation.COLLECT: (0.0, 40.0),
    }
)
"""Working speed in km/h. A collecting truck stops and goes, so its band starts at standing."""

PEAK_BANS: tuple[tuple[int, int], ...] = ((7 * 60, 9 * 60), (16 * 60, 18 * 60))
"""Minutes since local midnight in which streets belong to the traffic."""


@dataclass(frozen=True, slots=True)
class WorkSettings:
    """Defaults for judging work. Names carry their units; a task's own numbers (buffer, band, coverage) win."""

    timezone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Shanghai"))
    speed_bands_kmh: Mapping[Operation, tuple[float, float]] = field(default_factory=lambda: BANDS)

    # Work duration: points closer than this belong together; a longer gap is unknown.
    max_gap_s: float = 60.0
    idle_in_work_s: float = 120.0
    lift_hold_s: float = 600.0
    max_hdop: float = 10.0

    # Coverage by linear referencing.
    cell_m: float = 10.0
    buffer_m: float = 15.0
    unknown_accuracy_buffer_m: float = 25.0
    heading_tolerance_deg: float = 45.0
    interval_factor: float = 1.5
    interval_slack_m: float = 10.0
    missed_run_m: float = 30.0
    pass_gap_s: float = 1200.0
    pass_leave_m: float = 20.0
    pass_percentile: float = 10.0

    # When is a task met.
    duration_share: float = 0.9
    overspeed_share: float = 0.1
    too_coarse_s: float = 60.0

    # The window and what is granted around it.
    window_tolerance_s: float = 600.0
    grace_s: float = 600.0
    settle_s: float = 10.0
    peak_bans_min: tuple[tuple[int, int], ...] = PEAK_BANS

    # Rules.
    deviation_m: float = 50.0
    deviation_s: float = 60.0
    deviation_points: int = 3
    deviation_clear_m: float = 30.0
    deviation_clear_s: float = 30.0
    missed_alert_m: float = 50.0
    overspeed_factor: float = 1.05
    overspeed_s: float = 20.0
    standing_kmh: float = 2.0
    idle_s: float = 600.0
    illegal_stop_s: float = 300.0
    out_of_window_s: float = 60.0
    no_show_s: float = 900.0
    dump_drop_share: float = 0.2
    dump_within_s: float = 300.0
    dump_again_s: float = 600.0
    suspect_hold_s: float = 30.0
    suspect_depot_s: float = 1800.0
    suspect_kmh: float = 40.0
    suspect_again_s: float = 600.0
    offline_s: float = 300.0

    # What the state keeps.
    retention_s: float = 36 * 3600.0
