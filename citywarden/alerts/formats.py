"""The shapes a target may ask for: one row each, made of pure functions."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

import orjson

from citywarden.alerts import mail, robots, signature
from citywarden.alerts.guard import Guard
from citywarden.alerts.letter import Letter, Notice, Request, counts, sheet
from citywarden.alerts.target import Target
from citywarden.alerts.verdicts import Answer, Judgement, judge_http, judge_robot
from citywarden.model.alert import Status
from citywarden.model.wire import alert_body, phrase, timestamp

_NEVER = "0001-01-01T00:00:00Z"
"""How Alertmanager writes the end of an alert that has not ended."""


@dataclass(frozen=True, slots=True)
class Format:
    """`compose`: (letter, target, now_ms) -> request; `judge`: (answer, now_ms) -> what it means.

    `per_min`: messages a minute a receiver of this kind takes, None for no limit; more than that become digests.
    `carry`: hands a request over by another way than HTTP, and says what came of it.
    """

    compose: Callable[[Letter, Target, int], Request]
    judge: Callable[[Answer, int], Judgement] = judge_http
    per_min: int | None = None
    carry: Callable[[Request, Target, Guard], Awaitable[Judgement]] | None = None


def citywarden(letter: Letter, target: Target, now_ms: int) -> Request:
    """The contract's body; a digest has counts and the bodies of all its alerts, oldest first."""
    bodies = [alert_body(notice.alert, target.language) for notice in letter.notices]
    if not letter.digest:
        return _signed(orjson.dumps(bodies[0]), "application/json", letter, target, now_ms)
    by_severity, by_rule = counts(letter)
    body = {
        "version": "1",
        "type": "digest",
        "id": letter.id,
        "count": len(bodies),
        "by_severity": by_severity,
        "by_rule": by_rule,
        "alerts": bodies,
    }
    return _signed(orjson.dumps(body), "application/json", letter, target, now_ms)


def cloudevents(letter: Letter, target: Target, now_ms: int) -> Request:
    """CloudEvents 1.0, structured; a digest is a JSON batch."""
    events = [_cloud_event(notice, target) for notice in letter.notices]
    if letter.digest:
        return _signed(orjson.dumps(events), "application/cloudevents-batch+json", letter, target, now_ms)
    return _signed(orjson.dumps(events[0]), "application/cloudevents+json", letter, target, now_ms)


def alertmanager(letter: Letter, target: Target, now_ms: int) -> Request:
    """The payload of Alertmanager's webhooks, version 4. It has no word for acknowledged: that is an annotation."""
    alerts = [_alertmanager_alert(notice, target) for notice in letter.notices]
    labels = [alert["labels"] for alert in alerts]
    annotations = [alert["annotations"] for alert in alerts]
    rules = sorted({notice.alert.rule for notice in letter.notices})
    group = {"alertname": rules[0]} if len(rules) == 1 else {}
    body = {
        "version": "4",
        "groupKey": "{}:{" + ",".join(f'{name}="{value}"' for name, value in group.items()) + "}",
        "truncatedAlerts": 0,
        "status": "firing" if any(alert["status"] == "firing" for alert in alerts) else "resolved",
        "receiver": target.name,
        "groupLabels": group,
        "commonLabels": _common(labels),
        "commonAnnotations": _common(annotations),
        "externalURL": target.link,
        "alerts": alerts,
    }
    return _signed(orjson.dumps(body), "application/json", letter, target, now_ms)


def misfit(format_: str, url: str) -> str | None:
    """What is wrong about a url for a format, None when nothing is."""
    if format_ == "email":
        try:
            mail.parse_postbox(url)
        except ValueError as error:
            return str(error)
        return None
    return None if url.startswith(("http://", "https://")) else "expected an address such as https://host/path"


FORMATS: Mapping[str, Format] = {
    "citywarden": Format(citywarden),
    "alertmanager": Format(alertmanager),
    "cloudevents": Format(cloudevents),
    "wecom": Format(robots.wecom, partial(judge_robot, robots.WECOM_CODES), robots.PER_MIN),
    "dingtalk": Format(robots.dingtalk, partial(judge_robot, robots.DINGTALK_CODES), robots.PER_MIN),
    "email": Format(mail.email, per_min=mail.PER_MIN, carry=mail.carry),
    "feishu": Format(robots.feishu, partial(judge_robot, robots.FEISHU_CODES), robots.PER_MIN),
}


def _signed(body: bytes, content_type: str, letter: Letter, target: Target, now_ms: int) -> Request:
    headers = signature.headers(target.key, letter.id, now_ms // 1000, body)
    return Request(body, {"content-type": content_type} | headers)


def _cloud_event(notice: Notice, target: Target) -> dict[str, object]:
    alert = notice.alert
    return {
        "specversion": "1.0",
        "id": notice.id,
        "source": f"/citywarden/{alert.tenant}/{alert.kind}",
        "type": f"citywarden.alert.{alert.status.value}",
        "subject": alert.subject,
        "time": timestamp(alert.updated_ms),
        "datacontenttype": "application/json",
        "data": alert_body(alert, target.language),
    }


def _alertmanager_alert(notice: Notice, target: Target) -> dict[str, object]:
    alert = notice.alert
    labels = {
        "alertname": alert.rule,
        "severity": alert.severity.word,
        "tenant": alert.tenant,
        "kind": alert.kind,
        "instance": alert.subject,
        "district": alert.district,
    }
    annotations = {
        "summary": phrase(alert.summary, target.language),
        "runbook_url": alert.runbook or "",
        "acknowledged_by": alert.acknowledged_by or "",
        "note": alert.note or "",
        "value": "" if alert.value is None else f"{alert.value:g} {alert.unit}".rstrip(),
    }
    ended = alert.status is Status.RESOLVED and alert.resolved_ms is not None
    return {
        "status": "resolved" if ended else "firing",
        "labels": {name: value for name, value in labels.items() if value},
        "annotations": {name: value for name, value in annotations.items() if value},
        "startsAt": timestamp(alert.raised_ms),
        "endsAt": timestamp(alert.resolved_ms) if ended and alert.resolved_ms is not None else _NEVER,
        "generatorURL": sheet(alert, target),
        # Of the alert, not of its labels: receivers recognise it by this, and its severity may change.
        "fingerprint": hashlib.blake2b(alert.id.encode(), digest_size=8).hexdigest(),
    }


def _common(maps: list[object]) -> dict[str, str]:
    """What all of the mappings say alike."""
    first = maps[0]
    assert isinstance(first, dict)
    return {k: v for k, v in first.items() if all(isinstance(m, dict) and m.get(k) == v for m in maps)}
