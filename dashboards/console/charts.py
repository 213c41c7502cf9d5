"""ECharts options of the console. Pure: data and language in, a dictionary out."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from citywarden.model.alert import Severity
from dashboards.console import palette
from dashboards.console.chartparts import FONT, Options, axis, base, grid, nothing, tip, trace, wall_ms
from dashboards.console.course import Row
from dashboards.console.desk import Hours
from dashboards.console.words import named, word

LINES = (palette.RED, palette.ORANGE, palette.YELLOW, palette.ACCENT, palette.GOOD)
HOUR_MS = 3_600_000


_HOURS_TIP = (
    "rows => { const s = document.createElement('span'); s.style.whiteSpace = 'pre'; s.textContent ="
    " [rows[rows.length - 1].data.name, ...rows.map(r => `${r.seriesName}  ${r.value} h`)].join('\\n'); return s; }"
)
"""Names are text, never markup."""


def alerts_chart(
    hours: Sequence[tuple[int, Mapping[str, int]]], language: str, zone: ZoneInfo, scale: float = 1.0
) -> Options:
    """Stacked bars: alerts of each hour by severity."""
    labels = [f"{datetime.fromtimestamp(start / 1000, zone):%H}" for start, _ in hours]
    series = [
        {
            "type": "bar",
            "stack": "alerts",
            "name": word(severity.word, language),
            "itemStyle": {"color": palette.SEVERITY[severity]},
            "barWidth": "62%",
            "data": [counts.get(severity.word, 0) for _, counts in hours],
        }
        for severity in Severity
    ]
    return base(scale) | {
        "grid": grid(scale),
        "xAxis": axis("category", scale, data=labels),
        "yAxis": axis("value", scale, minInterval=1, splitNumber=3),
        "series": series,
    }


def depth_chart(
    lines: Sequence[tuple[str, Sequence[tuple[int, float]]]],
    bands_cm: Sequence[float],
    language: str,
    zone: ZoneInfo,
    scale: float = 1.0,
) -> Options:
    """A line per flood point against the depth bands; the names stand at the right."""
    deepest = max((cm for _, rows in lines for _, cm in rows), default=0.0)
    marks = [
        {"yAxis": limit, "lineStyle": {"color": colour, "opacity": 0.5, "type": "dashed"}}
        for limit, colour in zip(bands_cm, (palette.YELLOW, palette.ORANGE, palette.RED), strict=False)
    ]
    series: list[Options] = [
        {
            "type": "line",
            "name": f"{round(rows[-1][1])} cm  {named(name, language)}" if rows else named(name, language),
            "showSymbol": False,
            "lineStyle": {"width": 2.4 * scale, "color": colour},
            "itemStyle": {"color": colour},
            "data": [[wall_ms(ts, zone), round(cm, 1)] for ts, cm in rows],
        }
        for (name, rows), colour in zip(lines, LINES, strict=False)
    ]
    if series:
        series[0]["markLine"] = {"silent": True, "symbol": "none", "label": {"show": False}, "data": marks}
    legend = {
        "type": "scroll",
        "orient": "vertical",
        "right": 0,
        "top": "middle",
        "itemWidth": round(14 * scale),
        "itemHeight": round(6 * scale),
        "icon": "roundRect",
        "textStyle": {
            "color": palette.TEXT,
            "fontSize": round(13 * scale),
            "width": round(146 * scale),
            "overflow": "truncate",
        },
    }
    return (
        base(scale)
        | nothing(not lines, language, scale)
        | {
            "grid": grid(scale, right=192),
            "legend": legend,
            "xAxis": axis("time", scale, splitNumber=4),
            "yAxis": axis("value", scale, min=0, max=max(20, round(deepest / 10 + 0.5) * 10), splitNumber=3),
            "series": series,
        }
    )


def work_chart(rows: Sequence[Hours], language: str, scale: float = 1.0) -> Options:
    """A bar per vehicle: hours worked, over a pale bar of hours demanded. Its number stands below, its name tells."""
    names = [named(row.name, language) for row in rows]
    bar = {"type": "bar", "barWidth": "58%", "barGap": "-100%"}
    return (
        base(scale)
        | nothing(not any(row.worked_h for row in rows), language, scale)
        | {
            "tooltip": tip(scale) | {":formatter": _HOURS_TIP},
            "grid": grid(scale),
            "xAxis": axis(
                "category",
                scale,
                data=[row.vehicle for row in rows],
                axisLabel={
                    "color": palette.DIM,
                    "fontSize": round(13 * scale),
                    "interval": 0,
                    "width": round(40 * scale),
                    "overflow": "truncate",
                },
            ),
            "yAxis": axis("value", scale, splitNumber=3),
            "series": [
                bar
                | {
                    "name": word("required", language),
                    "data": [round(row.required_h, 2) for row in rows],
                    "itemStyle": {"color": "#2a3c57", "borderRadius": 3},
                },
                bar
                | {
                    "name": word("work_time", language),
                    "data": [
                        {"name": name, "value": round(row.worked_h, 2)} for row, name in zip(rows, names, strict=True)
                    ],
                    "itemStyle": {"color": palette.GOOD, "borderRadius": 3},
                },
            ],
        }
    )


def timeline_chart(
    spans: Sequence[tuple[str, int, int]],
    windows: Sequence[tuple[str, str, int, int]],
    bounds: tuple[int, int],
    language: str,
    zone: ZoneInfo,
) -> Options:
    """The day as two bands: task windows (name, standing, start, end) over what the vehicle did (state, start, end)."""
    shape = (
        "(params, api) => { const row = api.value(0); const a = api.coord([api.value(1), row]);"
        " const b = api.coord([api.value(2), row]); const h = api.size([0, 1])[1] * (row === 1 ? 0.42 : 0.62);"
        " return {type: 'rect', shape: {x: a[0], y: a[1] - h / 2, width: Math.max(1, b[0] - a[0]), height: h,"
        " r: row === 1 ? 4 : 0}, style: {fill: api.visual('color'), stroke: row === 1 ? '#33445c' : null}}; }"
    )
    verdicts = {"met": "#1f7a57", "not_met": "#9c2c3b", "running": "#1f6f92", "not_judged": "#5a4f84"}
    data: list[Options] = [
        {
            "name": word(state, language),
            "value": [0, wall_ms(start, zone), wall_ms(end, zone)],
            "itemStyle": {"color": palette.STATE.get(state, palette.GREY) if state != "unknown" else "#2a2840"},
        }
        for state, start, end in spans
    ]
    data += [
        {
            "name": named(name, language),
            "value": [1, wall_ms(max(start, bounds[0]), zone), wall_ms(min(end, bounds[1]), zone)],
            "itemStyle": {"color": verdicts.get(standing, "#141f2e")},
        }
        for name, standing, start, end in windows
    ]
    return base(1.0) | {
        "grid": {"left": 8, "right": 18, "top": 6, "bottom": 4, "containLabel": True},
        "tooltip": {
            "trigger": "item",
            "backgroundColor": "#101a29",
            "borderColor": "#2c3d56",
            "textStyle": {"color": palette.TEXT, "fontFamily": FONT},
            ":formatter": "p => { const t = ms => new Date(ms).toISOString().slice(11, 16);"
            " const s = document.createElement('span'); s.textContent ="
            " `${p.name}  ${t(p.value[1])} – ${t(p.value[2])}`; return s; }",
        },
        "xAxis": axis("time", 1.15, min=wall_ms(bounds[0], zone), max=wall_ms(bounds[1], zone), splitNumber=12),
        "yAxis": axis(
            "category", 1.15, data=[word("activity", language), word("plan", language)], splitLine={"show": False}
        ),
        "series": [{"type": "custom", ":renderItem": shape, "encode": {"x": [1, 2], "y": 0}, "data": data}],
    }


def history_chart(
    rows: Sequence[Row],
    name: str,
    unit: str,
    zone: ZoneInfo,
    alert: tuple[int, int | None, float | None, str] | None = None,
) -> Options:
    """One quantity over time; the alert (raised, resolved, threshold, colour) is shaded."""
    series: Options = trace(rows, zone) | {"name": f"{name} {unit}".strip()}
    if alert is not None and rows:
        raised, resolved, threshold, colour = alert
        end = resolved if resolved is not None else max(raised, rows[-1][0])
        edges = [{"xAxis": wall_ms(raised, zone)}, {"xAxis": wall_ms(end, zone)}]
        series["markArea"] = {"silent": True, "itemStyle": {"color": colour, "opacity": 0.14}, "data": [edges]}
        if threshold is not None:
            line = {"yAxis": threshold, "lineStyle": {"color": colour, "type": "dashed"}}
            series["markLine"] = {"silent": True, "symbol": "none", "label": {"show": False}, "data": [line]}
    return base(1.15) | {
        "grid": grid(1.0, top=14),
        "xAxis": axis("time", 1.15),
        "yAxis": axis("value", 1.15, scale=True),
        "series": [series],
    }
