"""The cases' routes, over a real desk in a database of the test's own."""

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from urllib.parse import quote

import pytest

from citywarden.live import Live
from citywarden.model.casebody import CasesDocument
from citywarden.model.casequery import Sight
from citywarden.model.identity import Identity, Role
from dashboards.api.stream import Choice, stream
from dashboards.scoping import narrowed
from tests.api.fakes import sources
from tests.api.office import CHEN, LI, LOOKING, OTHER, Office
from tests.builders import KINDS
from tests.cases.case_builders import MINUTE_MS, PNG

SUN = Identity("sun", Role.DISPATCHER, "t", unit="路灯管理所 / Street lighting")


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    made = Office(tmp_path)
    yield made
    await made.desk.close()
    made.engine.dispose()


async def test_a_case_is_worked_off_by_those_who_may(office: Office) -> None:
    number = (await office.open())["number"]
    assert number == "20261123-0001"
    for who, step, more in (
        (LI, "accept", {}), (LI, "file", {}), (LI, "dispatch", {"unit": "抢险队"}), (LI, "begin", {}),
        (LI, "finish", {"note": "已更换灯泡"}), (CHEN, "rework", {"why": "incomplete"}), (LI, "finish", {}),
        (CHEN, "pass", {}), (CHEN, "close", {}),
    ):  # fmt: skip
        answer = await office.step(who, number, step, **more)
        assert answer.status_code == 200, answer.text
    whole = (await office(LOOKING, "GET", f"/{number}")).json()
    assert (whole["stage"], whole["unit"], whole["reworks"], whole["steps"]) == ("closed", "抢险队", 1, [])
    assert [line["change"] for line in whole["history"]] == [
        "opened", "accept", "file", "dispatch", "begin", "finish", "rework", "finish", "pass", "close"]  # fmt: skip
    assert [line["by"] for line in whole["history"]][5:7] == ["li", "chen"]
    assert office.record.notes[0] == ("li", "case.open", number)
    assert office.record.notes[-1] == ("chen", "case.close", number)


async def test_roles_stages_and_reasons_are_checked(office: Office) -> None:
    number = (await office.open())["number"]
    assert (await office.step(LOOKING, number, "accept")).status_code == 403
    assert (await office.step(LI, number, "withdraw", why="duplicate")).status_code == 403
    refused = await office.step(LI, number, "dispatch", unit="x")
    assert (refused.status_code, refused.headers["content-type"]) == (409, "application/problem+json")
    assert refused.json()["detail"].startswith("wrong_stage: ")
    assert "no_reason" in (await office.step(LI, number, "reject")).json()["detail"]
    assert (await office.step(LI, number, "explode")).status_code == 422
    assert (await office.step(LI, number, "accept", by="x", colour="red")).status_code == 422
    assert (await office(LOOKING, "POST", "", json={"category": "other", "title": "x"})).status_code == 403
    assert (await office(LI, "POST", "", json={"category": "none", "title": "x"})).status_code == 409
    assert (await office(LI, "POST", "", json={"title": "x"})).status_code == 422
    steps = (await office(CHEN, "GET", f"/{number}")).json()["steps"]
    assert {row["step"]: len(row["reasons"]) for row in steps} == {"accept": 0, "reject": 5, "withdraw": 6, "note": 0}


async def test_an_extension_over_the_api(office: Office) -> None:
    number = (await office.open(category="missed_road"))["number"]
    for step in ("accept", "file"):
        await office.step(LI, number, step)
    due = (await office.step(LI, number, "dispatch", unit="u")).json()["deadline"]["due_at"]
    asked = await office.step(LI, number, "ask_extension", why="weather",
                              limit={"amount": 240, "clock": "business_hours"})  # fmt: skip
    assert asked.json()["extension_asked"]["why"] == "weather"
    granted = (await office.step(CHEN, number, "grant_extension")).json()
    assert (granted["extension_asked"], granted["extensions"]) == (None, 1)
    assert (due, granted["deadline"]["due_at"]) == ("2026-11-23T07:00:00.000Z", "2026-11-24T02:00:00.000Z")


async def test_tenants_do_not_see_each_other(office: Office) -> None:
    mine = await office.open()
    theirs = await office.open(OTHER)
    assert (mine["tenant"], theirs["tenant"], theirs["number"]) == ("t", "u", mine["number"])
    for who, own in ((CHEN, mine), (OTHER, theirs)):
        assert [case["id"] for case in (await office(who, "GET", "")).json()["items"]] == [own["id"]]
    assert (await office(CHEN, "GET", f"/{theirs['id']}")).status_code == 404
    assert (await office(CHEN, "GET", "", params={"tenant": "u"})).json()["items"] == []
    assert (await office.step(CHEN, theirs["id"], "accept")).status_code == 404
    assert (await office(CHEN, "POST", "", json={"alert": "a2"})).status_code == 404
    assert len((await office(None, "GET", "")).json()["items"]) == 2
    assert (await office(None, "GET", f"/{mine['number']}")).status_code == 404  # several tenants have this number
    document = CasesDocument.model_validate_json((await office(CHEN, "GET", "/export")).content)
    assert [case.tenant for case in document.cases] == ["t"]


