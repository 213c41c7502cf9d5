"""How an alert is handled: its history, who it is given to, and the measures of it all."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from citywarden.model.dispatch import AlertEvent, Lengths, Measures, Share
from citywarden.model.wire import alert_body, timestamp
from dashboards.api.deliveries import SendingBody, sending_body
from dashboards.api.dispatch import Deeds
from dashboards.api.problems import BadQuestion
from dashboards.api.questions import Moment, Word
from dashboards.api.rights import Dispatcher, signed
from dashboards.api.shapes import AlertBody, Deed, Listed, Timestamp
from dashboards.sources import Dispatch, Sources

DAY_MS = 86_400_000
LONGEST_DAYS = 366


class Assignment(Deed):
    """`to`: whom it is given to, null: nobody any more."""

    to: str | None = Field(min_length=1, max_length=200)


class Remark(BaseModel):
    """Something to be said; `by` missing: whoever asks."""

    model_config = ConfigDict(extra="forbid")

    by: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    note: Annotated[str, Field(min_length=1, max_length=2000)]


class EventBody(BaseModel):
    """One change of an alert, and the alert after it. `hold`: why nobody was told, "" otherwise."""

    at: Timestamp
    change: str
    by: str | None
    note: str | None
    assigned_to: str | None
    hold: str
    alert: AlertBody


class LengthsBody(BaseModel):
    count: int
    median_s: float | None
    p90_s: float | None
    longest_s: float | None


class NoiseBody(BaseModel):
    rule: str
    raised: int


class ShareBody(BaseModel):
    """What one rule, or one district, has to do with it."""

    name: str
    raised: int
    open: int
    to_acknowledge: LengthsBody
    to_resolve: LengthsBody


class MeasuresBody(BaseModel):
    """Of the alerts raised from `since` until `until`; days are the city's."""

    since: Timestamp
    until: Timestamp
    raised: int
    open_by_age: dict[str, int]
    to_acknowledge: LengthsBody
    to_resolve: LengthsBody
    per_day: dict[str, dict[str, int]]
    noisiest: list[NoiseBody]
    rules: list[ShareBody]
    districts: list[ShareBody]


def handling(sources: Sources, desk: Dispatch) -> APIRouter:
    """Routes of handling alerts. Before those of single alerts, whose path would take `measures` for an id."""
    router = APIRouter(prefix="/api/v1/alerts", tags=["alerts"])

    @router.get("/measures", response_model=MeasuresBody)
    async def measures(
        since: Annotated[Moment | None, Query(description="Default: seven days before `until`")] = None,
        until: Annotated[Moment | None, Query(description="Default: now")] = None,
    ) -> dict[str, object]:
        """How alerts are worked off: what is open, how long people took, which rules are noisy."""
        end_ms = sources.now_ms() if until is None else until
        start_ms = end_ms - 7 * DAY_MS if since is None else since
        if not 0 < end_ms - start_ms <= LONGEST_DAYS * DAY_MS:
            raise BadQuestion(
                "query.since", f"expected a time before `until`, at most {LONGEST_DAYS} days",
                f"应早于 until，且相隔不超过 {LONGEST_DAYS} 天",
            )  # fmt: skip
        return measures_body(await desk.measures(start_ms, end_ms), start_ms, end_ms)

    @router.get("/{id}/history", response_model=Listed[EventBody])
    async def history(id: Word) -> dict[str, object]:
        """Everything that happened to an alert, oldest first."""
        return {"items": [event_body(e, sources.language) for e in await desk.history(id)], "next": None}

    @router.get("/{id}/deliveries", response_model=Listed[SendingBody])
    async def sent_of(id: Word) -> dict[str, object]:
        """What has been, or is to be, sent to whom of an alert, oldest first."""
        await sources.alerts.get(id)
        return {"items": [sending_body(s, sources.language) for s in await desk.sent_of(id)], "next": None}

    @router.post("/{id}/assign", response_model=AlertBody)
    async def assign(id: Word, given: Assignment, who: Dispatcher) -> dict[str, object]:
        """Give an alert to somebody, which also acknowledges it; returns it as it is then."""
        by, note = signed(who, given.by, given.note)
        async with sources.audit.doing(who, "alert.assign", [id], f"to {given.to or 'nobody'}"):
            alert = await desk.assign(id, by, given.to, note)
        return alert_body(alert, sources.language)

    @router.post("/{id}/note", response_model=AlertBody)
    async def note(id: Word, remark: Remark, who: Dispatcher) -> dict[str, object]:
        """Say something about an alert, open or not, without changing what it is."""
        by, said = signed(who, remark.by or who.name, remark.note)
        async with sources.audit.doing(who, "alert.note", [id], said or ""):
            noted = await desk.note(id, by, said or remark.note)
        return alert_body(noted, sources.language)

    @router.post("/{id}/close", response_model=AlertBody)
    async def close(id: Word, who: Dispatcher, deed: Deeds = None) -> dict[str, object]:
        """File an alert; one that is open is ended by hand. Returns it as it is then."""
        deed = deed or Deed()
        by, note = signed(who, deed.by, deed.note)
        async with sources.audit.doing(who, "alert.close", [id], note or ""):
            alert = await desk.close(id, by, note)
        return alert_body(alert, sources.language)

    return router


def event_body(event: AlertEvent, language: str) -> dict[str, object]:
    """A line of an alert's history."""
    return {
        "at": timestamp(event.at_ms),
        "change": event.change,
        "by": event.by,
        "note": event.note,
        "assigned_to": event.alert.assigned_to,
        "hold": event.alert.hold,
        "alert": alert_body(event.alert, language),
    }


def measures_body(found: Measures, start_ms: int, end_ms: int) -> dict[str, object]:
    """The measures of a time."""

    def lengths(one: Lengths) -> dict[str, object]:
        return {"count": one.count, "median_s": one.median_s, "p90_s": one.p90_s, "longest_s": one.longest_s}

    def share(one: Share) -> dict[str, object]:
        return {
            "name": one.name,
            "raised": one.raised,
            "open": one.open,
            "to_acknowledge": lengths(one.to_acknowledge),
            "to_resolve": lengths(one.to_resolve),
        }

    return {
        "since": timestamp(start_ms),
        "until": timestamp(end_ms),
        "raised": found.raised,
        "open_by_age": dict(found.open_by_age),
        "to_acknowledge": lengths(found.to_acknowledge),
        "to_resolve": lengths(found.to_resolve),
        "per_day": {day: dict(rules) for day, rules in found.per_day.items()},
        "noisiest": [{"rule": rule, "raised": raised} for rule, raised in found.noisiest],
        "rules": [share(one) for one in found.rules],
        "districts": [share(one) for one in found.districts],
    }
