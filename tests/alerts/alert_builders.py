"""Findings, alerts and desks in one line each."""

from dataclasses import replace
from pathlib import Path

from sqlalchemy import Engine

from citywarden import database
from citywarden.alerts.circumstances import Manners
from citywarden.alerts.desk import Desk
from citywarden.alerts.flapping import Habit
from citywarden.alerts.machine import Birth, Policy, Step, step
from citywarden.alerts.routes import Routes
from citywarden.alerts.target import Target
from citywarden.model.alert import Alert, Finding, Reason, Severity, Status

NOW_MS = 1_795_406_400_000
MINUTE_MS = 60_000
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

LEVELS: dict[str, Severity | None] = {"ok": None} | {severity.word: severity for severity in Severity}


def finding(level: str, at_ms: int = NOW_MS, subject: str = "g1", **known: object) -> Finding:
    """Rule gas.methane of tenant t says `level` (info, minor, major, critical, ok) of a detector at `at_ms`."""
    severity = LEVELS[level]
    facts: dict[str, object] = {
        "tenant": "t",
        "rule": "gas.methane",
        "kind": "gas",
        "reason": Reason.THRESHOLD if severity else Reason.CLEARED,
        "value": 30.0,
        "unit": "%LEL",
        "threshold": 25.0,
        "lat": 22.5431,
        "lon": 114.0579,
        "summary": {"zh-CN": "甲烷 30 %LEL", "en": "Methane 30 %LEL"},
    } | known
    return Finding(subject=subject, severity=severity, at_ms=at_ms, **facts)  # type: ignore[arg-type]


def alert(level: str = "major", status: Status = Status.FIRING, **known: object) -> Alert:
    """An alert of a detector, raised now."""
    opened = step(None, finding(level), NOW_MS, Policy(), Birth("a1", "Futian")).alert
    assert opened is not None
    return replace(opened, status=status, **known)  # type: ignore[arg-type]


def after(current: Alert | None, level: str, minutes: float = 1, **known: object) -> Step:
    """The step a finding of `level` makes, seen at once, `minutes` after NOW_MS."""
    at_ms = NOW_MS + round(minutes * MINUTE_MS)
    return step(current, finding(level, at_ms, "g1", **known), at_ms, Policy(), Birth("a1", "Futian"))


def file_engine(folder: Path) -> Engine:
    """A new database in a folder, with all tables."""
    engine = database.connect(f"sqlite:///{folder / 'alerts.sqlite'}")
    database.migrate(engine)
    return engine


def target(name: str = "dispatch", url: str = "http://127.0.0.1:9/", **known: object) -> Target:
    """A target that is signed for with SECRET."""
    return replace(Target(name, url, SECRET), **known)  # type: ignore[arg-type]


NEVER_FLAPPING = Manners(Habit(turns=0))


def desk(engine: Engine, *targets: Target, manners: Manners = NEVER_FLAPPING) -> Desk:
    return Desk(engine, Routes(targets), Policy(), lambda _t, _k, subject: "Futian" if subject == "g1" else "", manners)
