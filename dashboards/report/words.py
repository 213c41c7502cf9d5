"""The words of the report in Chinese and English, and numbers as people read them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from citywarden.model.work import Evidence, MissedReason, Operation, Task, TaskReport, Verdict

LANGUAGES = ("zh-CN", "en")
Phrase = tuple[str, str]
"""Chinese, English."""


def say(phrase: Phrase, language: str) -> str:
    """The phrase in one language."""
    return phrase[LANGUAGES.index(language)]


STATUS: Mapping[Verdict, Phrase] = {
    Verdict.MET: ("达标", "met"),
    Verdict.NOT_MET: ("未达标", "not met"),
    Verdict.NOT_JUDGED: ("无法判定", "not judged"),
    Verdict.OPEN: ("进行中", "open"),
}
OPERATION: Mapping[Operation, Phrase] = {
    Operation.SWEEP: ("清扫", "sweep"),
    Operation.WASH: ("冲洗", "wash"),
    Operation.SPRINKLE: ("洒水", "sprinkle"),
    Operation.COLLECT: ("收运", "collect"),
}
EVIDENCE: Mapping[Evidence, Phrase] = {
    Evidence.EQUIPMENT: ("设备信号", "equipment"),
    Evidence.GPS_ONLY: ("仅定位", "position only"),
}
MISSED: Mapping[MissedReason, Phrase] = {
    MissedReason.NOT_DRIVEN: ("未驶过", "not driven"),
    MissedReason.NOT_WORKING: ("驶过但设备未开", "driven, equipment off"),
    MissedReason.TOO_FAST: ("车速过快", "driven too fast"),
    MissedReason.WRONG_WAY: ("逆向行驶", "driven the wrong way"),
    MissedReason.NO_DATA: ("无数据", "no data"),
}
NOTES: Mapping[str, Phrase] = {
    "speed_derived": ("车速由相邻定位推算", "speed derived from consecutive fixes"),
    "heading_derived": ("航向由相邻定位推算", "heading derived from consecutive fixes"),
    "accuracy_unknown": (
        "定位精度未知（计划未定缓冲区时放宽）",
        "accuracy unknown (wider buffer unless the plan sets one)",
    ),
}
_REASONS: Mapping[str, Phrase] = {
    "low_coverage": ("覆盖率 {coverage:.1f} %，要求 {target:g} %", "covered {coverage:.1f} %, required {target:g} %"),
    "short_duration": (
        "作业 {worked:.0f} 分钟，要求 {required:.0f} 分钟",
        "worked {worked:.0f} min, required {required:.0f} min",
    ),
    "short_passes": ("作业 {passes} 遍，要求 {passes_wanted} 遍", "{passes} passes, required {passes_wanted}"),
    "overspeed": ("超速作业 {overspeed:.0f} 秒", "worked too fast for {overspeed:.0f} s"),
    "no_show": ("时段内未到达计划路段", "never reached the planned road"),
    "no_data": ("时段内没有任何数据", "no data at all in the window"),
    "sampling_too_coarse": (
        "定位间隔过大，无法判定作业",
        "fixes too far apart to judge the work",
    ),
    "datum_suspect": (
        "轨迹与计划的坐标系不一致（疑似 GCJ-02 / BD-09）",
        "track and plan seem to be in different datums (GCJ-02 or BD-09)",
    ),
}


def reasons(report: TaskReport, task: Task, language: str) -> list[str]:
    """Why a task is not met or not judged, in words with numbers."""
    numbers = {
        "coverage": report.coverage_pct,
        "target": task.min_coverage_pct,
        "worked": report.work_duration_s / 60,
        "required": (task.min_duration_s or 0.0) / 60,
        "passes": report.passes,
        "passes_wanted": task.passes,
        "overspeed": report.overspeed_s,
    }
    return [say(_REASONS[word], language).format(**numbers) if word in _REASONS else word for word in report.reasons]


def minutes(seconds: float, language: str) -> str:
    """A duration: `7.5 min`, `2 h 05 min`."""
    if seconds >= 3600:
        hours, rest = divmod(round(seconds / 60), 60)
        return f"{hours} 小时 {rest:02d} 分" if language == "zh-CN" else f"{hours} h {rest:02d} min"
    return f"{seconds / 60:.1f} " + ("分钟" if language == "zh-CN" else "min")


def length(metres: float, language: str) -> str:
    """A length: `640 m`, `5.20 km`."""
    if metres >= 1000:
        return f"{metres / 1000:.2f} " + ("公里" if language == "zh-CN" else "km")
    return f"{metres:.0f} " + ("米" if language == "zh-CN" else "m")


def moment(ms: int, zone: ZoneInfo) -> str:
    """Local date and time to the second."""
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def clock(ms: int, zone: ZoneInfo) -> str:
    """Local time to the minute."""
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone).strftime("%H:%M")


def window(report: TaskReport, zone: ZoneInfo) -> str:
    """A window: date, start and end in local time."""
    day = datetime.fromtimestamp(report.start_ms / 1000, UTC).astimezone(zone).strftime("%Y-%m-%d")
    return f"{day} {clock(report.start_ms, zone)}-{clock(report.end_ms, zone)}"
