"""Cases in a running server: out of alerts, noted when those are over, told of when their time has passed."""

from pathlib import Path

import pytest

from citywarden.alerts.desk import AsyncDesk, Desk
from citywarden.alerts.routes import Routes
from citywarden.cases.openings import OVERDUE
from citywarden.cases.point import MEASUREMENT
from citywarden.model.alert import Alert, Finding, Reason, Severity
from citywarden.model.case import Deed, Stage, Step
from citywarden.model.casequery import CaseQuery
from citywarden.model.device import Device, DeviceKey
from citywarden.model.errors import ConfigurationError
from citywarden.sections import CasesSettings, Settings
from citywarden.serve.casework import CaseWork, case_desk, table_of
from citywarden.serve.export import Exporter
from citywarden.serve.prepare import prepare
from citywarden.serve.tables import open_database
from tests.builders import KINDS
from tests.cases.case_builders import MINUTE_MS, MONDAY_MS
from tests.store.twin import MemoryStore

SUMMARY = {"zh-CN": "五号阀井 / Valve 5：甲烷 55 %LEL", "en": "五号阀井 / Valve 5: methane 55 %LEL"}


class Office:
    """The alert desk and the cases over one database, with a clock that is moved by hand."""

    def __init__(self, folder: Path, **cases: object) -> None:
        wanted = CasesSettings(**({"from_alerts": ("gas.*",)} | cases))  # type: ignore[arg-type]
        self.settings = Settings(tenant="t", language="en", data=folder, cases=wanted)
        self.now_ms = MONDAY_MS
        self.engine = open_database(self.settings.database_url)
        self.alerts = AsyncDesk(Desk(self.engine, Routes(())), self.clock_ms)
        self.cases = case_desk(self.settings, self.engine, self.clock_ms)
        self.work = CaseWork(self.settings, self.cases, self.alerts, self.lookup, self.clock_ms)
        self.exporter = Exporter(MemoryStore(KINDS))
        self.work.tell(self.exporter)

    def clock_ms(self) -> int:
        return self.now_ms

    def lookup(self, key: DeviceKey) -> Device | None:
        return Device(key.tenant, key.kind, key.id, "五号阀井 / Valve 5") if key.id == "g5" else None

    async def find(self, subject: str, severity: Severity | None, rule: str = "gas.methane") -> list[Alert]:
        """What the rules find of a detector now."""
        reason = Reason.CLEARED if severity is None else Reason.THRESHOLD
        found = Finding("t", rule, "gas", subject, severity, self.now_ms, reason, summary=SUMMARY, lat=22.5, lon=114.0)
        return await self.alerts.apply([found], self.now_ms, {})

    async def look(self, after_min: float = 0) -> None:
        self.now_ms += round(after_min * MINUTE_MS)
        await self.work.look()

    async def open_alerts(self, rule: str = OVERDUE) -> list[Alert]:
        return [alert for alert in await self.alerts.open() if alert.rule == rule]

    async def close(self) -> None:
        await self.cases.close()
        await self.alerts.close()
        self.engine.dispose()


async def test_severe_alerts_open_one_case_each(tmp_path: Path) -> None:
    office = Office(tmp_path)
    (alert,) = await office.find("g5", Severity.MAJOR)
    await office.find("g6", Severity.MINOR)
    await office.find("g7", Severity.CRITICAL, "other.rule")
    for _ in range(3):
        await office.look()
    (case,) = (await office.cases.find(CaseQuery())).items
    assert (case.category, case.place) == ("gas_leak", "五号阀井 / Valve 5")
    assert case.title == "五号阀井：甲烷 55 %LEL / Valve 5: methane 55 %LEL"
    assert (case.alert, case.about, case.lat, case.tenant) == (alert.id, ("gas", "g5"), 22.5, "t")
    await office.find("g5", Severity.CRITICAL)  # it rises: still the same alert
    await office.find("g6", Severity.MAJOR)
    await office.look()
    assert len((await office.cases.find(CaseQuery())).items) == 2
    await office.close()


