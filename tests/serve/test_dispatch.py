"""History, assignment, deliveries, silences and measures over HTTP, from a real desk and courier."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from httpx import ASGITransport, AsyncClient

from citywarden.model.errors import ConfigurationError
from citywarden.model.wire import timestamp
from citywarden.sections import AlertsSettings, Settings, TargetSettings
from citywarden.serve.alerting import routing_of
from citywarden.serve.dispatchdesk import DispatchDesk
from citywarden.serve.prepare import prepare
from dashboards.api import build_api
from dashboards.api.bulk import MOST
from tests.alerts.alert_builders import MINUTE_MS, desk, file_engine, finding, target
from tests.alerts.alert_builders import alert as alert_of
from tests.alerts.hooks import clock_ms, delivering, hook
from tests.api.fakes import sources


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[AsyncClient, str]]:
    """A client of the API, and the id of an alert that has been delivered."""
    async with hook() as receiver:
        where = target(url=receiver.url)
        async with delivering(desk(file_engine(folder), where), where) as (front, courier):
            now_ms = clock_ms()
            [raised] = await front.apply([finding("major", now_ms - MINUTE_MS)], now_ms, {})
            assert await courier.drain(60)
            dispatch = DispatchDesk(front, courier, clock_ms, ZoneInfo("Asia/Shanghai"))
            api = build_api(sources(alerts=front, dispatch=dispatch, now_ms=clock_ms))
            async with AsyncClient(transport=ASGITransport(api), base_url="http://citywarden") as http:
                yield http, raised.id


async def test_an_alert_is_assigned_closed_and_its_history_told(tmp_path: Path) -> None:
    async with serving(tmp_path) as (http, alert):
        given = await http.post(f"/api/v1/alerts/{alert}/assign", json={"by": "Li", "to": "Wang", "note": "look"})
        assert (given.status_code, given.json()["status"]) == (200, "acknowledged")
        assert (await http.post(f"/api/v1/alerts/{alert}/close", json={"by": "Li"})).json()["status"] == "resolved"
        lines = (await http.get(f"/api/v1/alerts/{alert}/history")).json()["items"]
        assert [(line["change"], line["by"], line["assigned_to"]) for line in lines] == [
            ("opened", None, None), ("assigned", "Li", "Wang"), ("closed", "Li", "Wang"),
        ]  # fmt: skip
        sent = (await http.get(f"/api/v1/alerts/{alert}/deliveries")).json()["items"]
        assert [s["change"] for s in sent] == ["opened", "assigned", "closed"]
        for path in (f"/api/v1/alerts/none/{what}" for what in ("history", "deliveries")):
            assert (await http.get(path)).status_code == 404
        assert (await http.post(f"/api/v1/alerts/{alert}/assign", json={})).status_code == 422


async def test_many_alerts_are_worked_off_in_one_request(tmp_path: Path) -> None:
    async with serving(tmp_path) as (http, alert):
        deed = {"by": "Li", "ids": [alert, "none", alert], "note": "seen"}
        done = (await http.post("/api/v1/alerts/acknowledge", json=deed)).json()
        assert [(one["id"], one["status"]) for one in done["items"]] == [(alert, "acknowledged")]
        assert done["unknown"] == ["none"]
        for what, given in (("assign", {"to": "Wang"}), ("resolve", {}), ("close", {})):
            answer = await http.post(f"/api/v1/alerts/{what}", json={"by": "Li", "ids": [alert], **given})
            assert (answer.status_code, len(answer.json()["items"])) == (200, 1)
        lines = (await http.get(f"/api/v1/alerts/{alert}/history")).json()["items"]
        assert [line["change"] for line in lines] == ["opened", "acknowledged", "assigned", "resolved", "closed"]
        wrongs: list[dict[str, object]] = [
            {}, {"ids": []}, {"ids": ["a"] * (MOST + 1)}, {"ids": ["a\0"]}, {"ids": [alert], "too": 1},
        ]  # fmt: skip
        for wrong in wrongs:
            assert (await http.post("/api/v1/alerts/acknowledge", json=wrong)).status_code == 422
        assert (await http.post("/api/v1/alerts/assign", json={"ids": [alert]})).status_code == 422


async def test_deliveries_are_listed_and_repeated(tmp_path: Path) -> None:
    async with serving(tmp_path) as (http, alert):
        [sent] = (await http.get("/api/v1/deliveries?state=delivered&target=dispatch")).json()["items"]
        assert (sent["alert"]["id"], sent["code"], sent["attempts"]) == (alert, 204, 1)
        assert (await http.get(f"/api/v1/deliveries/{sent['id']}")).json() == sent
        again = await http.post(f"/api/v1/deliveries/{sent['id']}/replay")
        assert again.json()["id"] == sent["id"]
        assert (await http.get("/api/v1/deliveries?state=refused")).json() == {"items": [], "next": None}
        for answer in (await http.get("/api/v1/deliveries/none"), await http.post("/api/v1/deliveries/none/replay")):
            assert answer.status_code == 404


async def test_silences_are_made_listed_and_ended(tmp_path: Path) -> None:
    async with serving(tmp_path) as (http, alert):
        wanted = {"ends_at": timestamp(clock_ms() + 60 * MINUTE_MS), "by": "Li", "why": "works", "subject": "g*"}
        made = await http.post("/api/v1/silences", json=wanted)
        assert (made.status_code, made.json()["subject"]) == (201, ["g*"])
        assert (await http.get("/api/v1/silences")).json()["items"] == [made.json()]
        assert (await http.get(f"/api/v1/silences/{made.json()['id']}")).json() == made.json()
        [*_, held] = (await http.get(f"/api/v1/alerts/{alert}/history")).json()["items"]
        assert (held["change"], held["hold"]) == ("held", "silenced")
        ended = await http.post(f"/api/v1/silences/{made.json()['id']}/end", json={"by": "Wang"})
        assert ended.json()["ended_by"] == "Wang"
        assert (await http.get("/api/v1/silences")).json()["items"] == []
        assert len((await http.get("/api/v1/silences?ended=true")).json()["items"]) == 1
        past = wanted | {"ends_at": 1000}
        assert (await http.post("/api/v1/silences", json=past)).status_code == 409
        assert (await http.post("/api/v1/silences", json={"why": "x"})).status_code == 422


async def test_measures_tell_how_alerts_are_worked_off(tmp_path: Path) -> None:
    async with serving(tmp_path) as (http, alert):
        await http.post(f"/api/v1/alerts/{alert}/acknowledge", json={"by": "Li"})
        found = (await http.get("/api/v1/alerts/measures")).json()
        assert (found["raised"], found["open_by_age"]["15m"]) == (1, 1)
        assert found["to_acknowledge"]["count"] == 1
        assert 60 <= found["to_acknowledge"]["median_s"] < 600
        assert found["to_resolve"] == {"count": 0, "median_s": None, "p90_s": None, "longest_s": None}
        assert found["noisiest"] == [{"rule": "gas.methane", "raised": 1}]
        [district] = found["districts"]
        assert (district["name"], district["raised"], district["open"]) == ("Futian", 1, 1)
        assert district["to_acknowledge"] == found["to_acknowledge"] == found["rules"][0]["to_acknowledge"]
        later = timestamp(clock_ms() - 1)
        past = (await http.get(f"/api/v1/alerts/measures?since={later}")).json()
        assert (past["raised"], past["open_by_age"]["15m"]) == (0, 1)
        assert (await http.get("/api/v1/alerts/measures?since=1000")).status_code == 422


async def test_a_note_changes_nothing_else_and_is_in_the_history(tmp_path: Path) -> None:
    async with serving(tmp_path) as (http, alert):
        noted = await http.post(f"/api/v1/alerts/{alert}/note", json={"by": "Li", "note": "it smells"})
        assert (noted.status_code, noted.json()["status"]) == (200, "firing")
        [*_, last] = (await http.get(f"/api/v1/alerts/{alert}/history")).json()["items"]
        assert (last["change"], last["by"], last["note"]) == ("noted", "Li", "it smells")
        assert (await http.post(f"/api/v1/alerts/{alert}/note", json={"by": "Li"})).status_code == 422
        assert (await http.post("/api/v1/alerts/none/note", json={"note": "?"})).status_code == 404


async def test_targets_and_messages_are_looked_into(tmp_path: Path) -> None:
    async with serving(tmp_path) as (http, alert):
        [health] = (await http.get("/api/v1/targets")).json()["items"]
        assert (health["name"], health["state"], health["waiting"]) == ("dispatch", "ok", 0)
        assert health["ok_at"] is not None
        [sent] = (await http.get("/api/v1/deliveries")).json()["items"]
        seen = (await http.get(f"/api/v1/deliveries/{sent['id']}/inspection")).json()
        assert [(t["state"], t["code"]) for t in seen["attempts"]] == [("delivered", 204)]
        assert f'"id": "{alert}"' in seen["body"] and seen["headers"]["webhook-signature"] == "***"
        assert (await http.post("/api/v1/targets/dispatch/enable")).json()["state"] == "ok"
        assert (await http.post("/api/v1/targets/none/enable")).status_code == 404
        assert (await http.get("/api/v1/deliveries/none/inspection")).status_code == 404


async def test_a_silence_is_tried_before_it_is_made(tmp_path: Path) -> None:
    async with serving(tmp_path) as (http, alert):

        async def fitting(**wanted: object) -> list[str]:
            return [a["id"] for a in (await http.post("/api/v1/silences/preview", json=wanted)).json()["items"]]

        assert await fitting(rule="gas.*", severity="major") == await fitting() == [alert]
        assert await fitting(severity="critical") == await fitting(up_to="minor") == await fitting(kind="vehicle") == []
        wanted = {"ends_at": timestamp(clock_ms() + 60 * MINUTE_MS), "why": "works", "rule": "gas.*", "up_to": "minor"}
        made = (await http.post("/api/v1/silences", json=wanted)).json()
        assert (made["severity"], made["up_to"]) == ("info", "minor")
        assert (await http.get(f"/api/v1/silences/{made['id']}")).json() == made


def test_a_routing_file_and_configured_targets_live_side_by_side(tmp_path: Path) -> None:
    file = tmp_path / "routes.yaml"
    file.write_text("targets: [{name: boss, url: 'http://h/'}]\nroutes: [{to: boss, severity: critical}]")
    own = TargetSettings(name="own", url="http://h/")
    routes = routing_of(Settings(alerts=AlertsSettings(routes=file, targets=(own,)))).routes
    assert routes.names == {"boss", "own"}
    assert list(routes.of(alert_of("minor"), 0)) == ["own"]
    assert list(routes.of(alert_of("critical"), 0)) == ["boss", "own"]


def test_what_is_wrong_in_the_routing_file_is_told_with_all_the_rest(tmp_path: Path) -> None:
    file = tmp_path / "routes.yaml"
    file.write_text("targets: [{name: own, url: 'http://h/'}]\nroutes: [{to: nobody, after: soon}]")
    twice = tuple(TargetSettings(name="own", url="http://h/", format=form) for form in ("citywarden", "fax"))
    settings = Settings(alerts=AlertsSettings(routes=file, targets=twice), data=tmp_path)
    with pytest.raises(ConfigurationError) as caught:
        prepare(settings, "rules: []", "{")
    said = "\n".join(map(str, caught.value.problems))
    for expected in ("routes[0].after: `soon`, expected a duration such as", "alerts.targets.1.format: 'fax'", "plan"):
        assert expected in said
    with pytest.raises(ConfigurationError, match="expected a readable file"):
        routing_of(Settings(alerts=AlertsSettings(routes=tmp_path / "none.yaml")))
