"""`citywarden alerts`: what is open, what happened, and what people do about it, at the command line.

It works on the database; a running server takes it in within a second.
"""

import getpass
import time
from collections.abc import Sequence
from pathlib import Path

import click

from citywarden.alerts import archive, outbox
from citywarden.alerts.desk import BATCH, Desk
from citywarden.alerts.machine import Change
from citywarden.alerts.records import Event
from citywarden.cli.alertfiles import check, test
from citywarden.cli.alertmeasures import show_measures
from citywarden.cli.options import as_json, configured, print_facts, print_json, print_table, said, settings_of
from citywarden.cli.silences import list_silences, silence, unsilence
from citywarden.model.alert import Alert, AlertQuery, Severity, Status
from citywarden.model.dispatch import AlertDeed, Doing
from citywarden.model.errors import NotFound
from citywarden.model.wire import alert_body, phrase, timestamp
from citywarden.sections import Settings
from citywarden.serve.alerting import desk_of
from citywarden.serve.recording import recorded
from dashboards.recording import together

ID = click.argument("alert")
IDS = click.argument("alerts", nargs=-1, required=True, metavar="ID...")
NOTE = click.option("--note", help="What there is to say.")
BY = click.option("--by", default=getpass.getuser, show_default="your user name", help="Who does it.")
WORDS = [severity.word for severity in Severity]
TOLD = [status.value for status in Status if status is not Status.PENDING]

RECORDED = {"ack": "acknowledge"}
"""What the record calls a command, where it calls it otherwise."""


@click.group("alerts")
def command() -> None:
    """List alerts, take them on, silence them."""


for _command in (silence, list_silences, unsilence, show_measures, check, test):
    command.add_command(_command)