async def test_a_case_out_of_an_alert(office: Office) -> None:
    case = await office.open(category=None, title=None, location=None, alert="a1")
    assert (case["category"], case["source"], case["title"]) == ("gas_leak", "alert", "甲烷 55 %LEL / Methane 55 %LEL")
    assert (case["location"], case["district"]) == ({"lat": 22.5431, "lon": 114.0579}, "Futian")
    assert case["alert"] == {"id": "a1", "kind": "gas", "subject": "g1", "resolved_at": None}
    again = await office(LI, "POST", "", json={"alert": "a1"})
    assert (again.status_code, case["number"] in again.json()["detail"]) == (409, True)
    assert [one["id"] for one in (await office(LI, "GET", "?alert=a1")).json()["items"]] == [case["id"]]
    assert (await office(LI, "POST", "", json={"alert": "none"})).status_code == 404


async def test_filters_pages_board_and_rates(office: Office) -> None:
    for n in range(5):
        office.now_ms += 1
        await office.open(title=f"第 {n} 盏")
    gas = (await office.open(category="gas_leak", district="Luohu"))["number"]
    for step, more in (("accept", {}), ("file", {}), ("dispatch", {"unit": "g"})):
        await office.step(LI, gas, step, **more)
    first = (await office(LI, "GET", "?limit=4")).json()
    rest = (await office(LI, "GET", f"?limit=4&cursor={first['next']}")).json()
    assert (len(first["items"]), len(rest["items"]), rest["next"]) == (4, 2, None)
    for query in ("category=gas_leak", "stage=dispatched", "stage=dispatched&stage=closed", "unit=g", "district=Luohu"):
        assert [c["number"] for c in (await office(LI, "GET", f"?{query}")).json()["items"]] == [gas]
    assert len((await office(LI, "GET", f"?text={quote('第 3')}")).json()["items"]) == 1
    office.now_ms += 40 * MINUTE_MS
    assert len((await office(LI, "GET", "?overdue=true")).json()["items"]) == 5
    board = (await office(LI, "GET", "/board")).json()
    assert board["stages"] == [{"stage": "reported", "open": 5, "overdue": 5, "near": 0},
                               {"stage": "dispatched", "open": 1, "overdue": 0, "near": 0}]  # fmt: skip
    (row,) = (await office(LI, "GET", "/rates")).json()
    assert (row["filing_pct"], row["dispatch_pct"], row["counted"]["accepted"]) == (100.0, 100.0, 1)
    assert [r["group"] for r in (await office(LI, "GET", "/rates?by=category")).json()] == ["gas_leak"]
    for wrong in ("/rates?by=colour", "/rates?since=2026-11-30T00:00:00Z", "?stage=none", "?limit=0", "?since=x"):
        assert (await office(LI, "GET", wrong)).status_code == 422
    assert (await office(LI, "GET", "?cursor=nonsense")).status_code == 404
    assert "gas_leak" in [c["id"] for c in (await office(LI, "GET", "/categories")).json()]


async def test_evidence_goes_up_and_comes_down_as_a_file(office: Office) -> None:
    number = (await office.open())["number"]
    kept = await office(LI, "POST", f"/{number}/evidence?name=../../a.html&place=after", content=PNG)
    assert kept.status_code == 201, kept.text
    assert (kept.json()["name"], kept.json()["type"], kept.json()["by"]) == ("a.png", "image/png", "li")
    down = await office(LOOKING, "GET", f"/{number}/evidence/{kept.json()['id']}")
    assert (down.content, down.headers["content-type"]) == (PNG, "image/png")
    assert down.headers["x-content-type-options"] == "nosniff"
    assert down.headers["content-disposition"] == 'attachment; filename="a.png"'
    whole = (await office(LI, "GET", f"/{number}")).json()
    assert [one["sha256"] for one in whole["evidence"]] == [kept.json()["sha256"]]
    assert whole["history"][-1]["change"] == "evidence"
    assert (await office(OTHER, "GET", f"/{number}/evidence/{kept.json()['id']}")).status_code == 404


async def test_evidence_that_is_refused(office: Office) -> None:
    number = (await office.open())["number"]
    path = f"/{number}/evidence?name=x.png"
    assert (await office(LI, "POST", path, content=b"<html>")).status_code == 422
    assert (await office(LI, "POST", path, content=PNG + b"\0" * (1 << 20))).status_code == 413

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield PNG * 1000

    assert (await office(LI, "POST", path, content=endless())).status_code == 422
    assert (await office(LOOKING, "POST", path, content=PNG)).status_code == 403
    assert (await office(LI, "POST", "/none/evidence?name=x", content=PNG)).status_code == 404
    assert [file for file in office.desk.store.folder.rglob("*") if file.is_file()] == []


