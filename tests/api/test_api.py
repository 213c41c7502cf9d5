"""Each request, answered from sources in memory."""

from collections.abc import Callable

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response

from citywarden.model.alert import Severity, Status
from citywarden.model.errors import CitywardenError, Unavailable
from citywarden.model.kind import JsonScalar
from citywarden.model.message import DeadLetter, Reject
from citywarden.model.wire import alert_body, report_item
from dashboards.api import mount_api
from dashboards.api.problems import Problem
from dashboards.sources import Health, Sources
from tests.api.fakes import FakeDesk, FakeDirectory, FakeInbox, FakeLetters, alert, report, sources, task
from tests.builders import KINDS, NOON_MS, columns, device


def client(known: Sources) -> AsyncClient:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    mount_api(app, known)

    @app.get("/")
    async def console() -> str:
        return "the console"

    return AsyncClient(transport=ASGITransport(app), base_url="http://citywarden")


async def get(known: Sources, path: str) -> Response:
    async with client(known) as http:
        return await http.get(path)


def assert_problem(answer: Response, status: int, *words: str) -> dict[str, object]:
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    Problem.model_validate(document)
    assert (answer.status_code, document["status"]) == (status, status)
    for word in words:
        assert word in document["detail"]
    assert "Traceback" not in answer.text
    return dict(document)


# -- the server itself


async def test_health_is_200_while_all_is_well() -> None:
    answer = await get(sources(), "/healthz")
    assert answer.status_code == 200
    assert answer.json() == {"ok": True, "components": {"store": "ok"}, "figures": {"messages": 3.0}}


async def test_health_is_503_and_says_what_is_wrong() -> None:
    ill = sources(health=lambda: Health(False, {"store": "no space", "mqtt": "ok"}, {}))
    document = assert_problem(await get(ill, "/healthz"), 503, "store: no space")
    assert document["components"] == {"store": "no space", "mqtt": "ok"}
    assert document["ok"] is False


