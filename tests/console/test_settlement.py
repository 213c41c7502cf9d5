"""The CSV a month is settled by."""

import csv
from dataclasses import replace
from datetime import date, timedelta

import pytest

from dashboards.console.settlement import HEADS, settlement
from tests.console.fakes import TODAY, make_city


async def rows_of(start: date, stop: date, language: str = "en") -> list[dict[str, str]]:
    text = "".join([part async for part in settlement(make_city().sources, start, stop, language)])
    assert text.startswith("\ufeff")
    return list(csv.DictReader(text[1:].splitlines()))


async def test_a_row_says_what_a_task_came_to() -> None:
    row = next(r for r in await rows_of(TODAY, TODAY) if r["task"] == f"T03a@{TODAY}")
    assert row["company"] == "深城清洁"
    assert (row["vehicle"], row["vehicle_name"], row["district"]) == ("V03", "粤B·环103", "Nanshan")
    assert (row["window_start"], row["window_end"]) == ("2026-11-22 06:00", "2026-11-22 08:30")
    assert (row["result"], row["reasons"]) == ("not met", "coverage too low; worked too short")
    assert row["missed"] == "600-920 m driven without working; 1500-1710 m too fast"
    assert float(row["missed_m"]) == 530.0
    assert float(row["required_min"]) == 90.0
    assert float(row["coverage_pct"]) == pytest.approx(
        100 * float(row["covered_m"]) / float(row["planned_m"]), abs=0.05
    )


async def test_a_task_that_runs_has_missed_nothing_yet() -> None:
    running = [r for r in await rows_of(TODAY, TODAY, "en") if r["result"] == "running"]
    assert len(running) == 30
    assert {(r["missed"], r["missed_m"]) for r in running} == {("", "0")}


async def test_days_follow_each_other_and_none_is_later_than_today() -> None:
    yesterday = TODAY - timedelta(days=1)
    rows = await rows_of(yesterday, TODAY + timedelta(days=9), "zh-CN")
    assert [r["日期"] for r in rows] == [str(yesterday)] * 60 + [str(TODAY)] * 60
    assert list(rows[0]) == [zh for zh, _ in HEADS]


async def test_a_name_that_looks_like_a_formula_stays_a_name() -> None:
    city = make_city()
    city.devices = [replace(d, owner="=1+1") for d in city.devices]
    city.sources.devices.known = city.devices  # type: ignore[attr-defined]
    text = "".join([part async for part in settlement(city.sources, TODAY, TODAY, "en")])
    assert {r["company"] for r in csv.DictReader(text[1:].splitlines())} == {"'=1+1"}