async def test_changes_of_cases_are_events_of_the_stream(office: Office) -> None:
    live = Live(KINDS)
    office.desk.subscribe(live.tell_all)
    known = sources(live=live, now_ms=lambda: office.now_ms)
    mine = narrowed(known, "t")
    async with (
        aclosing(stream(known, Choice(frozenset({"case"})), 60.0)) as all_,
        aclosing(stream(mine, Choice(), 60.0)) as own,
    ):
        await anext(all_)
        await anext(own)
        await office.open(OTHER)
        await office.open()
        heard = [json.loads((await anext(all_)).decode().split("data: ")[1])["tenant"] for _ in range(2)]
        assert heard == ["u", "t"]
        event = (await anext(own)).decode()
    assert event.startswith("event: case\n")
    assert json.loads(event.split("data: ")[1])["tenant"] == "t"


@pytest.mark.parametrize(
    ("accepted", "language", "said"),
    [
        ("", "en", "wrong_stage: "),
        ("en-US,en;q=0.9,zh;q=0.8", "en", "wrong_stage: "),
        ("fr", "en", "wrong_stage: "),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN", "案件当前阶段不能进行此操作"),
        ("en;q=0.5, zh-TW", "zh-CN", "案件当前阶段不能进行此操作"),
        ("zh;q=much", "en", "wrong_stage: "),
    ],
)
async def test_what_is_refused_is_said_in_the_askers_language(
    office: Office, accepted: str, language: str, said: str
) -> None:
    number = (await office.open())["number"]
    headers = {"accept-language": accepted}
    refused = await office(CHEN, "POST", f"/{number}/steps", json={"step": "close"}, headers=headers)
    assert refused.status_code == 409
    assert refused.json()["detail"].startswith(said)
    assert (refused.headers["content-language"], refused.headers["vary"]) == (language, "Accept-Language")


async def test_evidence_is_refused_in_chinese_too(office: Office) -> None:
    number = (await office.open())["number"]
    path, chinese = f"/{number}/evidence?name=x.png", {"accept-language": "zh-CN"}
    assert "文件类型不是" in (await office(LI, "POST", path, content=b"<html>", headers=chinese)).json()["detail"]
    assert "文件为空" in (await office(LI, "POST", path, content=b"", headers=chinese)).json()["detail"]
    assert "it is empty" in (await office(LI, "POST", path, content=b"")).json()["detail"]


async def test_a_unit_has_its_own_cases_only(office: Office) -> None:
    numbers = [(await office.open())["number"] for _ in range(3)]
    for number, unit in zip(numbers, (SUN.unit, "排水抢险队"), strict=False):
        for step, more in (("accept", {}), ("file", {}), ("dispatch", {"unit": unit})):
            assert (await office.step(LI, number, step, **more)).status_code == 200
    mine, theirs, fresh = numbers
    assert [one["number"] for one in (await office(SUN, "GET", "")).json()["items"]] == [mine]
    assert [one["number"] for one in (await office(SUN, "GET", "/export")).json()["cases"]] == [mine]
    assert (await office(SUN, "GET", "/board")).json()["stages"] == [
        {"stage": "dispatched", "open": 1, "overdue": 0, "near": 0}]  # fmt: skip
    assert (await office(SUN, "GET", "/units")).json() == [SUN.unit]
    assert SUN.unit in (await office(LI, "GET", "/units")).json()
    for number in (theirs, fresh):
        assert (await office(SUN, "GET", f"/{number}")).status_code == 404
        assert (await office.step(SUN, number, "note", note="x")).status_code == 404
        assert (await office(SUN, "POST", f"/{number}/evidence?name=x.png", content=PNG)).status_code == 404
    assert [one["step"] for one in (await office(SUN, "GET", f"/{mine}")).json()["steps"]] == [
        "begin", "ask_extension", "note"]  # fmt: skip
    refused = await office.step(SUN, mine, "transfer", why="overloaded", unit="排水抢险队")
    assert (refused.status_code, "not a unit's step" in refused.json()["detail"]) == (403, True)
    assert (await office.step(SUN, mine, "begin")).json()["stage"] == "handling"
    assert office.record.notes[-1] == ("sun", "case.begin", mine)


async def test_a_unit_hears_of_its_own_cases_only(office: Office) -> None:
    live = Live(KINDS)
    office.desk.subscribe(live.tell_all)
    known = sources(live=live, now_ms=lambda: office.now_ms)
    async with aclosing(stream(known, Choice(sight=Sight(SUN.unit, SUN.name)), 60.0)) as own:
        await anext(own)
        await office.open()
        reported = await office.open(SUN)
        event = (await anext(own)).decode()
    assert json.loads(event.split("data: ")[1])["number"] == reported["number"]


async def test_the_document_describes_every_route(office: Office) -> None:
    document = json.loads((await office(None, "GET", "/../openapi.json")).content)
    assert {path.removeprefix("/api/v1/cases") for path in document["paths"] if path.startswith("/api/v1/cases")} == {
        "", "/categories", "/units", "/board", "/rates", "/export", "/{id}", "/{id}/steps", "/{id}/evidence",
        "/{id}/evidence/{file}"}  # fmt: skip
