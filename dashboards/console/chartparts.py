"""What every chart of the console is made of: ECharts options in the console's look. Pure."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from dashboards.console import palette
from dashboards.console.course import Row, alone
from dashboards.console.words import word

Options = dict[str, object]
FEW = 40
"""Fewer points than these are shown each."""
FONT = '"Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif'


def wall_ms(ts_ms: int, zone: ZoneInfo) -> int:
    """A time moved so that a chart set to UTC shows the city's clock, wherever the browser stands."""
    offset = datetime.fromtimestamp(ts_ms / 1000, zone).utcoffset()
    return ts_ms + (0 if offset is None else int(offset.total_seconds() * 1000))


def trace(rows: Sequence[Row], zone: ZoneInfo) -> Options:
    """A series: one line through the values, broken where there is None; a value between two breaks is a dot."""
    few = len(rows) < FEW
    dots = {"symbol": "circle", "symbolSize": 5}
    return {
        "type": "line",
        "showSymbol": True,
        "symbol": "circle" if few else "none",
        "connectNulls": False,
        "lineStyle": {"width": 2.4, "color": palette.ACCENT},
        "itemStyle": {"color": palette.ACCENT},
        "areaStyle": {"color": palette.ACCENT, "opacity": 0.08},
        "data": [
            {"value": [wall_ms(ts, zone), value]} | dots if lone and not few else [wall_ms(ts, zone), value]
            for (ts, value), lone in zip(rows, alone(rows), strict=True)
        ],
    }


def base(scale: float) -> Options:
    return {
        "animation": False,
        "useUTC": True,
        "backgroundColor": "transparent",
        "textStyle": {"fontFamily": FONT, "color": palette.DIM, "fontSize": round(13 * scale)},
        "tooltip": tip(scale),
    }


def tip(scale: float) -> Options:
    return {
        "trigger": "axis",
        "backgroundColor": "#101a29",
        "borderColor": "#2c3d56",
        "textStyle": {"color": palette.TEXT, "fontFamily": FONT, "fontSize": round(13 * scale)},
    }


def axis(kind: str, size: float, **more: object) -> Options:
    return {
        "type": kind,
        "axisLine": {"lineStyle": {"color": palette.LINE}},
        "axisTick": {"show": False},
        "splitLine": {"show": kind == "value", "lineStyle": {"color": "#131d2b"}},
        "axisLabel": {"color": palette.DIM, "fontSize": round(13 * size), "hideOverlap": True},
        **more,
    }


def grid(scale: float, **sides: float) -> Options:
    placed = {"left": 8, "right": 12, "top": 12, "bottom": 4} | sides
    return {"containLabel": True} | {side: round(px * scale) for side, px in placed.items()}


def nothing(shown: bool, language: str, scale: float) -> Options:
    """Says in mid-chart that there is nothing yet. Always part of the options: ECharts keeps what it is not told."""
    style = {"color": palette.GREY, "fontSize": round(17 * scale), "fontWeight": 400, "fontFamily": FONT}
    text = word("no_chart", language)
    return {"title": {"show": shown, "text": text, "left": "center", "top": "38%", "textStyle": style}}
