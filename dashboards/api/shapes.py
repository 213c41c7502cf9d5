"""The JSON of the answers, as pydantic models, and how the types that travel become them."""

import base64
from datetime import date
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr

from citywarden.columns import Reading
from citywarden.model.device import Device
from citywarden.model.kind import Form, Kind, Quantity
from citywarden.model.message import DeadLetter, Reject
from citywarden.model.wire import timestamp
from citywarden.model.work import Evidence, MissedReason, Operation, Verdict

T = TypeVar("T")
Timestamp = Annotated[str, Field(json_schema_extra={"format": "date-time"}, description="RFC 3339, UTC, ms")]
SeverityWord = Literal["info", "minor", "major", "critical"]
Scalar = StrictBool | StrictInt | StrictFloat | StrictStr


class Listed(BaseModel, Generic[T]):
    """One page of a list."""

    items: list[T]
    next: str | None = Field(description="Cursor of the following page, null on the last one")


class FieldBody(BaseModel):
    field: str
    form: Form
    unit: str
    low: float | None
    high: float | None
    required: bool
    zh: str
    en: str


class OrderBody(BaseModel):
    """A command that devices of a kind understand."""

    name: str
    zh: str
    en: str
    arguments: list[FieldBody]


class KindBody(BaseModel):
    name: str
    zh: str
    en: str
    interval_s: float
    fields: list[FieldBody]
    commands: list[OrderBody]


class ReadingBody(BaseModel):
    """`ts`, and the fields of the kind that the reading has."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Scalar]

    ts: Timestamp


class DeviceBody(BaseModel):
    """`latest`: newest known value of every field, null when the device never sent.

    `online`: its own status message (or its last will); null when it sends none.
    """

    tenant: str
    kind: str
    id: str
    name: str
    district: str
    lat: float | None
    lon: float | None
    crs: str
    profile: dict[str, Scalar]
    owner: str
    enabled: bool
    online: bool | None
    latest: ReadingBody | None


class Location(BaseModel):
    lat: float
    lon: float


class AlertBody(BaseModel):
    """An alert, as webhooks send it too."""

    version: Literal["1"]
    id: str
    tenant: str
    rule: str
    kind: str
    subject: str
    severity: SeverityWord
    status: Literal["pending", "firing", "acknowledged", "resolved"]
    reason: str
    value: float | None
    unit: str
    threshold: float | None
    location: Location | None
    raised_at: Timestamp
    updated_at: Timestamp
    resolved_at: Timestamp | None
    summary: str
    runbook: str | None


class Deed(BaseModel):
    """Who acts on an alert, and what there is to say."""

    model_config = ConfigDict(extra="forbid")

    by: str = Field(default="api", min_length=1, max_length=200)
    note: str | None = Field(default=None, max_length=2000)


class MissedBody(BaseModel):
    from_m: float
    to_m: float
    length_m: float
    reason: MissedReason


class ReportBody(BaseModel):
    """What was judged of a task; `status` is `open` while its window lasts."""

    task: str
    vehicle: str
    operation: Operation
    window: str
    status: Verdict
    reasons: list[str]
    notes: list[str]
    evidence: Evidence
    work_duration_s: float
    idle_in_work_s: float
    unknown_s: float
    planned_m: float
    covered_m: float
    coverage_pct: float
    passes: int
    driven_m: float
    effective_m: float
    empty_running_pct: float
    overspeed_s: float
    max_deviation_m: float | None
    missed: list[MissedBody]


class TaskBody(BaseModel):
    """A planned road on one day, with how it stands; the whole judgement is its report."""

    task: str
    name: str
    tenant: str
    date: date
    vehicle: str
    operation: Operation
    window: str
    passes: int
    min_duration_s: float | None
    min_coverage_pct: float
    status: Verdict
    reasons: list[str]
    coverage_pct: float


class LetterBody(BaseModel):
    """A refused message (`item` -1) or one item of an array. `payload` is the whole message."""

    partition: int
    offset: int
    item: int
    topic: str
    received_at: Timestamp
    reason: Reject
    detail: str
    payload: str
    payload_encoding: Literal["utf-8", "base64"]


class HealthBody(BaseModel):
    ok: bool
    components: dict[str, str]
    figures: dict[str, float]


def reading_body(reading: Reading) -> dict[str, object]:
    """The contract's reading: `ts` and the fields it has."""
    return {"ts": timestamp(reading.ts_ms), **reading.values}


def device_body(device: Device, latest: Reading | None, online: bool | None) -> dict[str, object]:
    """A registered device with its newest values."""
    return {
        "tenant": device.tenant,
        "kind": device.kind,
        "id": device.id,
        "name": device.name,
        "district": device.district,
        "lat": device.lat,
        "lon": device.lon,
        "crs": device.crs,
        "profile": dict(device.profile),
        "owner": device.owner,
        "enabled": device.enabled,
        "online": online,
        "latest": None if latest is None else reading_body(latest),
    }


def kind_body(kind: Kind) -> dict[str, object]:
    """A kind with its tables of fields and of commands."""
    orders = [
        {"name": o.name, "zh": o.zh, "en": o.en, "arguments": [_field_body(q) for q in o.arguments]}
        for o in kind.commands
    ]
    return {
        "name": kind.name,
        "zh": kind.zh,
        "en": kind.en,
        "interval_s": kind.interval_s,
        "fields": [_field_body(q) for q in kind.quantities],
        "commands": orders,
    }


def _field_body(q: Quantity) -> dict[str, object]:
    return {
        "field": q.field,
        "form": q.form,
        "unit": q.unit,
        "low": q.low,
        "high": q.high,
        "required": q.required,
        "zh": q.zh,
        "en": q.en,
    }


def letter_body(letter: DeadLetter) -> dict[str, object]:
    """A dead letter; its bytes as text where they are UTF-8."""
    try:
        payload, encoding = letter.payload.decode(), "utf-8"
    except UnicodeDecodeError:
        payload, encoding = base64.b64encode(letter.payload).decode(), "base64"
    return {
        "partition": letter.partition,
        "offset": letter.offset,
        "item": letter.item,
        "topic": letter.topic,
        "received_at": timestamp(letter.received_ms),
        "reason": letter.reason,
        "detail": letter.detail,
        "payload": payload,
        "payload_encoding": encoding,
    }
