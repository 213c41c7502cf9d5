"""Every text of the console, in Chinese and English."""

import re
from collections.abc import Iterable, Mapping

from dashboards.console.accesswords import WORDS as ACCESS
from dashboards.console.casewords import WORDS as CASES
from dashboards.console.commandwords import WORDS as COMMANDS
from dashboards.console.dispatchwords import WORDS as DISPATCH
from dashboards.console.rulewords import WORDS as RULES

_HAN = re.compile("[\u3400-\u9fff]")
LANGUAGES = ("zh-CN", "en")

_TABLE: dict[str, tuple[str, str]] = {
    # frame
    "wall": ("城市运行大屏", "City wall"),
    "inbox": ("告警中心", "Alerts"),
    "supervision": ("作业监管", "Supervision"),
    "vehicle_day": ("车辆作业日", "Vehicle's day"),
    "device_history": ("设备历史", "Device history"),
    "operations": ("城市运行指挥中心", "City Operations Centre"),
    "language": ("EN", "中文"),
    "to_wall": ("返回大屏", "Back to the wall"),
    "healthy": ("系统正常", "All systems go"),
    "unhealthy": ("系统异常", "System trouble"),
    "stale": ("数据读取失败", "Reading failed"),
    "offline_page": ("与服务器的连接中断", "Connection to the server lost"),
    # figures
    "lighting": ("亮灯率", "Lighting rate"),
    "flooded": ("积水点", "Flooded points"),
    "gas": ("燃气最高浓度", "Highest gas level"),
    "vehicles": ("作业车辆", "Vehicles working"),
    "coverage": ("今日作业覆盖", "Coverage today"),
    "messages": ("消息速率", "Messages"),
    "lag": ("处理延迟", "lag"),
    "max_depth": ("最深", "deepest"),
    "gas_high": ("超限点位", "over the limit"),
    "met": ("达标", "met"),
    "not_met": ("未达标", "not met"),
    "running": ("进行中", "running"),
    "not_judged": ("无法判定", "not judged"),
    "ahead": ("未开始", "to come"),
    # states
    "lit": ("亮灯", "lit"),
    "off": ("关灯", "off"),
    "dark": ("暗灯", "dark"),
    "faulty": ("故障", "faulty"),
    "no_data": ("无数据", "no data"),
    "dry": ("无积水", "dry"),
    "watch": ("关注", "watch"),
    "yellow": ("黄色", "yellow"),
    "orange": ("橙色", "orange"),
    "red": ("红色", "red"),
    "safe": ("正常", "safe"),
    "low": ("一级报警", "first alarm"),
    "high": ("二级报警", "second alarm"),
    "working": ("作业", "working"),
    "idle": ("静止", "idle"),
    "driving": ("行驶", "driving"),
    "offline": ("离线", "offline"),
    "unknown": ("未知", "unknown"),
    "ok": ("正常", "ok"),
    "covered": ("已覆盖", "covered"),
    "missed": ("漏扫", "missed"),
    "open": ("作业中", "being worked"),
    # alerts
    "open_alerts": ("未处置告警", "Open alerts"),
    "none_open": ("当前无告警", "No open alerts"),
    "more": ("另有 {n} 条", "{n} more"),
    "acknowledge": ("确认", "Acknowledge"),
    "acknowledged": ("已确认", "Acknowledged"),
    "firing": ("告警中", "Firing"),
    "resolved": ("已恢复", "Resolved"),
    "resolve": ("办结", "Resolve"),
    "who": ("处置人", "Your name"),
    "note": ("备注", "Note"),
    "cancel": ("取消", "Cancel"),
    "send": ("提交", "Send"),
    "who_missing": ("请填写处置人", "Please say who you are"),
    "failed": ("操作失败，请重试", "That failed, please try again"),
    "critical": ("紧急", "Critical"),
    "major": ("重要", "Major"),
    "minor": ("一般", "Minor"),
    "info": ("提示", "Info"),
    "all": ("全部", "All"),
    "any_status": ("全部状态", "Any status"),
    "search": ("搜索地点、设备、内容", "Search place, device, text"),
    "selected": ("已选 {n} 条", "{n} selected"),
    "select": ("选择", "Select"),
    "load_more": ("加载更多", "Load more"),
    "nothing_found": ("没有符合条件的告警", "No alert matches"),
    "stale_alert": ("延迟数据", "late data"),
    "just_now": ("刚刚", "just now"),
    "seconds_ago": ("{n} 秒前", "{n} s"),
    "minutes_ago": ("{n} 分钟前", "{n} min"),
    "hours_ago": ("{n} 小时前", "{n} h"),
    "days_ago": ("{n} 天前", "{n} d"),
    "history": ("历史曲线", "History"),
    "raised": ("触发", "Raised"),
    # charts
    "alerts_per_hour": ("每小时告警", "Alerts per hour"),
    "depth_hour": ("近一小时积水深度 (cm)", "Water depth, last hour (cm)"),
    "work_hours": ("今日作业时长 (h)", "Work hours today"),
    "no_chart": ("暂无数据", "Nothing yet"),
    # vehicle's day
    "previous_day": ("前一天", "Previous day"),
    "next_day": ("后一天", "Next day"),
    "driven": ("行驶里程", "Driven"),
    "effective": ("有效作业里程", "Effective"),
    "empty_running": ("空驶率", "Empty running"),
    "work_time": ("作业时长", "Work time"),
    "timeline": ("作业时间线", "Timeline"),
    "tasks": ("作业任务", "Tasks"),
    "task": ("任务", "Task"),
    "task_windows": ("计划时段", "Task windows"),
    "window": ("时段", "Window"),
    "operation": ("作业方式", "Operation"),
    "result": ("结果", "Result"),
    "reasons": ("原因", "Reasons"),
    "missed_runs": ("漏作业路段", "Missed stretches"),
    "passes": ("遍数", "Passes"),
    "evidence": ("依据", "Evidence"),
    "equipment": ("上装信号", "equipment"),
    "gps_only": ("仅定位", "GPS only"),
    "no_tasks": ("当日无作业任务", "No tasks on this day"),
    "no_track": ("当日无轨迹", "No track on this day"),
    "sound_on": ("紧急告警声音：开", "Sound for critical alerts: on"),
    "sound_off": ("紧急告警声音：关", "Sound for critical alerts: off"),
    "keys": (
        "键盘：j / k 移动，x 选择，a 确认，i 指派，r 办结，s 静默，o 详情，/ 搜索，? 全部快捷键",
        "Keys: j / k move, x select, a acknowledge, i assign, r resolve, s silence, o open, / search, ? all of them",
    ),
    "required": ("应作业时长", "Required"),
    "judged": ("已判定", "judged"),
    "csv_day": ("导出当日 CSV", "Day as CSV"),
    "csv_month": ("导出当月 CSV", "Month as CSV"),
    "plan": ("计划", "Plan"),
    "activity": ("活动", "Activity"),
    "sweep": ("清扫", "sweeping"),
    "wash": ("冲洗", "washing"),
    "sprinkle": ("洒水", "sprinkling"),
    "collect": ("收运", "collecting"),
    "not_driven": ("未行驶", "not driven"),
    "not_working": ("未作业", "driven without working"),
    "too_fast": ("超速作业", "too fast"),
    "wrong_way": ("逆向", "wrong way"),
    "not_met_empty": ("无", "none"),
    # supervision
    "by_company": ("按公司", "By company"),
    "by_district": ("按辖区", "By district"),
    "by_vehicle": ("按车辆", "By vehicle"),
    "name": ("名称", "Name"),
    "vehicle": ("车辆", "Vehicle"),
    "worst_roads": ("漏作业最多的路段", "Worst roads"),
    "met_share": ("达标率", "Tasks met"),
    "day_has_none": ("当日没有作业数据", "No work on this day"),
    "unassigned": ("未登记", "unassigned"),
    # device
    "latest": ("最新数值", "Latest"),
    "around_alert": ("告警前后", "Around the alert"),
    "last_hours": ("最近 {n} 小时", "Last {n} hours"),
    "no_readings": ("该时段没有数据", "No readings in this time"),
    "unknown_device": ("没有这个设备", "No such device"),
    "to_devices": ("查看全部设备", "See all devices"),
    "whole_city": ("显示全图", "Show the whole city"),
    "days_wrong": (
        "开始日期应不晚于结束日期，且相隔不超过 {n} 天",
        "`from` must not be after `to`, and at most {n} days before it",
    ),
    "no_page": ("没有这个页面", "There is no such page"),
    "status": ("状态", "Status"),
    **RULES,
    **DISPATCH,
    **ACCESS,
    **CASES,
    **COMMANDS,
}

