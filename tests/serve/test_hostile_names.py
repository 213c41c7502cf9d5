"""Names and texts that want to be run, on every page of the console: shown as they are, and nothing of them happens."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from httpx import AsyncClient
from playwright.async_api import Page, async_playwright
from playwright.async_api import TimeoutError as PlaywrightTimeout

from citywarden.cli.running import wall_ms
from citywarden.columns import Reading
from citywarden.model.kind import JsonScalar
from citywarden.sections import Settings
from citywarden.serve.prepare import prepare
from citywarden.serve.server import Options, Running, running
from tests.alerts.alert_builders import finding
from tests.builders import columns, device
from tests.console.browsing import ARGUMENTS, CHROMIUM, needs_chromium

pytestmark = needs_chromium
HOSTILE = (
    "<img src=x onerror=\"pwned('img')\"><script>pwned('script')</script>{{pwned('vue')}}"
    "{{constructor.constructor(\"pwned('vue')\")()}}"
)
"""Short enough for a name."""
THINGS = [
    replace(device(kind, id_), name=HOSTILE[:120], district=HOSTILE[:120], owner=HOSTILE[:120])
    for kind, id_ in (("gas", "G1"), ("streetlight", "L1"), ("vehicle", "V1"))
]
SAID: list[Mapping[str, JsonScalar]] = [{"co_ppm": 3.0}, {"fault": HOSTILE[:200]}, {"lat": 22.54, "lon": 114.05}]
PLAN = json.dumps({
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "geometry": {"type": "LineString", "coordinates": [[114.05, 22.54], [114.06, 22.54]]},
            "properties": {"task": "T1", "vehicle": "V1", "operation": "sweep", "window": "00:00-23:59",
                           "name": HOSTILE, "timezone": "Asia/Shanghai"},
        },
    ],
})  # fmt: skip
WATCH = "window.pwned = how => { window.__pwned = (window.__pwned || '') + how + ' ' }"


async def filled(server: Running) -> list[str]:
    """Every page that shows what people, devices or files have said."""
    now_ms = wall_ms()
    server.registry.put(THINGS)
    for thing, values in zip(THINGS, SAID, strict=True):
        batch = columns(thing.kind, [(0, values)], thing, now_ms - 1000)
        server.live.update(batch)
        server.live.tell(Reading(thing, now_ms - 1000, now_ms - 1000, values))
        await server.store.write(batch)
    summary = {"en": HOSTILE, "zh-CN": HOSTILE}
    [raised] = await server.desk.apply(
        [finding("major", now_ms, "G1", summary=summary, rule="gas.methane")], now_ms, {}
    )
    async with AsyncClient(base_url=f"{server.url}/api/v1", timeout=60) as http:
        told = [
            await http.post(f"/alerts/{raised.id}/note", json={"note": HOSTILE, "by": HOSTILE}),
            await http.post(f"/alerts/{raised.id}/assign", json={"to": HOSTILE, "by": HOSTILE}),
            await http.post("/silences", json={"ends_at": now_ms + 3_600_000, "why": HOSTILE, "rule": "no.rule"}),
            await http.post("/devices/streetlight/L1/commands", json={"name": "on"}),
            case := await http.post(
                "/cases",
                json={
                    "category": (await categories(http))[0],
                    "title": HOSTILE,
                    "text": HOSTILE,
                    "place": HOSTILE,
                    "district": HOSTILE[:100],
                    "by": HOSTILE,
                },
            ),
        ]
        told.append(await http.post(f"/cases/{case.json()['id']}/steps", json={"step": "note", "note": HOSTILE}))
        told.append(
            await http.post(
                f"/cases/{case.json()['id']}/evidence", params={"name": HOSTILE}, content=b"%PDF-1.7" + b"x" * 20
            )
        )
    assert not [answer.text for answer in told if not answer.is_success]
    return [
        "/", "/alerts", f"/alerts/{raised.id}", "/devices", "/devices/gas/G1", "/devices/streetlight/L1",
        "/vehicles/V1", "/cases", f"/cases/{case.json()['id']}", "/silences", "/deliveries", "/supervision",
        "/measures", "/admin/audit",
    ]  # fmt: skip


async def categories(http: AsyncClient) -> list[str]:
    return [one["id"] for one in (await http.get("/cases/categories")).json()]


async def settled(page: Page, address: str) -> str:
    """The page's text, once it shows something of what was said, or has had time to."""
    await page.goto(address)
    try:
        await page.wait_for_function("document.body.innerText.includes('<img src=x')", timeout=10_000)
    except PlaywrightTimeout:
        await page.wait_for_load_state("networkidle")
    return await page.inner_text("body")


async def test_what_anybody_said_is_text_on_every_page(tmp_path: Path) -> None:
    settings = Settings(tenant="t", language="en", data=tmp_path / "data")
    async with running(prepare(settings, None, PLAN), Options(port=0), wall_ms) as server, async_playwright() as player:
        pages = await filled(server)
        browser = await player.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = await browser.new_page()
        page.set_default_timeout(60_000)
        await page.add_init_script(WATCH)
        shown = []
        for path in pages:
            if "<img src=x" in await settled(page, f"{server.url}{path}"):
                shown.append(path)
            assert await page.evaluate("window.__pwned || ''") == "", path
            assert await page.locator("img[src=x]").count() == 0, path
        assert len(shown) >= 8, shown
        await browser.close()
