"""The cases of the made-up city: a real desk over a database of its own, worked on by made-up people."""

import asyncio
import atexit
import shutil
import struct
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

from citywarden.cases.desk import CaseDesk
from citywarden.cases.ledger import Ledger
from citywarden.cases.openings import report_of
from citywarden.model.case import Case, Deed, Place, Report, Source, Step, Why
from citywarden.model.casetime import Clock, Limit
from citywarden.serve.tables import open_database
from tests.cases.case_builders import TABLE, evidence_store
from tests.console.fakes import MINUTE_MS, NIGHT_MS, City

DAY_MS = 86_400_000
STEPS = (Step.VERIFY, Step.ACCEPT, Step.FILE, Step.DISPATCH, Step.BEGIN, Step.FINISH, Step.PASS, Step.CLOSE)
PEOPLE = ("陈志明", "李慧", "王建国", "吴丽")


class Moving:
    """A clock for the past: the desk's own while the cases are made."""

    def __init__(self, city: City) -> None:
        self.city = city
        self.ms: int | None = NIGHT_MS

    def __call__(self) -> int:
        return self.city.clock() if self.ms is None else self.ms


def photo(red: int, green: int, blue: int) -> bytes:
    """A PNG of 64 x 48 that gets brighter to the right."""
    row = b"".join(bytes((red * x // 64, green * x // 64, blue * x // 64)) for x in range(64))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 64, 48, 8, 2, 0, 0, 0)
    pixels = zlib.compress((b"\0" + row) * 48)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


async def _one(content: bytes) -> AsyncIterator[bytes]:
    yield content


def _walk(book: Ledger, case: Case, until: Step, start_ms: int, every_min: float) -> Case:
    for i, step in enumerate(s for s in STEPS if s is not Step.VERIFY or case.source is Source.PUBLIC):
        unit = TABLE.category(case.category).unit if step is Step.DISPATCH else ""
        deed = Deed(step, PEOPLE[i % 4], "现场情况属实，已通知班组" if step is Step.DISPATCH else None, unit=unit)
        case = book.take(case.id, deed, start_ms + round((i + 1) * every_min * MINUTE_MS))
        if step is until:
            break
    return case


def _report(category: str, title: str, place: str, district: str, at: tuple[float, float], source: Source) -> Report:
    return Report("sz", category, title, source, PEOPLE[len(title) % 4], "", place, district, at[1], at[0])


CASES = (
    ("exposed_rubbish", "商铺门前暴露垃圾", "福华路 88 号", "Futian", (114.052, 22.534), Source.PUBLIC, None, 20),
    ("damaged_road", "人行道地砖破损", "彩田路天桥下", "Futian", (114.058, 22.546), Source.PATROL, Step.ACCEPT, 25),
    ("street_vendor", "夜市占道经营", "华强北路步行街", "Futian", (114.085, 22.546), Source.PUBLIC, Step.FILE, 22),
    ("streetlight_other", "灯杆倾斜", "滨河大道 3 号", "Luohu", (114.099, 22.528), Source.PATROL, Step.DISPATCH, 300),
    ("streetlight_dark", "连续三盏路灯不亮", "红荔路", "Futian", (114.069, 22.549), Source.PATROL, Step.BEGIN, 1500),
    ("missed_road", "滨河辅道漏扫 400 m", "滨河大道", "Nanshan", (114.024, 22.528), Source.LEADERS, Step.FINISH, 240),
    ("exposed_rubbish", "绿化带内建筑垃圾", "北环大道", "Nanshan", (114.03, 22.56), Source.PATROL, Step.PASS, 300),
)  # fmt: skip


async def make_cases(city: City) -> CaseDesk:
    """A board with something in every column, some of it late, and a month that is done."""
    folder, clock = Path(mkdtemp(prefix="cw-cases-")), Moving(city)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    desk = CaseDesk(Ledger(open_database(f"sqlite:///{folder / 'cases.sqlite'}"), TABLE), evidence_store(folder),
                    clock, "sz")  # fmt: skip
    book = desk.ledger
    for n in range(24):  # what was done this month
        start_ms = NIGHT_MS - (3 + n % 18) * DAY_MS - 11 * 60 * MINUTE_MS
        kind = ("gas_leak", "flooded_road", "streetlight_dark", "exposed_rubbish", "missed_road")[n % 5]
        done = book.open(
            _report(kind, TABLE.category(kind).zh, "", ("Futian", "Nanshan", "Luohu")[n % 3], (114.05, 22.54),
                    Source.PATROL), start_ms)  # fmt: skip
        good = n % 8 != 0
        done = _walk(book, done, Step.FINISH if good else Step.BEGIN, start_ms, 3 if n % 4 else 170)
        if n == 6:
            done = book.take(done.id, Deed(Step.REWORK, PEOPLE[0], why=Why.POOR_EVIDENCE), done.updated_ms + MINUTE_MS)
            done = book.take(done.id, Deed(Step.FINISH, PEOPLE[2]), done.updated_ms + 5 * MINUTE_MS)
        if good:
            for step in (Step.PASS, Step.CLOSE):
                done = book.take(done.id, Deed(step, PEOPLE[3]), done.updated_ms + 8 * MINUTE_MS)
        else:
            book.take(done.id, Deed(Step.WITHDRAW, PEOPLE[3], why=Why.DUPLICATE), done.updated_ms + MINUTE_MS)
    for kind, title, place, district, at, source, last, ago_min in CASES:
        start_ms = NIGHT_MS - ago_min * MINUTE_MS
        case = book.open(_report(kind, title, place, district, at, source), start_ms)
        if last is not None:
            _walk(book, case, last, start_ms, 4)
    await _out_of_alerts(city, desk, clock)
    book.tick(NIGHT_MS)
    clock.ms = None
    return desk


async def _out_of_alerts(city: City, desk: CaseDesk, clock: Moving) -> None:
    """The gas leak waits for the unit, the flooded road is being pumped out and asks for more time."""
    book, places = desk.ledger, {device.id: device.name for device in city.devices}
    for alert_id, until in (("a1", Step.ACCEPT), ("a2", Step.BEGIN)):
        alert = city.inbox.alerts[alert_id]
        report = replace(report_of(alert, places[alert.subject], TABLE), text="")
        case = _walk(book, book.open(report, alert.raised_ms), until, alert.raised_ms, 0.6)
        if until is Step.BEGIN:
            asked = Deed(
                Step.ASK_EXTENSION, "王建国", "排水泵故障，备用泵在途", Why.MATERIAL, limit=Limit(120, Clock.NATURAL)
            )
            clock.ms = NIGHT_MS - MINUTE_MS
            case = book.take(case.id, asked, clock.ms)
            for colour, name, place in (((90, 130, 200), "积水现场.jpg", Place.BEFORE),
                                        ((120, 170, 120), "抽排作业.png", Place.AFTER)):  # fmt: skip
                await desk.attach(case, _one(photo(*colour)), name, place, "王建国")


def cases_of(city: City) -> CaseDesk:
    """See `make_cases`; for those who have no event loop yet."""
    return asyncio.run(make_cases(city))
