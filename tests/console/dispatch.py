"""What is done about the made-up city's alerts: history, messages, silences and measures, in memory."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from citywarden.model.alert import Alert, Status
from citywarden.model.dispatch import (
    AlertDeed,
    AlertEvent,
    Doing,
    Inspection,
    Lengths,
    Measures,
    Sending,
    Share,
    SilenceNote,
    TargetHealth,
    Tried,
)
from citywarden.model.errors import CitywardenError, NotFound
from citywarden.model.page import Page
from tests.console.fakes import MINUTE_MS, Clock, FakeInbox

DAY_MS = 86_400_000
BODY = '{\n  "version": "1",\n  "rule": "gas.methane",\n  "severity": "critical"\n}'


@dataclass
class FakeDispatch:
    """Keeps what people do; everything else is made up from the alerts as it is asked for."""

    inbox: FakeInbox
    clock: Clock
    events: dict[str, list[AlertEvent]] = field(default_factory=dict)
    noted: list[SilenceNote] = field(default_factory=list)
    replayed: list[str] = field(default_factory=list)
    disabled: bool = True

    async def history(self, alert_id: str) -> Sequence[AlertEvent]:
        alert = await self.inbox.get(alert_id)
        raised = AlertEvent(replace(alert, status=Status.FIRING), alert.raised_ms, "opened")
        made = [raised]
        if alert.severity > 2:
            made.append(AlertEvent(alert, alert.raised_ms + MINUTE_MS, "escalated"))
        if alert.acknowledged_by:
            made.append(
                AlertEvent(alert, alert.raised_ms + 2 * MINUTE_MS, "acknowledged", alert.acknowledged_by, alert.note)
            )
        if not alert.acknowledged_by and alert.open:
            made.append(AlertEvent(alert, alert.raised_ms + 2 * MINUTE_MS, "reminded"))
        if alert.resolved_ms is not None:
            made.append(AlertEvent(alert, alert.resolved_ms, "cleared"))
        return made + self.events.get(alert_id, [])

    async def assign(self, alert_id: str, by: str, to: str | None, note: str | None) -> Alert:
        found = await self.inbox.get(alert_id)
        given = replace(found, status=Status.ACKNOWLEDGED, acknowledged_by=found.acknowledged_by or by, assigned_to=to)
        return self._did("assigned", replace(given, note=note or found.note), by, note)

    async def close(self, alert_id: str, by: str, note: str | None) -> Alert:
        found = await self.inbox.get(alert_id)
        filed = replace(found, status=Status.RESOLVED, closed_by=by, closed_ms=self.clock(), resolved_ms=self.clock())
        return self._did("closed", filed, by, note)

    async def note(self, alert_id: str, by: str, note: str) -> Alert:
        return self._did("noted", replace(await self.inbox.get(alert_id), note=note), by, note)

    async def do_all(self, ids: Sequence[str], deed: AlertDeed, tenant: str | None = None) -> Sequence[Alert]:
        known = [one for one in ids if one in self.inbox.alerts and tenant in (None, self.inbox.alerts[one].tenant)]
        return [await self._do(one, deed) for one in known]

    async def _do(self, one: str, deed: AlertDeed) -> Alert:
        match deed.what:
            case Doing.ACKNOWLEDGE:
                return await self.inbox.acknowledge(one, deed.by, deed.note)
            case Doing.RESOLVE:
                return await self.inbox.resolve(one, deed.by, deed.note)
            case Doing.ASSIGN:
                return await self.assign(one, deed.by, deed.to, deed.note)
            case Doing.CLOSE:
                return await self.close(one, deed.by, deed.note)
            case Doing.NOTE:
                return await self.note(one, deed.by, deed.note or "")

    def _did(self, change: str, alert: Alert, by: str, note: str | None) -> Alert:
        now = replace(alert, updated_ms=self.clock())
        self.inbox.calls.append((change, alert.id, by, note))
        self.events.setdefault(alert.id, []).append(AlertEvent(now, self.clock(), change, by, note))
        return self.inbox.put(now)

    async def sent_of(self, alert_id: str) -> Sequence[Sending]:
        return [s for s in self._sent() if s.event.alert.id == alert_id]

    def _sent(self) -> list[Sending]:
        made: list[Sending] = []
        for n, alert in enumerate(sorted(self.inbox.alerts.values(), key=lambda a: a.id)):
            event = AlertEvent(alert, alert.raised_ms, "opened")
            for k, target in enumerate(("指挥中心", "燃气抢险群")):
                made.append(self._message(event, target, waits=bool(k and n % 3), refused=n % 7 == 2))
        return made

    def _message(self, event: AlertEvent, target: str, waits: bool, refused: bool) -> Sending:
        message, at_ms = f"msg_{event.alert.id}_{target}", event.at_ms
        if waits or message in self.replayed:
            detail = "503 Service Unavailable"
            return Sending(message, target, "waiting", event, at_ms, 1, at_ms + 90_000, None, 503, detail)
        if refused:
            detail = "400 Bad Request: unknown field"
            return Sending(message, target, "refused", event, at_ms, 1, None, at_ms + 140, 400, detail)
        return Sending(message, target, "delivered", event, at_ms, 1, None, at_ms + 140, 204)

    async def sent(self, target: str | None, state: str | None, limit: int, cursor: str | None) -> Page[Sending]:
        found = [s for s in self._sent() if target in (None, s.target) and state in (None, s.state)]
        found.sort(key=lambda s: -s.created_ms)
        start = int(cursor or 0)
        end = start + limit
        return Page(found[start:end], str(end) if end < len(found) else None)

    async def sending(self, message_id: str) -> Sending:
        found = next((s for s in self._sent() if s.id == message_id), None)
        if found is None:
            raise NotFound(message_id)
        return found

    async def inspect(self, message_id: str) -> Inspection:
        found = await self.sending(message_id)
        tried = [Tried(found.created_ms + 140, found.state, found.code, found.detail)]
        headers = {"content-type": "application/json", "webhook-id": found.id, "webhook-signature": "***"}
        return Inspection(found, "citywarden", "https://dispatch.example/***", headers, BODY, tried)

    async def replay(self, message_id: str) -> Sending:
        self.replayed.append(message_id)
        return await self.sending(message_id)

    async def targets(self) -> Sequence[TargetHealth]:
        now = self.clock()
        old = TargetHealth("旧平台", "alertmanager", "https://old.example/api", "ok", 0, now - DAY_MS)
        if self.disabled:
            old = replace(old, state="disabled", waiting=12, error="410 Gone", since_ms=now - DAY_MS)
        return [
            TargetHealth("指挥中心", "citywarden", "https://dispatch.example/***", "ok", 0, now - 4000),
            TargetHealth("燃气抢险群", "wecom", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=*", "failing", 7,
                         now - 40 * MINUTE_MS, now - 20_000, "503 Service Unavailable"),
            TargetHealth("值班邮箱", "email", "smtps://mail.city.example/?from=a@b.c&to=d@e.f", "held", 3,
                         now - 3 * MINUTE_MS, now - MINUTE_MS, "SMTP 451: come back later", now + 4 * MINUTE_MS),
            old,
        ]  # fmt: skip

    async def enable(self, target: str) -> TargetHealth:
        self.disabled = False
        return next(health for health in await self.targets() if health.name == target)

    async def silences(self, everything: bool, limit: int, cursor: str | None) -> Page[SilenceNote]:
        now = self.clock()
        return Page([s for s in reversed(self.noted) if everything or s.ends_ms > now], None)

    async def silence(self, note: SilenceNote) -> SilenceNote:
        if note.ends_ms <= note.starts_ms:
            raise CitywardenError("a silence ends after it begins", "静默的结束时间必须晚于开始时间")
        made = replace(note, id=f"s{len(self.noted) + 1}", created_ms=self.clock())
        self.noted.append(made)
        if made.starts_ms <= self.clock():
            for alert in await self.fitting(made):
                self.inbox.put(replace(alert, hold="silenced", updated_ms=self.clock()))
        return made

    async def fitting(self, note: SilenceNote) -> Sequence[Alert]:
        def fits(alert: Alert) -> bool:
            parts = ("tenant", "kind", "rule", "subject", "district")
            wanted = [(getattr(alert, name), getattr(note, name)) for name in parts]
            plain = all(not patterns or any(fnmatchcase(word, p) for p in patterns) for word, patterns in wanted)
            return plain and note.severity <= alert.severity <= note.up_to

        return [alert for alert in await self.inbox.open() if fits(alert)]

    async def end_silence(self, silence_id: str, by: str) -> SilenceNote:
        at = next(i for i, s in enumerate(self.noted) if s.id == silence_id)
        self.noted[at] = replace(self.noted[at], ends_ms=self.clock(), ended_by=by)
        return self.noted[at]

    async def get_silence(self, silence_id: str) -> SilenceNote:
        return next(s for s in self.noted if s.id == silence_id)

    async def measures(self, since_ms: int, until_ms: int, tenant: str | None = None) -> Measures:
        alerts = [a for a in self.inbox.alerts.values() if since_ms <= a.raised_ms < until_ms]
        taken, ended = Lengths(len(alerts), 184.0, 911.5, 4210.0), Lengths(len(alerts), 2210.0, 9004.0, 40_200.0)
        per_day = {
            f"2026-11-{22 - n}": {rule: 3 + (n * k) % 7 for k, rule in enumerate(("gas.methane", "waterlogging.depth",
            "route.missed", "streetlight.dark", "vehicle.no_data"), 2)} for n in range(6, -1, -1)
        }  # fmt: skip
        counted = Counter(rule for day in per_day.values() for rule in day for _ in range(day[rule]))
        rules = [Share(rule, n, n % 4, taken, ended) for rule, n in counted.most_common()]
        districts = [
            Share(name, 40 - 9 * n, n, taken, ended) for n, name in enumerate(("Futian", "Nanshan", "Luohu", ""))
        ]
        ages = {"15m": 4, "1h": 3, "4h": 2, "24h": 1, "older": 0}
        total = sum(counted.values())
        if not alerts:
            nothing = Lengths(0, None, None, None)
            return Measures(0, dict.fromkeys(ages, 0), nothing, nothing, {}, [])
        return Measures(total, ages, taken, ended, per_day, counted.most_common(20), rules, districts)


def some_silences(clock: Clock) -> list[SilenceNote]:
    """One of each sort."""
    now, hour = clock(), 60 * MINUTE_MS
    return [
        SilenceNote(now - 30 * hour, now - 20 * hour, "陈志明", "莲花路管道检修", rule=("gas.*",), id="s1",
                    created_ms=now - 30 * hour, ended_by="李娜"),
        SilenceNote(now - hour, now + 3 * hour, "李娜", "滨河大道路灯改造，夜间断电", kind=("streetlight",),
                    district=("Futian",), id="s2", created_ms=now - hour),
        SilenceNote(now + 8 * hour, now + 20 * hour, "王工", "香蜜湖泵站试运行", subject=("WL-01*",), id="s3",
                    created_ms=now - 2 * hour),
    ]  # fmt: skip
