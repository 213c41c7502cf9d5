"""The rules of work that follow from the plan: what each is called, and what it demands, with the numbers in force."""

from collections.abc import Mapping

from citywarden.model.ruling import Demand, Origin, RuleCard
from rules.wording import BY_HAND, SEVERITY
from rules.worksettings import WorkSettings

KIND = "vehicle"

_RULES: Mapping[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "route.deviation": (
        ("偏离路线", "Left the route"),
        (
            "任务时段内距计划路线超过 {deviation_m:g} 米，持续 {deviation_s:g} 秒；停车场、加水点、处置场内不计",
            "More than {deviation_m:g} m off the planned road for {deviation_s:g} s inside the task's window, outside "
            "depots, water points and disposal sites",
        ),
    ),
    "route.missed": (
        ("路段漏作业", "Missed road"),
        (
            "任务结束时有连续 {missed_alert_m:g} 米以上未作业，或覆盖率低于要求",
            "When the window ends, {missed_alert_m:g} m or more in one run are not covered, or coverage is below what "
            "the task asks for",
        ),
    ),
    "work.overspeed": (
        ("超速作业", "Too fast at work"),
        (
            "作业速度超过上限的 {overspeed_pct:g} %，持续 {overspeed_s:g} 秒",
            "Works at more than {overspeed_pct:g} % of the highest working speed for {overspeed_s:g} s",
        ),
    ),
    "work.idle": (
        ("作业中怠工", "Idle at work"),
        (
            "任务时段内点火停车、设备未开满 {idle_min:g} 分钟，停车场内不计",
            "Stands for {idle_min:g} min inside its window with the ignition on and the equipment off, outside a depot",
        ),
    ),
    "work.out_of_window": (
        ("时段外作业", "Work out of hours"),
        (
            "在计划时段前后 {window_min:g} 分钟以外作业{zh_bans}",
            "Works more than {window_min:g} min before or after its window{en_bans}",
        ),
    ),
    "work.short_duration": (
        ("作业时长不足", "Work too short"),
        (
            "任务结束时作业时长不足要求的 {duration_pct:g} %",
            "When the window ends, worked less than {duration_pct:g} % of the time the task asks for",
        ),
    ),
    "work.short_passes": (
        ("作业遍数不足", "Too few passes"),
        ("任务结束时作业遍数少于要求", "When the window ends, fewer passes than the task asks for"),
    ),
    "work.no_show": (
        ("未到岗", "Never showed up"),
        (
            "任务开始 {no_show_min:g} 分钟后仍未到达路段",
            "Not on the road {no_show_min:g} min after the start of the task",
        ),
    ),
    "vehicle.illegal_stop": (
        ("违规停车", "Illegal stop"),
        (
            "在允许停车的区域以外停留 {stop_min:g} 分钟",
            "Stands for {stop_min:g} min outside the places where it may stop",
        ),
    ),
    "vehicle.illegal_dump": (
        ("违规倾倒", "Illegal dump"),
        (
            "在处置场以外举升车厢，或载重下降 {dump_pct:g} % 以上",
            "Raises its body, or loses {dump_pct:g} % of its load or more, outside a disposal site",
        ),
    ),
    "vehicle.sensor_suspect": (
        ("车载信号异常", "Vehicle signals suspect"),
        (
            "熄火时设备显示开启，或在停车场内开启超过 {depot_min:g} 分钟，或行驶超过 {suspect_kmh:g} km/h 时开启",
            "Equipment reads on with the ignition off, for more than {depot_min:g} min in a depot, or above "
            "{suspect_kmh:g} km/h",
        ),
    ),
    "vehicle.offline": (
        ("车辆离线", "Vehicle offline"),
        (
            "最后一次点火状态为开，之后 {offline_min:g} 分钟没有数据",
            "No data for {offline_min:g} min while the ignition was last seen on",
        ),
    ),
    "vehicle.datum_suspect": (
        ("坐标系疑似不符", "Coordinates look shifted"),
        (
            "轨迹不在计划路线上，但按 GCJ-02 换算后吻合；此时不报偏离路线",
            "The track is off its road, but fits it once converted to or from GCJ-02; it is not told as leaving the "
            "route then",
        ),
    ),
}


def work_cards(settings: WorkSettings) -> tuple[RuleCard, ...]:
    """A card for each rule of work. A task's own numbers (coverage, speed, buffer) come before these."""
    return tuple(_card(rule, settings) for rule in _RULES)


def _card(rule: str, settings: WorkSettings) -> RuleCard:
    title, demand = _RULES[rule]
    numbers = _numbers(settings)
    said = {tag: text.format(**numbers) for tag, text in zip(("zh-CN", "en"), demand, strict=True)}
    return RuleCard(
        rule, KIND, Origin.PLAN, dict(zip(("zh-CN", "en"), title, strict=True)), (Demand(SEVERITY[rule], "", said),),
        by_hand=rule in BY_HAND,
    )  # fmt: skip


def _numbers(s: WorkSettings) -> dict[str, object]:
    """The numbers in the units that people say them in."""
    bans = [f"{_clock(start)}-{_clock(end)}" for start, end in s.peak_bans_min]
    return {
        "deviation_m": s.deviation_m,
        "deviation_s": s.deviation_s,
        "missed_alert_m": s.missed_alert_m,
        "overspeed_pct": 100 * s.overspeed_factor,
        "overspeed_s": s.overspeed_s,
        "idle_min": s.idle_s / 60,
        "window_min": s.window_tolerance_s / 60,
        "duration_pct": 100 * s.duration_share,
        "no_show_min": s.no_show_s / 60,
        "stop_min": s.illegal_stop_s / 60,
        "dump_pct": 100 * s.dump_drop_share,
        "depot_min": s.suspect_depot_s / 60,
        "suspect_kmh": s.suspect_kmh,
        "offline_min": round(s.offline_s / 60, 2),
        "zh_bans": f"，或在禁止作业的高峰时段（{'、'.join(bans)}）内作业" if bans else "",
        "en_bans": f", or during a peak-hour ban ({', '.join(bans)})" if bans else "",
    }


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