async def test_a_resolved_alert_is_noted_and_the_case_goes_on(tmp_path: Path) -> None:
    office = Office(tmp_path)
    await office.find("g5", Severity.MAJOR)
    await office.look()
    await office.find("g5", None)
    await office.look(1)
    (case,) = (await office.cases.find(CaseQuery())).items
    assert (case.stage, case.alert_resolved_ms) == (Stage.REPORTED, office.now_ms)
    await office.close()


async def test_what_happened_while_nobody_listened(tmp_path: Path) -> None:
    first = Office(tmp_path)
    await first.find("g5", Severity.MAJOR)
    await first.look()
    await first.cases.close()
    await first.find("g5", None)  # resolved, and another raised, with no cases at work
    await first.find("g6", Severity.MAJOR)
    await first.alerts.close()
    second = Office(tmp_path)
    await second.look()
    cases = {case.about: case for case in (await second.cases.find(CaseQuery())).items}
    assert cases[("gas", "g5")].alert_resolved_ms is not None
    assert cases[("gas", "g6")].alert_resolved_ms is None
    await second.close()
    first.engine.dispose()


async def test_an_overdue_case_is_an_alert_until_it_goes_on(tmp_path: Path) -> None:
    office = Office(tmp_path)
    await office.find("g5", Severity.MAJOR)
    await office.look()
    (case,) = (await office.cases.find(CaseQuery())).items
    await office.look(11)  # 10 minutes to 立案
    (told,) = await office.open_alerts()
    assert (told.subject, told.severity, told.kind) == (case.number, Severity.CRITICAL, "case")
    assert told.summary["zh-CN"] == f"案件 {case.number}（燃气泄漏）受理立案超期"
    assert (await office.cases.get(case.id)).told_overdue
    for step in (Step.ACCEPT, Step.FILE):
        await office.cases.take(case.id, Deed(step, "Li"))
    await office.look()
    assert await office.open_alerts() == []
    await office.look(20)  # 5 minutes to 派遣: told anew
    assert len(await office.open_alerts()) == 1
    await office.alerts.resolve((await office.open_alerts())[0].id, "Li", None)
    await office.look(20)
    assert await office.open_alerts() == []  # by hand is by hand
    await office.close()


async def test_overdue_alerts_can_be_switched_off(tmp_path: Path) -> None:
    office = Office(tmp_path, overdue_alerts=False)
    await office.find("g5", Severity.MAJOR)
    await office.look()
    await office.look(60)
    assert await office.open_alerts() == []
    assert (await office.cases.find(CaseQuery(overdue=True))).items != []
    await office.close()


async def test_every_change_is_written_to_the_store(tmp_path: Path) -> None:
    office = Office(tmp_path)
    await office.find("g5", Severity.MAJOR)
    await office.look()
    (case,) = (await office.cases.find(CaseQuery())).items
    await office.cases.take(case.id, Deed(Step.ACCEPT, "Li"))
    office.cases.ledger.take(case.id, Deed(Step.FILE, "another process"), office.now_ms + 1)
    await office.look()
    await office.exporter.flush()
    (point,) = await office.exporter.store.points(MEASUREMENT, 0, 1 << 52)
    assert (point.fields["number"], point.fields["stage"]) == (case.number, "filed")
    await office.close()


def test_a_wrong_table_is_named_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "cases.yaml").write_text("categories:\n  - {id: a, name: {zh-CN: 甲, en: A}, handle: soon}\n")
    settings = Settings(cases=CasesSettings(table=tmp_path / "cases.yaml"))
    with pytest.raises(ConfigurationError, match=r"cases.yaml:2: categories\[0\].handle: `soon`, expected a length"):
        prepare(settings)
    with pytest.raises(ConfigurationError, match="expected a readable file"):
        table_of(Settings(cases=CasesSettings(table=tmp_path / "none.yaml")))