async def test_metrics_are_text_for_prometheus() -> None:
    answer = await get(sources(), "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert answer.text.endswith("up 1.0\n")


async def test_what_is_not_the_api_is_left_alone() -> None:
    async with client(sources()) as http:
        assert (await http.get("/")).text == '"the console"'
        elsewhere = await http.get("/no-such-page")
        assert elsewhere.json() == {"detail": "Not Found"}
        assert (await http.get("/apiary")).json() == {"detail": "Not Found"}


# -- things


async def test_kinds_carry_their_fields() -> None:
    items = (await get(sources(), "/api/v1/kinds")).json()["items"]
    assert [kind["name"] for kind in items] == list(KINDS)
    gas = next(kind for kind in items if kind["name"] == "gas")
    assert gas["fields"][0] == {
        "field": "methane_lel_pct",
        "form": "number",
        "unit": "%LEL",
        "low": 0.0,
        "high": 100.0,
        "required": False,
        "zh": "甲烷",
        "en": "Methane",
    }


async def test_devices_are_listed_with_their_newest_values_page_by_page() -> None:
    known = sources(devices=FakeDirectory([device("gas", n) for n in "abc"] + [device("vehicle", "v")]))
    known.live.seed(columns("gas", [(0, {"co_ppm": 1.5})], device("gas", "a")))
    first = (await get(known, "/api/v1/devices?kind=gas&limit=2")).json()
    assert [d["id"] for d in first["items"]] == ["a", "b"]
    assert first["items"][0]["latest"] == {"ts": "2026-11-23T04:00:00.000Z", "co_ppm": 1.5}
    assert first["items"][1]["latest"] is None
    second = (await get(known, f"/api/v1/devices?kind=gas&limit=2&cursor={first['next']}")).json()
    assert ([d["id"] for d in second["items"]], second["next"]) == (["c"], None)


async def with_readings() -> Sources:
    known = sources(devices=FakeDirectory([device("streetlight", "l1"), device("streetlight", "new")]))
    rows: list[tuple[int, dict[str, JsonScalar]]] = [
        (s, {"on": s % 20 == 0, "power_w": float(s), "fault": ""}) for s in range(-30, 30, 10)
    ]
    await known.store.write(columns("streetlight", rows, device("streetlight", "l1")))
    return known


async def test_readings_are_ts_and_fields_page_by_page() -> None:
    known = await with_readings()
    first = (await get(known, "/api/v1/readings/streetlight/l1?limit=2")).json()
    assert first["items"] == [
        {"ts": "2026-11-23T03:59:30.000Z", "on": False, "power_w": -30.0, "fault": ""},
        {"ts": "2026-11-23T03:59:40.000Z", "on": True, "power_w": -20.0, "fault": ""},
    ]
    second = (await get(known, f"/api/v1/readings/streetlight/l1?limit=2&cursor={first['next']}")).json()
    assert [r["power_w"] for r in second["items"]] == [-10.0, 0.0]
    assert second["next"] is None, "without `stop` nothing from the future is given"


@pytest.mark.parametrize(
    "span",
    [
        f"start={NOON_MS}&stop={NOON_MS + 20_000}",
        "start=2026-11-23T04:00:00Z&stop=2026-11-23T12:00:20%2B08:00",
        "start=2026-11-23T12:00:00+08:00&stop=2026-11-23T04:00:20.000Z",
    ],
)
async def test_times_are_rfc_3339_or_milliseconds(span: str) -> None:
    answer = await get(await with_readings(), f"/api/v1/readings/streetlight/l1?{span}")
    assert [r["power_w"] for r in answer.json()["items"]] == [0.0, 10.0]


async def test_a_device_that_never_sent_has_no_readings_and_one_unknown_is_404() -> None:
    known = await with_readings()
    assert (await get(known, "/api/v1/readings/streetlight/new")).json() == {"items": [], "next": None}
    assert_problem(await get(known, "/api/v1/readings/streetlight/zz"), 404, "zz")
    assert_problem(await get(known, "/api/v1/readings/streetlight/l1?tenant=other"), 404, "other")
    assert_problem(await get(known, "/api/v1/readings/submarine/l1"), 404, "submarine", "streetlight")


async def test_a_device_that_two_tenants_have_needs_the_tenant() -> None:
    both = [device("gas", "g", tenant="t1"), device("gas", "g", tenant="t2")]
    known = sources(devices=FakeDirectory(both))
    await known.store.write(columns("gas", [(-5, {"co_ppm": 1.0})], both[1]))
    assert_problem(await get(known, "/api/v1/readings/gas/g"), 422, "query.tenant", "t1, t2")
    assert len((await get(known, "/api/v1/readings/gas/g?tenant=t2")).json()["items"]) == 1


# -- alerts


async def test_alerts_are_the_bodies_that_webhooks_send() -> None:
    known = sources(alerts=FakeInbox([alert()]), language="zh-CN")
    (item,) = (await get(known, "/api/v1/alerts")).json()["items"]
    assert item == alert_body(alert(), "zh-CN")
    assert (await get(known, "/api/v1/alerts/a1")).json() == item


async def test_alerts_are_chosen_by_status_rule_severity_and_time() -> None:
    inbox = FakeInbox(
        [
            alert("a"),
            alert("b", status=Status.RESOLVED, resolved_ms=NOON_MS),
            alert("c", rule="gas.oxygen"),
            alert("d", severity=Severity.MINOR),
            alert("e", updated_ms=NOON_MS + 1000),
        ]
    )

    async def found(query: str) -> list[str]:
        return [a["id"] for a in (await get(sources(alerts=inbox), f"/api/v1/alerts?{query}")).json()["items"]]

    assert await found("status=resolved") == ["b"]
    assert await found("rule=gas.oxygen") == ["c"]
    assert await found("severity=minor") == ["d"]
    assert await found("since=2026-11-23T04:00:00.500Z") == ["e"]
    assert await found("status=firing&severity=critical&limit=2") == ["a", "c"]


async def test_an_alert_is_acknowledged_and_resolved() -> None:
    inbox = FakeInbox([alert()])
    async with client(sources(alerts=inbox)) as http:
        answer = await http.post("/api/v1/alerts/a1/acknowledge", json={"by": "Li", "note": "on my way"})
        assert (answer.status_code, answer.json()["status"]) == (200, "acknowledged")
        assert (inbox.alerts["a1"].acknowledged_by, inbox.alerts["a1"].note) == ("Li", "on my way")
        answer = await http.post("/api/v1/alerts/a1/resolve")
        assert (answer.json()["status"], answer.json()["resolved_at"]) == ("resolved", "2026-11-23T04:00:00.000Z")
        assert inbox.alerts["a1"].acknowledged_by == "api"
        assert_problem(await http.post("/api/v1/alerts/nope/resolve"), 404, "nope")


async def test_a_page_of_another_site_may_not_act() -> None:
    inbox = FakeInbox([alert()])
    async with client(sources(alerts=inbox)) as http:
        foreign = await http.post("/api/v1/alerts/a1/resolve", headers={"Origin": "http://evil.example"})
        assert_problem(foreign, 403, "another site")
        assert inbox.alerts["a1"].status is Status.FIRING
        own = await http.post("/api/v1/alerts/a1/resolve", headers={"Origin": "http://citywarden"})
        assert own.status_code == 200
        assert "access-control-allow-origin" not in own.headers


# -- work


async def test_tasks_of_a_day_say_how_they_stand() -> None:
    known = sources(work=FakeDesk([task(), task("T2@2026-11-23", name="T2")], [report()]))
    items = (await get(known, "/api/v1/tasks")).json()["items"]
    assert [(t["task"], t["status"], t["coverage_pct"]) for t in items] == [
        ("T1@2026-11-23", "not_met", 80.0),
        ("T2@2026-11-23", "open", 0.0),
    ]
    assert items[0]["window"] == "2026-11-23T12:00+08:00/2026-11-23T13:00+08:00"
    assert (await get(known, "/api/v1/tasks?date=2026-11-24")).json() == {"items": [], "next": None}


async def test_a_report_is_the_item_of_the_replay_report() -> None:
    known = sources(work=FakeDesk([task()], [report()]))
    answer = await get(known, "/api/v1/tasks/T1@2026-11-23/report")
    assert answer.json() == report_item(report(), known.timezone)
    assert_problem(await get(known, "/api/v1/tasks/T9/report"), 404, "T9")


# -- dead letters


async def test_dead_letters_show_their_bytes() -> None:
    letters = [
        DeadLetter(0, 7, -1, "city/t/gas/g/telemetry", '{"甲烷": 1}'.encode(), NOON_MS, Reject.EMPTY, "no field"),
        DeadLetter(0, 6, 2, "city/t/gas/g/telemetry", b"\xff\x00", NOON_MS, Reject.BAD_UTF8, "byte 0"),
    ]
    known = sources(letters=FakeLetters(letters))
    text, binary = (await get(known, "/api/v1/deadletters")).json()["items"]
    assert (text["payload"], text["payload_encoding"]) == ('{"甲烷": 1}', "utf-8")
    assert (binary["payload"], binary["payload_encoding"], binary["item"]) == ("/wA=", "base64", 2)
    only = (await get(known, "/api/v1/deadletters?reason=bad_utf8&limit=1")).json()
    assert [letter["offset"] for letter in only["items"]] == [6]


# -- errors


async def test_all_that_is_wrong_is_said_at_once() -> None:
    answer = await get(sources(), "/api/v1/alerts?limit=0&severity=awful&since=yesterday&status=pending")
    document = assert_problem(answer, 422, "query.limit", "RFC 3339 with offset")
    errors = document["errors"]
    assert isinstance(errors, list)
    assert {e["where"] for e in errors} == {"query.limit", "query.severity", "query.since", "query.status"}


@pytest.mark.parametrize("body", ["{", '{"by": ""}', '{"who": "me"}', "[]", '{"note": 7}', '{"by": "\\ud800"}'])
async def test_a_body_that_is_wrong_is_422(body: str) -> None:
    async with client(sources(alerts=FakeInbox([alert()]))) as http:
        headers = {"content-type": "application/json"}
        assert_problem(await http.post("/api/v1/alerts/a1/resolve", content=body, headers=headers), 422)


@pytest.mark.parametrize(
    "moment", ["2026-11-23", "2026-11-23T04:00:00", "9" * 16, "-99999999999999", "nan", "2026-13-01T00:00:00Z", ""]
)
async def test_times_without_an_offset_or_sense_are_422(moment: str) -> None:
    assert_problem(await get(sources(), f"/api/v1/alerts?since={moment}"), 422, "query.since")


async def test_unknown_paths_and_methods() -> None:
    async with client(sources()) as http:
        assert_problem(await http.get("/api"), 404, "/api")
        assert_problem(await http.get("/api/v1/nothing"), 404, "/api/v1/nothing")
        wrong = await http.delete("/api/v1/alerts")
        assert_problem(wrong, 405, "DELETE")
        assert wrong.headers["allow"] == "GET"
        assert_problem(await http.get("/api/v1/alerts/"), 404)


def failing(error: Exception) -> Callable[[], Health]:
    def health() -> Health:
        raise error

    return health


async def test_what_does_not_answer_now_is_503_with_a_time_to_retry() -> None:
    answer = await get(sources(health=failing(Unavailable("the store is full", 2.2))), "/healthz")
    assert_problem(answer, 503, "the store is full")
    assert answer.headers["retry-after"] == "3"


async def test_what_cannot_be_done_is_409() -> None:
    assert_problem(await get(sources(health=failing(CitywardenError("not now"))), "/healthz"), 409, "not now")


async def test_a_fault_of_ours_is_500_without_its_trace(caplog: pytest.LogCaptureFixture) -> None:
    answer = await get(sources(health=failing(RuntimeError("secret detail"))), "/healthz")
    assert_problem(answer, 500, "/healthz failed")
    assert "secret detail" not in answer.text
    assert "secret detail" in caplog.text


# -- the document


async def test_the_openapi_document_names_every_route_and_its_problems() -> None:
    answer = await get(sources(), "/api/v1/openapi.json")
    document = answer.json()
    assert set(document["paths"]) == {
        "/healthz",
        "/metrics",
        "/api/v1/kinds",
        "/api/v1/devices",
        "/api/v1/readings/{kind}/{device}",
        "/api/v1/alerts",
        "/api/v1/alerts/{id}",
        "/api/v1/alerts/{id}/acknowledge",
        "/api/v1/alerts/{id}/resolve",
        "/api/v1/tasks",
        "/api/v1/tasks/{task}/report",
        "/api/v1/deadletters",
        "/api/v1/rules",
        "/api/v1/stream",
    }
    for path in document["paths"].values():
        for operation in path.values():
            assert list(operation["responses"]["default"]["content"]) == ["application/problem+json"]
            assert operation["description"]
    named = document["components"]["schemas"]
    assert "HTTPValidationError" not in named
    assert {part.split('"')[0] for part in answer.text.split("#/components/schemas/")[1:]} <= named.keys()
    limit = next(p for p in document["paths"]["/api/v1/devices"]["get"]["parameters"] if p["name"] == "limit")
    assert (limit["schema"]["minimum"], limit["schema"]["maximum"]) == (1, 10_000)