@command.command("list")
@click.option("--status", type=click.Choice(["open", *TOLD]), default="open", show_default=True)
@click.option("--rule", help="Only of this rule.")
@click.option("--severity", type=click.Choice(WORDS), help="Only as severe as this.")
@click.option("--tenant", help="Only of this tenant.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@configured
@as_json
def list_alerts(
    status: str, limit: int, config: Path | None, data: Path | None, as_json: bool, **words: str | None
) -> None:
    """Alerts, open ones most severe first, others newest first."""
    settings = settings_of(config, data)
    desk = desk_of(settings)
    rule, severity, tenant = words["rule"], words["severity"], words["tenant"]
    level = None if severity is None else Severity[severity.upper()]
    if status == "open":
        fits = (a for a in desk.open() if rule in (None, a.rule) and level in (None, a.severity))
        found = [a for a in fits if tenant in (None, a.tenant)][:limit]
    else:
        found = list(desk.find(AlertQuery(Status(status), rule, level, None, tenant, limit)).items)
    if as_json:
        print_json({"items": [_body(alert, settings) for alert in found]})
        return
    rows = [
        (a.id[:12], a.severity.word, a.status, a.hold, a.rule, a.subject, timestamp(a.raised_ms), a.assigned_to,
         phrase(a.summary, settings.language))
        for a in found
    ]  # fmt: skip
    columns = ("id", "severity", "status", "held", "rule", "subject", "raised", "assigned", "summary")
    print_table(said(len(found), "alert"), columns, rows)


@command.command("show")
@ID
@configured
@as_json
def show(alert: str, config: Path | None, data: Path | None, as_json: bool) -> None:
    """One alert, everything that happened to it, and what was sent to whom."""
    settings = settings_of(config, data)
    desk = desk_of(settings)
    found = desk.get(_whole(desk, alert))
    events = desk.history(found.id)
    sent = desk.read(lambda connection: outbox.of_alert(connection, found.id))
    if as_json:
        told = [{"at": timestamp(e.at_ms), "change": e.change, "by": e.by, "to": _to(e), "note": e.note,
                 "hold": e.alert.hold} for e in events]  # fmt: skip
        messages = [{"id": d.id, "at": timestamp(d.created_ms), "target": d.target, "state": d.state,
                     "change": d.notice.change} for d in sent]  # fmt: skip
        print_json({**_body(found, settings), "history": told, "deliveries": messages})
        return
    print_facts({name: value for name, value in _body(found, settings).items() if value not in (None, "")})
    rows = [(timestamp(e.at_ms), e.change, e.alert.severity.word, e.by, _to(e), e.note, e.alert.hold) for e in events]
    print_table("history", ("at", "change", "severity", "by", "to", "note", "held"), rows)
    messages_ = [
        (d.id, timestamp(d.created_ms), d.target, d.notice.change, d.state, d.attempts, d.detail) for d in sent
    ]
    print_table("deliveries", ("id", "at", "target", "change", "state", "attempts", "detail"), messages_)


def _to(event: Event) -> str | None:
    """To whom an alert was given."""
    return event.alert.assigned_to if event.change is Change.ASSIGNED else None


def _deed(name: str, does: str) -> None:
    @command.command(name, help=does)
    @IDS
    @BY
    @NOTE
    @configured
    @as_json
    def act(
        alerts: tuple[str, ...], by: str, note: str | None, config: Path | None, data: Path | None, as_json: bool
    ) -> None:
        settings = settings_of(config, data)
        desk = desk_of(settings)
        _do_all(desk, settings, alerts, AlertDeed(Doing(RECORDED.get(name, name)), by, note), as_json)


_deed("ack", "Take alerts on: nobody is reminded of them any more.")
_deed("acknowledge", "The same as `ack`.")
_deed("resolve", "End alerts by hand.")
_deed("close", "File alerts; those that are open are ended by hand.")


def _do_all(desk: Desk, settings: Settings, beginnings: Sequence[str], deed: AlertDeed, as_json: bool) -> None:
    """The same to all of these, or, when one of them is not known, to none."""
    ids = list(dict.fromkeys(_whole(desk, one) for one in beginnings))
    done: list[Alert] = []
    with recorded(desk.engine, f"alert.{deed.what}", *together(ids), detail=_said(deed.by, deed.note)) as intent:
        for first in range(0, len(ids), BATCH):
            done += desk.do_all(ids[first : first + BATCH], deed, _now_ms())
        intent.subjects = together([alert.id for alert in done])
    if as_json and len(beginnings) > 1:
        print_json({"items": [_body(alert, settings) for alert in done]})
        return
    for alert in done:
        _say(alert, settings, as_json)


@command.command("note")
@ID
@click.argument("text")
@BY
@configured
@as_json
def note(alert: str, text: str, by: str, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Say something about an alert, open or not, without changing what it is."""
    settings = settings_of(config, data)
    desk = desk_of(settings)
    whole = _whole(desk, alert)
    with recorded(desk.engine, "alert.note", whole, detail=_said(by, text)):
        noted = desk.remark(whole, by, text, _now_ms())
    _say(noted, settings, as_json)


@command.command("assign")
@ID
@click.argument("to")
@BY
@NOTE
@configured
@as_json
def assign(
    alert: str, to: str, by: str, note: str | None, config: Path | None, data: Path | None, as_json: bool
) -> None:
    """Give an alert to somebody, `-` for nobody; it counts as acknowledged."""
    settings = settings_of(config, data)
    desk = desk_of(settings)
    whole = _whole(desk, alert)
    with recorded(desk.engine, "alert.assign", whole, detail=_said(by, f"to {to}")):
        given = desk.assign(whole, by, None if to == "-" else to, note, _now_ms())
    _say(given, settings, as_json)


def _said(by: str, note: str | None) -> str:
    """In whose name it was done, and what was said: for the record, which knows who sits at the command line."""
    return f"by {by}" if note is None else f"by {by}: {note}"


def _whole(desk: Desk, beginning: str) -> str:
    """The id that begins so. Raises NotFound."""
    found = desk.read(lambda connection: archive.find_beginning(connection, beginning))
    if len(found) != 1:
        raise NotFound(f"no alert {beginning!r}" if not found else f"{beginning!r} is the beginning of several alerts")
    return found[0]


def _say(alert: Alert, settings: Settings, as_json: bool) -> None:
    if as_json:
        print_json(_body(alert, settings))
    else:
        click.echo(f"{alert.id} {alert.rule} {alert.subject}: {alert.status}")


def _body(alert: Alert, settings: Settings) -> dict[str, object]:
    more = {
        "acknowledged_by": alert.acknowledged_by, "assigned_to": alert.assigned_to, "note": alert.note,
        "hold": alert.hold, "closed_by": alert.closed_by,
        "closed_at": None if alert.closed_ms is None else timestamp(alert.closed_ms),
    }  # fmt: skip
    return alert_body(alert, settings.language) | more


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
