"""What the shared scene makes of alerts: where they are, and which page tells more."""

from dataclasses import replace

import pytest

from citywarden.model.alert import Severity
from dashboards.console.desk import read_registry, read_work
from dashboards.console.scene import Scene
from dashboards.console.sight import Bands
from tests.console.fakes import NIGHT_MS, TODAY, City, alert, make_city
from tests.console.fakes import devices as scene_devices


async def looked(city: City) -> Scene:
    scene = Scene(city.sources, Bands())
    scene.take_registry(await read_registry(city.sources.devices))
    scene.take_work(await read_work(city.sources.work, TODAY, NIGHT_MS))
    for kind in city.sources.kinds:
        scene.look(kind)
    scene.changes({})
    return scene


@pytest.mark.parametrize(
    ("subject", "kind", "place", "link"),
    [
        (f"V03/T03a@{TODAY}", "vehicle", "粤B·环103 · 福华路东段", "/vehicles/V03?day=2026-11-22"),
        ("V08", "vehicle", "粤B·环108", "/vehicles/V08?day=2026-11-22"),
        ("GD-009", "gas", "香蜜湖路燃气井 10", "/devices/gas/GD-009?alert=x"),
        ("gone/1", "gas", "gone/1", "/devices/gas/gone%2F1?alert=x"),
    ],
)
async def test_an_alert_has_a_place_and_a_page(subject: str, kind: str, place: str, link: str) -> None:
    scene = await looked(make_city())
    view = scene.view(alert(1, None, Severity.MAJOR, "字", "word", id="x", kind=kind, subject=subject))
    assert (view["place"], view["link"]) == (place, link)


async def test_a_summary_does_not_repeat_the_place() -> None:
    scene = await looked(make_city())
    device = next(d for d in scene_devices() if d.id == "GD-009")
    view = scene.view(alert(1, device, Severity.MAJOR, f"{device.name}：甲烷 30", f"{device.name}: methane 30"))
    assert (view["zh"], view["en"]) == ("甲烷 30", "methane 30")


async def test_a_summary_has_each_name_in_the_readers_language() -> None:
    city = make_city()
    lorry = "粤B·环103 / Sweeper 103"
    scene = await looked(city)
    scene.take_registry({d.key: replace(d, name=lorry) if d.id == "V03" else d for d in city.devices})
    view = scene.view(alert(1, None, Severity.MAJOR, f"发现 {lorry} 违停", f"{lorry}: stands", subject="V03"))
    assert (view["zh"], view["en"]) == ("发现 粤B·环103 违停", "stands")


async def test_an_alert_about_a_task_pulses_where_its_vehicle_is() -> None:
    city = make_city()
    scene = await looked(city)
    scene.take_alert(alert(1, None, Severity.MAJOR, "", "", id="x", subject=f"V03/T03a@{TODAY}"))
    scene.alert_changes()
    frame = scene.whole({})
    pulses, seen = frame["pulses"], scene.seen["vehicle"]
    place = next(s.place for s in seen if s.device.id == "V03")
    assert place is not None
    assert pulses == [["x", round(place[0], 6), round(place[1], 6), "major", False, "vehicle"]]


async def test_an_older_state_never_replaces_a_newer_one() -> None:
    scene = await looked(make_city())
    scene.take_alert(alert(1, None, Severity.CRITICAL, "", "", id="x", updated_ms=NIGHT_MS))
    scene.take_alert(alert(1, None, Severity.MINOR, "", "", id="x", updated_ms=NIGHT_MS - 1))
    scene.take_inbox([alert(1, None, Severity.MINOR, "", "", id="x", updated_ms=NIGHT_MS - 1)])
    assert scene.alerts["x"].severity is Severity.CRITICAL


async def test_a_look_at_the_whole_city_without_change_sends_nothing() -> None:
    scene = await looked(make_city())
    for kind in scene.seen:
        scene.look(kind)
    assert scene.changes({}) == {}
