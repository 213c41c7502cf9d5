"""What is put into one HTTP request, and the words people read in it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote

from citywarden.alerts.machine import Change
from citywarden.alerts.target import Target
from citywarden.model.alert import Alert, Severity, Status
from citywarden.model.wire import phrase


@dataclass(frozen=True, slots=True)
class Notice:
    """An alert as it was when `change` happened to it; `by`: who did it, None for the server."""

    id: str
    alert: Alert
    change: Change
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """One message: a notice, or several of them as a digest. `id` is the same at every attempt."""

    id: str
    notices: tuple[Notice, ...]
    digest: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """What is posted. `query` is added to the target's url."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)


_SEVERITY = {
    "zh-CN": {1: "提示", 2: "一般", 3: "重要", 4: "紧急"},
    "en": {1: "Info", 2: "Minor", 3: "Major", 4: "Critical"},
}
_STATUS = {
    "zh-CN": {Status.FIRING: "告警", Status.ACKNOWLEDGED: "已受理", Status.RESOLVED: "已恢复"},
    "en": {Status.FIRING: "alert", Status.ACKNOWLEDGED: "acknowledged", Status.RESOLVED: "resolved"},
}
_WORDS = {
    "zh-CN": {
        "rule": "规则",
        "where": "位置",
        "when": "时间",
        "by": "人员",
        "note": "备注",
        "more": "其余 {n} 条见控制台",
        "digest": "{n} 条告警消息",
    },
    "en": {
        "rule": "Rule",
        "where": "Place",
        "when": "Time",
        "by": "By",
        "note": "Note",
        "more": "{n} more: see the console",
        "digest": "{n} alert messages",
    },
}

TOP_ITEMS = 10
"""How many alerts a digest for people names one by one."""


def _language(target: Target) -> str:
    return target.language if target.language in _WORDS else "en"


def title(notice: Notice, target: Target) -> str:
    """One line that says how bad, what and where."""
    language, alert = _language(target), notice.alert
    return f"[{_SEVERITY[language][alert.severity]}] {alert.subject} {_STATUS[language].get(alert.status, '')}".rstrip()


def lines(notice: Notice, target: Target) -> list[str]:
    """A notice as text for people, title first."""
    words, alert = _WORDS[_language(target)], notice.alert
    moment_ms = alert.updated_ms if alert.resolved_ms is None else alert.resolved_ms
    moment_ms = alert.raised_ms if alert.status is Status.FIRING else moment_ms
    place = [alert.district] if alert.district else []
    if alert.lat is not None and alert.lon is not None:
        place.append(f"{alert.lat:.6f}, {alert.lon:.6f}")
    said = [title(notice, target), phrase(alert.summary, target.language)]
    said.append(f"{words['rule']}: {alert.rule}")
    said.append(f"{words['when']}: {datetime.fromtimestamp(moment_ms / 1000, target.zone):%Y-%m-%d %H:%M:%S}")
    if place:
        said.append(f"{words['where']}: {' '.join(place)}")
    if notice.by:
        said.append(f"{words['by']}: {notice.by}")
    if alert.note:
        said.append(f"{words['note']}: {alert.note}")
    said += [link for link in (alert.runbook, sheet(alert, target)) if link]
    return [line for line in said if line]


def digest_title(letter: Letter, target: Target) -> str:
    return _WORDS[_language(target)]["digest"].format(n=len(letter.notices))


def digest_lines(letter: Letter, target: Target, top: int = TOP_ITEMS) -> list[str]:
    """A digest as text for people: how many, by severity and rule, the `top` most severe ones, and the link."""
    language = _language(target)
    severities = Counter(notice.alert.severity for notice in letter.notices)
    rules = Counter(notice.alert.rule for notice in letter.notices).most_common(5)
    said = [
        digest_title(letter, target),
        ", ".join(f"{_SEVERITY[language][s]} {n}" for s, n in sorted(severities.items(), reverse=True)),
        ", ".join(f"{rule} {n}" for rule, n in rules),
    ]
    for notice in foremost(letter.notices)[:top]:
        said.append(f"- {_item(notice, target)}")
    if (more := len(letter.notices) - top) > 0:
        said.append(_WORDS[language]["more"].format(n=more))
    if target.link:
        said.append(f"{target.link.rstrip('/')}/alerts")
    return said


def _item(notice: Notice, target: Target) -> str:
    """A notice in one line; its subject stands there once, where the summary names it too."""
    text = phrase(notice.alert.summary, target.language)
    if notice.alert.status is Status.FIRING and notice.alert.subject in text:
        return f"[{_SEVERITY[_language(target)][notice.alert.severity]}] {text}"
    return f"{title(notice, target)} {text}".rstrip()


def sheet(alert: Alert, target: Target) -> str:
    """The address of the alert's page in the console; empty where the target names no console."""
    return f"{target.link.rstrip('/')}/alerts/{quote(alert.id, safe='')}" if target.link else ""


def foremost(notices: Sequence[Notice]) -> list[Notice]:
    """Firing before the rest, most severe first, otherwise in order."""
    return sorted(notices, key=lambda n: (n.alert.status is not Status.FIRING, -n.alert.severity))


def counts(letter: Letter) -> tuple[dict[str, int], dict[str, int]]:
    """How many notices by severity and by rule."""
    severities = Counter(notice.alert.severity for notice in letter.notices)
    rules = Counter(notice.alert.rule for notice in letter.notices)
    return {s.word: severities[s] for s in sorted(Severity, reverse=True) if severities[s]}, dict(rules.most_common())


def clip(said: Sequence[str], limit_bytes: int) -> str:
    """The lines as one text of at most `limit_bytes` of UTF-8, cut at a character and marked where it had to be."""
    text = "\n".join(said)
    if len(raw := text.encode()) <= limit_bytes:
        return text
    return raw[: limit_bytes - len("…".encode())].decode(errors="ignore") + "…"
