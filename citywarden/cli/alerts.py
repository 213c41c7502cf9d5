"""`citywarden alerts`: what is open, what happened, and what people do about it, at the command line.

It works on the database; a running server takes it in within a second.
"""

import getpass
import re
import time
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

import click

from citywarden.alerts import archive, measures, outbox, silences
from citywarden.alerts.desk import Desk
from citywarden.alerts.matching import Matcher
from citywarden.alerts.routefile import parse_routes
from citywarden.alerts.silences import Silence
from citywarden.cli.options import as_json, configured, print_facts, print_json, print_table, settings_of
from citywarden.model.alert import Alert, AlertQuery, Severity, Status
from citywarden.model.errors import ConfigurationError, NotFound, Problem
from citywarden.model.wire import alert_body, phrase, timestamp
from citywarden.sections import Settings
from citywarden.serve.alerting import desk_of
from citywarden.serve.rehearsal import rehearse
from ingest.kinds import all_kinds

ID = click.argument("alert")
NOTE = click.option("--note", help="What there is to say.")
BY = click.option("--by", default=getpass.getuser, show_default="your user name", help="Who does it.")
DAY_MS = 86_400_000
WORDS = [severity.word for severity in Severity]
TOLD = [status.value for status in Status if status is not Status.PENDING]


def _span(ctx: click.Context, _param: click.Parameter, value: str | None) -> int:
    """Ms of `30m`, `4h` or `2d`; none of nothing."""
    if value is None:
        return 0
    found = re.fullmatch(r"(\d{1,5})([smhd])", value)
    if found is None or not int(found[1]):
        raise click.BadParameter(f"{value!r} is no duration, expected such as 30m, 4h or 2d", ctx)
    return int(found[1]) * {"s": 1000, "m": 60_000, "h": 3_600_000, "d": DAY_MS}[found[2]]


@click.group("alerts")
def command() -> None:
    """List alerts, take them on, silence them."""


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
    print_table(f"{len(found)} alerts", columns, rows)


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
        told = [{"at": timestamp(e.at_ms), "change": e.change, "by": e.by, "note": e.note, "hold": e.alert.hold}
                for e in events]  # fmt: skip
        messages = [{"id": d.id, "target": d.target, "state": d.state, "change": d.notice.change} for d in sent]
        print_json({**_body(found, settings), "history": told, "deliveries": messages})
        return
    print_facts({name: value for name, value in _body(found, settings).items() if value not in (None, "")})
    rows = [(timestamp(e.at_ms), e.change, e.alert.severity.word, e.by, e.note, e.alert.hold) for e in events]
    print_table("history", ("at", "change", "severity", "by", "note", "held"), rows)
    messages_ = [(d.id, d.target, d.notice.change, d.state, d.attempts, d.detail) for d in sent]
    print_table("deliveries", ("id", "target", "change", "state", "attempts", "detail"), messages_)


def _deed(name: str, does: str) -> None:
    @command.command(name, help=does)
    @ID
    @BY
    @NOTE
    @configured
    @as_json
    def act(alert: str, by: str, note: str | None, config: Path | None, data: Path | None, as_json: bool) -> None:
        settings = settings_of(config, data)
        desk = desk_of(settings)
        move = {"ack": desk.acknowledge, "resolve": desk.resolve, "close": desk.close}[name]
        _say(move(_whole(desk, alert), by, note, _now_ms()), settings, as_json)


_deed("ack", "Take an alert on: nobody is reminded of it any more.")
_deed("resolve", "End an alert by hand.")
_deed("close", "File an alert; one that is open is ended by hand.")


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
    given = desk.assign(_whole(desk, alert), by, None if to == "-" else to, note, _now_ms())
    _say(given, settings, as_json)


@command.command("silence")
@click.option("--for", "span", callback=_span, required=True, help="How long, such as 30m, 4h or 2d.")
@click.option("--why", required=True, help="What people who wonder should read.")
@click.option("--in", "delay", callback=_span, help="Begin after so long; default: now.")
@click.option("--tenant", multiple=True)
@click.option("--kind", multiple=True)
@click.option("--rule", multiple=True)
@click.option("--subject", multiple=True)
@click.option("--district", multiple=True)
@BY
@configured
@as_json
def silence(
    span: int, why: str, delay: int, by: str, config: Path | None, data: Path | None, as_json: bool,
    **parts: tuple[str, ...],
) -> None:  # fmt: skip
    """Tell nobody of alerts that fit, for a while. Patterns may have * and ?, several of one kind mean any of them."""
    if not any(parts.values()):
        raise click.UsageError("say what is silenced: --subject, --rule, ...", click.get_current_context())
    settings = settings_of(config, data)
    now_ms = _now_ms()
    made = Silence(now_ms + delay, now_ms + delay + span, by, why, Matcher(**parts), now_ms)  # type: ignore[arg-type]
    changed = desk_of(settings).silence(made, now_ms)
    if as_json:
        print_json(_silence(made))
    else:
        click.echo(f"{made.id} until {timestamp(made.ends_ms)}; {len(changed)} open alerts changed")


