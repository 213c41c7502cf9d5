"""The rules in force."""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel

from citywarden.model.ruling import NO_DATA, Demand, Origin, RuleCard
from dashboards.api.rights import Viewer
from dashboards.api.shapes import Listed, Scalar, SeverityWord
from dashboards.sources import Sources

OriginWord = Literal["default", "file", "plan", "server"]


class LevelBody(BaseModel):
    """A level. `when`, `reset`: as the rule file has them, null for rules of no file; `said`, `reset_said`: the same
    in words, by language. `reset` null: it ends when `when` no longer holds.
    """

    severity: SeverityWord
    when: str | None
    said: dict[str, str]
    for_s: float
    reset: str | None
    reset_said: dict[str, str] | None


class SilenceBody(BaseModel):
    """What silence raises: an alert of the rule `rule` when nothing came for `after_s`."""

    rule: str
    after_s: float
    severity: SeverityWord
    open: int


class SourceBody(BaseModel):
    """`default`: the rules that come with the server; `file`: the user's; `plan`: the work of vehicles; `server`."""

    origin: OriginWord
    file: str | None
    line: int | None


class RuleBody(BaseModel):
    """A rule. `title`: by language, empty where it has none. `hold_s` null: three expected intervals of the device.
    `hours` null: always. `devices`: how many it applies to, null where it is about none; `open`: its open alerts.
    """

    id: str
    kind: str
    title: dict[str, str]
    levels: list[LevelBody]
    no_data: SilenceBody | None
    hold_s: float | None
    hours: str | None
    ends_by_hand: bool
    summary: dict[str, str]
    profile: dict[str, Scalar]
    runbook: str | None
    devices: int | None
    open: int
    source: SourceBody


def rules(sources: Sources) -> APIRouter:
    """The route of the rules; they are the server's, what they are counted over is the asker's."""
    router = APIRouter(prefix="/api/v1", tags=["rules"])

    @router.get("/rules", response_model=Listed[RuleBody])
    async def in_force(
        who: Viewer,
        kind: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
        origin: Annotated[OriginWord | None, Query(description="Where a rule comes from")] = None,
    ) -> dict[str, object]:
        """The rules in force, those of the rule file first, with what each level demands."""
        devices = await sources.devices.count(who.tenant)
        alerts = Counter(alert.rule for alert in await sources.alerts.open() if who.sees(alert.tenant))
        found = [c for c in sources.rules if kind in (None, c.kind) and origin in (None, c.origin)]
        about = {card.kind: devices.get(card.kind, 0) for card in found if card.kind in sources.kinds}
        return {"items": [rule_body(card, about.get(card.kind), alerts) for card in found], "next": None}

    return router


def rule_body(card: RuleCard, devices: int | None, alerts: Mapping[str, int]) -> dict[str, object]:
    """A rule for a program. `alerts`: how many of each rule are open."""
    silence = None
    if card.no_data_ms is not None:
        rule = card.id + NO_DATA
        silence = {
            "rule": rule, "after_s": card.no_data_ms / 1000, "severity": card.no_data_severity.word,
            "open": alerts.get(rule, 0),
        }  # fmt: skip
    written = card.origin in (Origin.DEFAULT, Origin.FILE)
    return {
        "id": card.id,
        "kind": card.kind,
        "title": dict(card.title),
        "levels": [_level(demand) for demand in card.demands],
        "no_data": silence,
        "hold_s": None if card.hold_ms is None else card.hold_ms / 1000,
        "hours": card.hours or None,
        "ends_by_hand": card.by_hand,
        "summary": dict(card.message),
        "profile": dict(card.profile),
        "runbook": card.runbook,
        "devices": devices,
        "open": alerts.get(card.id, 0),
        "source": {
            "origin": card.origin, "file": card.file if written else None, "line": card.line if written else None
        },
    }  # fmt: skip


def _level(demand: Demand) -> dict[str, object]:
    return {
        "severity": demand.severity.word,
        "when": demand.when or None,
        "said": dict(demand.said),
        "for_s": demand.for_ms / 1000,
        "reset": demand.reset or None,
        "reset_said": dict(demand.reset_said) or None,
    }
