"""How long a page takes to answer: every query of every board over a month of a city of 5,000 devices.

A real influxd gets a month of hourly folds of every device and district, two days of minutes of the districts, and a
quarter of an hour of readings, as the store's tasks would have left them. All queries of a board are asked at once, as
a browser does; a page's time is that of its slowest panel. `scripts/bench boards [--json] [--devices N]`
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from citywarden.model.device import Device
from citywarden.model.kind import Form, Kind
from citywarden.serve.inventory import device_points
from citywarden.store.contract import Point
from citywarden.store.influx import InfluxStore, Keep, set_up
from dashboards.grafana.board import Board
from tests.builders import KINDS
from tests.grafana.material import as_grafana_sends, boards
from tests.grafana.test_queries import alerts, cases, figures, reports
from tests.influx import Influxd, influxd

HOUR_MS, DAY_H, MONTH_H = 3_600_000, 24, 30 * 24
DISTRICTS = ("Futian", "Luohu", "Nanshan", "Baoan", "Longgang", "Longhua", "Yantian", "Pingshan", "Guangming", "Dapeng")
SHARES = {"streetlight": 0.8, "gas": 0.1, "waterlogging": 0.06, "vehicle": 0.04}
FOLDS = ("", "_sum", "_n", "_min", "_max")
PATIENCE_S = 300


def city(devices: int) -> dict[str, list[Device]]:
    """So many devices, mostly lamps."""
    return {
        kind: [
            Device(
                "t", kind, f"{kind}-{i}", "", DISTRICTS[i % len(DISTRICTS)], 22.5 + i % 97 / 400, 113.9 + i % 89 / 300
            )
            for i in range(round(devices * share))
        ]
        for kind, share in SHARES.items()
    }


def folded(
    kind: Kind, names: list[tuple[str, str]], measurement: str, times: range, folds: tuple[str, ...]
) -> Iterator[str]:
    """Lines of folds: (tags, device or district) x times."""
    fields = ",".join(
        f"{q.field}{fold}=60i" if fold == "_n" else f"{q.field}{fold}={i + 1}.5"
        for i, q in enumerate(kind.numeric) for fold in folds
    )  # fmt: skip
    for tags, _ in names:
        head = f"{measurement},{tags} {fields} "
        for at in times:
            yield f"{head}{at}\n"


def fill(server: Influxd, bucket: str, now_ms: int, devices: int) -> int:
    """Write everything; returns the number of lines."""
    written = 0
    with httpx.Client(headers={"Authorization": f"Token {server.token}"}, timeout=PATIENCE_S) as client:

        def send(target: str, lines: Iterator[str]) -> None:
            nonlocal written
            batch: list[str] = []
            for line in lines:
                batch.append(line)
                if len(batch) == 20_000:
                    written += post(target, batch)
                    batch = []
            written += post(target, batch)

        def post(target: str, batch: list[str]) -> int:
            query = {"org": "city", "bucket": target, "precision": "ms"}
            client.post(f"{server.base}/api/v2/write", params=query, content="".join(batch)).raise_for_status()
            return len(batch)

        hour, minute = now_ms // HOUR_MS * HOUR_MS, now_ms // 60_000 * 60_000
        hours = range(hour - MONTH_H * HOUR_MS, hour, HOUR_MS)
        minutes = range(minute - 48 * HOUR_MS, minute, 60_000)
        for name, things in city(devices).items():
            kind = KINDS[name]
            each = [(f"device={d.id},district={d.district},tenant=t", d.id) for d in things]
            homes = [(f"district={home},tenant=t", home) for home in DISTRICTS]
            send(bucket + "_1h", folded(kind, each, name, hours, FOLDS))
            send(bucket + "_1h", folded(kind, homes, f"{name}_district", hours, FOLDS[1:]))
            send(bucket + "_1m", folded(kind, homes, f"{name}_district", minutes, FOLDS[1:]))
            send(bucket, raw(kind, things, range(now_ms - 900_000, now_ms, 60_000)))
    return written


def raw(kind: Kind, things: list[Device], times: range) -> Iterator[str]:
    """Readings as they come."""
    shown = {Form.NUMBER: "7.5", Form.FLAG: "t", Form.TEXT: '""'}
    fields = ",".join(f"{q.field}={shown[q.form]}" for q in kind.quantities if q.field not in ("raw_lat", "raw_lon"))
    fields = fields.replace("lat=7.5", "lat=22.5").replace("lon=7.5", "lon=114.0")
    for d in things:
        for at in times:
            yield f"{kind.name},device={d.id},district={d.district},tenant=t received_ms={at}i,{fields} {at}\n"


async def points(url: str, token: str, now_ms: int, devices: int) -> None:
    store = await InfluxStore.open(url, token, KINDS)
    rows: list[Point] = [*alerts(now_ms), *reports(now_ms), *cases(now_ms), *figures(now_ms)]
    await store.write_points(rows)
    await store.write_points(device_points([d for things in city(devices).values() for d in things], now_ms))
    await store.close()


def ask(server: Influxd, bucket: str, board: Board, now_ms: int, hours: int) -> tuple[float, str]:
    """Seconds until the board's slowest panel has its answer, and which it was."""
    iso = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now_ms / 1000 + shift)) for shift in (-hours * 3600, 1)]
    headers = {"Authorization": f"Token {server.token}", "Content-Type": "application/vnd.flux"}
    jobs = [(str(panel.body["title"]), query.flux) for panel in board.panels for query in panel.queries]
    begin = time.perf_counter()

    def one(job: tuple[str, str]) -> tuple[float, str]:
        text = as_grafana_sends(job[1], bucket, (iso[0], iso[1]), hours * 3600 // 120, {"device": ".*-0"})
        answer = httpx.post(
            f"{server.base}/api/v2/query", params={"org": "city"}, content=text, headers=headers, timeout=PATIENCE_S
        )
        answer.raise_for_status()
        return time.perf_counter() - begin, job[0]

    with ThreadPoolExecutor(len(jobs)) as pool:
        return max(pool.map(one, jobs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--devices", type=int, default=5000)
    given = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory() as folder, influxd(Path(folder)) as server:
        bucket, now_ms = server.make_bucket(), time.time_ns() // 1_000_000
        url = server.url(bucket)
        asyncio.run(set_up(url, server.token, KINDS, Keep(None, None, None, None)))
        begin = time.perf_counter()
        lines = fill(server, bucket, now_ms, given.devices)
        asyncio.run(points(url, server.token, now_ms, given.devices))
        print(f"{lines} lines written in {time.perf_counter() - begin:.0f} s")
        for board in boards("en"):
            times = {
                f"{hours}h": ask(server, bucket, board, time.time_ns() // 1_000_000, hours) for hours in (6, MONTH_H)
            }
            found[board.name] = {span: round(seconds, 2) for span, (seconds, _) in times.items()}
            shown = ", ".join(f"{span} {seconds:.2f} s ({panel})" for span, (seconds, panel) in times.items())
            print(f"{board.name:<12} {shown}", flush=True)
    if given.json:
        print(json.dumps({"devices": given.devices, "boards": found}))


if __name__ == "__main__":
    main()
