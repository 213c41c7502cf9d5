"""Silences: for a while nobody is asked about alerts that fit, by the word of a person who says why."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from uuid import uuid4

import orjson
from sqlalchemy import Connection, Row, insert, select, update

from citywarden.alerts import tables
from citywarden.alerts.matching import Matcher
from citywarden.model.alert import Alert, Severity
from citywarden.model.errors import CitywardenError, NotFound
from citywarden.model.page import Page


@dataclass(frozen=True, slots=True)
class Silence:
    """Alerts that fit are told to nobody from `starts_ms` until `ends_ms`. `ended_by`: who cut it short."""

    starts_ms: int
    ends_ms: int
    by: str
    why: str
    matcher: Matcher
    created_ms: int = 0
    ended_by: str | None = None
    id: str = field(default_factory=lambda: uuid4().hex)

    def holds(self, alert: Alert, now_ms: int) -> bool:
        return self.starts_ms <= now_ms < self.ends_ms and self.matcher.fits(alert)


def check(silence: Silence, now_ms: int) -> None:
    """Raises CitywardenError when the silence makes no sense."""
    if silence.ends_ms <= max(silence.starts_ms, now_ms):
        raise CitywardenError(
            "a silence ends after it begins, and not in the past", "静默的结束时间必须晚于开始时间和现在"
        )
    if not silence.why.strip() or not silence.by.strip():
        raise CitywardenError("a silence says by whom it is, and why", "请填写静默人和原因")


def write(connection: Connection, silence: Silence) -> None:
    """Keep a new silence."""
    t = tables.silence
    row = {column.name: getattr(silence, column.name) for column in t.c if column.name != "matcher"}
    words = {name: value for name, value in asdict(silence.matcher).items() if value}
    connection.execute(insert(t), row | {"matcher": orjson.dumps(words).decode()})


def end(connection: Connection, silence_id: str, by: str, now_ms: int) -> Silence:
    """Cut a silence short; one that is over stays as it is. Raises NotFound."""
    t = tables.silence
    found = get(connection, silence_id)
    if found.ends_ms <= now_ms:
        return found
    connection.execute(update(t).where(t.c.id == silence_id).values(ends_ms=now_ms, ended_by=by))
    return get(connection, silence_id)


def get(connection: Connection, silence_id: str) -> Silence:
    """Raises NotFound."""
    t = tables.silence
    row = connection.execute(select(t).where(t.c.id == silence_id)).one_or_none()
    if row is None:
        raise NotFound(f"no silence {silence_id!r}")
    return _silence(row)


def read(connection: Connection, now_ms: int) -> list[Silence]:
    """Those that are not over."""
    t = tables.silence
    rows = connection.execute(select(t).where(t.c.ends_ms > now_ms).order_by(t.c.starts_ms, t.c.id))
    return [_silence(row) for row in rows]


def find(
    connection: Connection, after_ms: int | None = None, limit: int = 100, cursor: str | None = None
) -> Page[Silence]:
    """Silences that end after `after_ms` (None: all there were), newest first."""
    t = tables.silence
    wanted = select(t).order_by(t.c.created_ms.desc(), t.c.id.desc()).limit(limit + 1)
    if after_ms is not None:
        wanted = wanted.where(t.c.ends_ms > after_ms)
    if cursor is not None:
        made, dot, name = cursor.partition(".")
        if not dot or not (made.isascii() and made.isdigit()):
            raise NotFound(f"no page at cursor {cursor!r}")
        made_ms = int(made)
        wanted = wanted.where((t.c.created_ms < made_ms) | ((t.c.created_ms == made_ms) & (t.c.id < name)))
    found = [_silence(row) for row in connection.execute(wanted)]
    page: Sequence[Silence] = found[:limit]
    return Page(page, f"{page[-1].created_ms}.{page[-1].id}" if len(found) > limit else None)


def _silence(row: Row[tuple[object, ...]]) -> Silence:
    values = dict(row._mapping)
    return Silence(matcher=_matcher(orjson.loads(str(values.pop("matcher")))), **values)


def _matcher(words: Mapping[str, object]) -> Matcher:
    def patterns(name: str) -> tuple[str, ...]:
        known = words.get(name)
        return tuple(map(str, known)) if isinstance(known, list) else ()

    tenant, kind, rule, subject, district = map(patterns, ("tenant", "kind", "rule", "subject", "district"))
    least, most = (Severity(int(str(words.get(n, d)))) for n, d in (("severity", 1), ("up_to", 4)))
    return Matcher(tenant, kind, rule, subject, district, least, most)
