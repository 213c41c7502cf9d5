"""Cases, their history and evidence as rows of the database, and back."""

from collections.abc import Mapping
from dataclasses import asdict, fields

import orjson

from citywarden.model.case import Asked, Case, CaseEvent, Evidence, Place, Source, Stage, Why
from citywarden.model.casetime import Clock, Deadline, Limit, Phase

Row = Mapping[str, object]

_PACKED = frozenset({"source", "stage", "about", "deadline", "handle", "whole", "asked"})
_PLAIN = tuple(one.name for one in fields(Case) if one.name not in _PACKED)


def case_row(case: Case) -> dict[str, object]:
    """The columns of table `case_file`, but for `alerted_due_ms` and `version`."""
    row: dict[str, object] = {name: getattr(case, name) for name in _PLAIN}
    row["source"], row["stage"] = case.source.value, case.stage.value
    row["about"] = None if case.about is None else orjson.dumps(case.about).decode()
    row["deadline"] = deadline_text(case.deadline)
    row["handle"], row["whole"] = deadline_text(case.handle), deadline_text(case.whole)
    row["asked"] = None if case.asked is None else orjson.dumps(asdict(case.asked)).decode()
    row["running_due_ms"] = case.deadline.due_ms if case.deadline else None
    row["running_warn_ms"] = case.deadline.warn_ms if case.deadline else None
    row["handle_due_ms"] = case.handle.due_ms if case.handle else None
    row["whole_due_ms"] = case.whole.due_ms if case.whole else None
    deadlines = (case.deadline, case.handle, case.whole)
    row["uncounted"] = case.open and any(d is not None and d.unknown_year is not None for d in deadlines)
    return row


def case_of(row: Row) -> Case:
    """What `case_row` wrote."""
    values: dict[str, object] = {name: row[name] for name in _PLAIN}
    values["source"], values["stage"] = Source(str(row["source"])), Stage(str(row["stage"]))
    about = None if row["about"] is None else orjson.loads(str(row["about"]))
    values["about"] = None if about is None else (str(about[0]), str(about[1]))
    for name in ("deadline", "handle", "whole"):
        values[name] = deadline_of(row[name])
    values["asked"] = _asked_of(row["asked"])
    values["told_near"], values["told_overdue"] = bool(row["told_near"]), bool(row["told_overdue"])
    return Case(**values)  # type: ignore[arg-type]


def deadline_text(deadline: Deadline | None) -> str | None:
    """A deadline as one line of JSON."""
    return None if deadline is None else orjson.dumps(asdict(deadline)).decode()


def deadline_of(text: object) -> Deadline | None:
    """What `deadline_text` wrote."""
    if text is None:
        return None
    known = orjson.loads(str(text))
    return Deadline(**{**known, "phase": Phase(known["phase"]), "limit": _limit_of(known["limit"])})


def event_row(case_id: str, event: CaseEvent) -> dict[str, object]:
    """The columns of table `case_event`."""
    return {
        "case_id": case_id, "at_ms": event.at_ms, "change": str(event.change), "stage": event.stage.value,
        "by": event.by, "why": event.why, "note": event.note, "unit": event.unit,
        "limit": None if event.limit is None else orjson.dumps(asdict(event.limit)).decode(), "due_ms": event.due_ms,
    }  # fmt: skip


def event_of(row: Row) -> CaseEvent:
    """What `event_row` wrote."""
    why, limit = row["why"], row["limit"]
    return CaseEvent(
        int(str(row["at_ms"])), str(row["change"]), Stage(str(row["stage"])), _text(row["by"]),
        None if why is None else Why(str(why)), _text(row["note"]), str(row["unit"]),
        None if limit is None else _limit_of(orjson.loads(str(limit))), _number(row["due_ms"]),
    )  # fmt: skip


def evidence_row(one: Evidence) -> dict[str, object]:
    """The columns of table `case_evidence`."""
    row = asdict(one)
    row["case_id"], row["place"] = row.pop("case"), one.place.value
    return row


def evidence_of(row: Row) -> Evidence:
    """What `evidence_row` wrote."""
    return Evidence(
        str(row["id"]), str(row["case_id"]), str(row["sha256"]), str(row["name"]), str(row["type"]),
        int(str(row["size"])), Place(str(row["place"])), str(row["by"]), int(str(row["at_ms"])),
    )  # fmt: skip


def _limit_of(known: Mapping[str, object]) -> Limit:
    return Limit(int(str(known["amount"])), Clock(str(known["clock"])))


def _asked_of(text: object) -> Asked | None:
    if text is None:
        return None
    known = orjson.loads(str(text))
    return Asked(_limit_of(known["limit"]), Why(known["why"]), known["by"], known["at_ms"], known["note"])


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _number(value: object) -> int | None:
    return None if value is None else int(str(value))