@command.command("silences")
@click.option("--ended", is_flag=True, help="Those that are over, too.")
@configured
@as_json
def list_silences(ended: bool, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Silences, newest first."""
    desk = desk_of(settings_of(config, data))
    after_ms = None if ended else _now_ms()
    found = desk.read(lambda connection: silences.find(connection, after_ms, 10_000)).items
    if as_json:
        print_json({"items": [_silence(one) for one in found]})
        return
    rows = [
        (s.id[:12], timestamp(s.starts_ms), timestamp(s.ends_ms), s.by, s.why, _words(s.matcher), s.ended_by)
        for s in found
    ]
    print_table(f"{len(found)} silences", ("id", "from", "until", "by", "why", "fits", "ended by"), rows)


@command.command("unsilence")
@click.argument("silence")
@BY
@configured
def unsilence(silence: str, by: str, config: Path | None, data: Path | None) -> None:
    """Cut a silence short: what still fires is told."""
    desk = desk_of(settings_of(config, data))
    found = desk.read(lambda connection: silences.find(connection, None, 10_000)).items
    ids = [one.id for one in found if one.id.startswith(silence)]
    if len(ids) != 1:
        raise NotFound(f"no silence {silence!r}" if not ids else f"{silence!r} is the beginning of several silences")
    changed = desk.end_silence(ids[0], by, _now_ms())
    click.echo(f"{ids[0]} ended; {len(changed)} open alerts changed")


@command.command("measures")
@click.option("--days", type=click.IntRange(1, 366), default=7, show_default=True)
@configured
@as_json
def show_measures(days: int, config: Path | None, data: Path | None, as_json: bool) -> None:
    """How alerts of the last days were worked off, and which rules are noisy."""
    settings = settings_of(config, data)
    now_ms = _now_ms()
    handled = desk_of(settings).read(lambda c: measures.read_handled(c, now_ms - days * DAY_MS, now_ms + DAY_MS))
    found = measures.measure(handled, now_ms, settings.zone)
    if as_json:
        print_json(asdict(found))
        return
    lengths = {"to acknowledge": found.to_acknowledge, "to resolve": found.to_resolve}
    print_facts({"raised": found.raised} | {f"open, {age}": n for age, n in found.open_by_age.items()})
    rows = [(name, one.count, one.median_s, one.p90_s, one.longest_s) for name, one in lengths.items()]
    print_table("time, s", ("", "alerts", "median", "90 %", "longest"), rows)
    print_table("noisiest rules", ("rule", "raised"), found.noisiest)


@command.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@configured
def check(file: Path, config: Path | None, data: Path | None) -> None:
    """Validate a routing file; every error at once as FILE:LINE: key: what is wrong, what was expected."""
    settings = settings_of(config, data)
    try:
        routing = parse_routes(_read(file), str(file), settings.zone, settings.language)
    except ConfigurationError as error:
        _complain(error)
    routes = "every alert to every target" if routing.routes.routes is None else f"{len(routing.routes.routes)} routes"
    click.echo(f"{file}: {len(routing.routes.targets)} targets, {routes}: ok")


@command.command("test")
@click.argument("file", type=click.Path(path_type=Path))
@configured
@as_json
def test(file: Path, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Play the scenarios of a file; prints the steps that differ, and ends with 1 when one does."""
    settings = settings_of(config, data)
    try:
        outcomes = rehearse(_read(file), str(file), all_kinds(), settings.zone)
    except ConfigurationError as error:
        _complain(error)
    failed = [outcome for outcome in outcomes if outcome.differences]
    if as_json:
        cases = [{"name": o.name, "passed": not o.differences, "differences": list(map(asdict, o.differences))}
                 for o in outcomes]  # fmt: skip
        print_json({"passed": len(outcomes) - len(failed), "failed": len(failed), "scenarios": cases})
    else:
        for outcome in failed:
            for d in outcome.differences:
                click.echo(f"{file}:{d.line}: {outcome.name}: {d.what} at {d.at_ms / 1000:g} s")
                click.echo(f"  expected  {'; '.join(d.expected) or 'nothing'}")
                click.echo(f"  got       {'; '.join(d.got) or 'nothing'}")
        click.echo(f"{file}: {len(outcomes) - len(failed)} of {len(outcomes)} scenarios passed")
    if failed:
        raise click.exceptions.Exit(1)


def _complain(error: ConfigurationError) -> NoReturn:
    for problem in error.problems:
        click.echo(str(problem), err=True)
    raise click.exceptions.Exit(1) from None


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except OSError as error:
        raise ConfigurationError([Problem(str(file), None, "", error.strerror or "cannot be read")]) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError([Problem(str(file), None, "", f"is not UTF-8: {error.reason}")]) from None


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


def _silence(silence: Silence) -> dict[str, object]:
    m = silence.matcher
    return {
        "id": silence.id, "starts_at": timestamp(silence.starts_ms), "ends_at": timestamp(silence.ends_ms),
        "by": silence.by, "why": silence.why, "ended_by": silence.ended_by, "tenant": m.tenant, "kind": m.kind,
        "rule": m.rule, "subject": m.subject, "district": m.district,
    }  # fmt: skip


def _words(matcher: Matcher) -> str:
    parts = {"tenant": matcher.tenant, "kind": matcher.kind, "rule": matcher.rule,
             "subject": matcher.subject, "district": matcher.district}  # fmt: skip
    return " ".join(f"{name}={'|'.join(patterns)}" for name, patterns in parts.items() if patterns)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
