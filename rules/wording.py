"""Summaries of what the rules of work found, in words a supervisor understands, Chinese and English."""

from collections.abc import Mapping

from citywarden.model.alert import Severity, Summary

SEVERITY: Mapping[str, Severity] = {
    "route.deviation": Severity.MAJOR,
    "route.missed": Severity.MAJOR,
    "work.overspeed": Severity.MINOR,
    "work.idle": Severity.MINOR,
    "work.out_of_window": Severity.MINOR,
    "work.short_duration": Severity.MAJOR,
    "work.short_passes": Severity.MAJOR,
    "work.no_show": Severity.MAJOR,
    "vehicle.illegal_stop": Severity.MINOR,
    "vehicle.illegal_dump": Severity.CRITICAL,
    "vehicle.sensor_suspect": Severity.MINOR,
    "vehicle.offline": Severity.MAJOR,
    "vehicle.datum_suspect": Severity.MINOR,
}
"""Every rule of work, and how grave it is (our own proposal)."""

BY_HAND = frozenset({"vehicle.illegal_dump", "vehicle.sensor_suspect", "vehicle.datum_suspect"})
"""Rules that only a person clears."""

_TEXTS: Mapping[str, tuple[str, str]] = {
    "route.deviation": (
        "{vehicle} 偏离计划路线 {value:.0f} 米（任务 {task}）",
        "{vehicle} is {value:.0f} m off its planned road (task {task})",
    ),
    "route.missed": (
        "任务 {task}：{missed_m:.0f} 米未作业，覆盖率 {value:.1f} %（要求 {threshold:g} %）",
        "Task {task}: {missed_m:.0f} m not covered, coverage {value:.1f} % (required {threshold:g} %)",
    ),
    "work.overspeed": (
        "{vehicle} 作业超速：{value:.0f} 公里/小时（上限 {threshold:g}）",
        "{vehicle} works too fast: {value:.0f} km/h (limit {threshold:g})",
    ),
    "work.idle": (
        "{vehicle} 任务时段内怠速 {value:.0f} 分钟，设备未开（任务 {task}）",
        "{vehicle} has stood idling for {value:.0f} min with its equipment off (task {task})",
    ),
    "work.out_of_window": (
        "{vehicle} 在计划时段之外作业",
        "{vehicle} is working outside its planned window",
    ),
    "work.out_of_window.ban": (
        "{vehicle} 在早晚高峰禁止作业时段内作业（任务 {task}）",
        "{vehicle} is working during a peak-hour ban (task {task})",
    ),
    "work.short_duration": (
        "任务 {task}：作业时长 {value:.0f} 分钟，不足要求的 {threshold:.0f} 分钟",
        "Task {task}: worked {value:.0f} min of the required {threshold:.0f} min",
    ),
    "work.short_passes": (
        "任务 {task}：作业 {value:.0f} 遍，要求 {threshold:.0f} 遍",
        "Task {task}: {value:.0f} passes, {threshold:.0f} required",
    ),
    "work.no_show": (
        "{vehicle} 未到岗：任务 {task} 开始 {value:.0f} 分钟后仍未到达路段",
        "{vehicle} has not shown up: {value:.0f} min after the start of task {task} it has not reached the road",
    ),
    "vehicle.illegal_stop": (
        "{vehicle} 在允许停车区外停留 {value:.0f} 分钟",
        "{vehicle} has stood for {value:.0f} min outside the places where it may stop",
    ),
    "vehicle.illegal_dump": (
        "{vehicle} 在处置场外卸料：载重下降 {value:.0f} %",
        "{vehicle} unloaded outside a disposal site: load fell by {value:.0f} %",
    ),
    "vehicle.illegal_dump.lift": (
        "{vehicle} 在处置场外举升车厢",
        "{vehicle} raised its body outside a disposal site",
    ),
    "vehicle.sensor_suspect.ignition": (
        "{vehicle} 传感器可疑：熄火状态下设备显示开启",
        "{vehicle}: sensor suspect, equipment reads on while the ignition is off",
    ),
    "vehicle.sensor_suspect.depot": (
        "{vehicle} 传感器可疑：在停车场内设备持续开启 {value:.0f} 分钟",
        "{vehicle}: sensor suspect, equipment has read on for {value:.0f} min inside the depot",
    ),
    "vehicle.sensor_suspect.speed": (
        "{vehicle} 传感器可疑：{value:.0f} 公里/小时行驶时设备显示开启",
        "{vehicle}: sensor suspect, equipment reads on at {value:.0f} km/h",
    ),
    "vehicle.offline": (
        "{vehicle} 离线：点火状态下 {value:.0f} 分钟无数据",
        "{vehicle} is offline: no data for {value:.0f} min, ignition last seen on",
    ),
    "vehicle.datum_suspect": (
        "{vehicle} 轨迹坐标系可疑：按 GCJ-02 换算后与计划路线吻合（任务 {task}）",
        "{vehicle}: coordinates suspect, the track fits its road once converted to or from GCJ-02 (task {task})",
    ),
}


def summarise(text: str, **words: object) -> Summary:
    """The summary of a rule (or one of its variants) with its words filled in."""
    zh, en = _TEXTS[text]
    return {"zh-CN": zh.format(**words), "en": en.format(**words)}