REASONS: dict[str, tuple[str, str]] = {
    "low_coverage": ("覆盖率不足", "coverage too low"),
    "short_duration": ("作业时长不足", "worked too short"),
    "short_passes": ("作业遍数不足", "too few passes"),
    "overspeed": ("超速作业", "worked too fast"),
    "window": ("未在时段内作业", "not inside its window"),
    "out_of_window": ("时段外作业", "worked outside the window"),
    "no_show": ("未到岗", "never showed up"),
    "no_data": ("无数据", "no data"),
    "no_track": ("无轨迹数据", "no track"),
    "too_coarse": ("定位间隔过大，无法判定", "fixes too far apart to judge"),
    "sampling_too_coarse": ("定位间隔过大，无法判定", "fixes too far apart to judge"),
    "deviation": ("偏离路线", "left the route"),
    "speed_derived": ("速度由定位推算", "speed derived"),
    "heading_derived": ("航向由定位推算", "heading derived"),
    "accuracy_unknown": ("精度未知", "accuracy unknown"),
    "datum_suspect": ("坐标系疑似不符", "coordinates look like another datum"),
}
"""Words for a report's reasons; a reason that is not here is shown as its own name, in words."""


def language_of(wanted: str | None, default: str) -> str:
    """One of LANGUAGES: what was asked for (`zh` will do), else the default."""
    for tag in (wanted or "", default):
        for known in LANGUAGES:
            if tag and known.split("-")[0] == tag.lower().replace("_", "-").split("-")[0]:
                return known
    return LANGUAGES[0]


def other(language: str) -> str:
    return LANGUAGES[1] if language == LANGUAGES[0] else LANGUAGES[0]


def words(language: str) -> Mapping[str, str]:
    """The whole table in one language."""
    return {key: pair[LANGUAGES.index(language)] for key, pair in _TABLE.items()}


def word(key: str, language: str) -> str:
    """One text; a key without one is shown as itself, so that nothing is ever blank."""
    pair = _TABLE.get(key)
    return key if pair is None else pair[LANGUAGES.index(language)]


def named(name: str, language: str) -> str:
    """The half of a name given as `中文 / English` that a reader of the language wants; other names as they are."""
    chinese, slash, english = name.partition(" / ")
    if not slash or not _HAN.search(chinese) or _HAN.search(english):
        return name
    return english if language == "en" else chinese


def localised(text: str, names: Iterable[str], language: str) -> str:
    """A text about things that are called `names`, with the reader's half of each name in it."""
    for name in names:
        if (half := named(name, language)) != name:
            text = text.replace(name, half)
    return text


def reason(key: str, language: str) -> str:
    """Why a task is not met or not judged, in words."""
    pair = REASONS.get(key) or _TABLE.get(key)
    return key.replace("_", " ") if pair is None else pair[LANGUAGES.index(language)]
