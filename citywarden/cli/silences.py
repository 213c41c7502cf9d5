"""`citywarden alerts silence|silences|unsilence`: for a while nobody is told."""

import getpass
import re
import time
from pathlib import Path

import click

from citywarden.alerts import silences
from citywarden.alerts.matching import Matcher
from citywarden.alerts.silences import Silence
from citywarden.cli.options import as_json, configured, print_json, print_table, said, settings_of
from citywarden.model.alert import Severity
from citywarden.model.errors import NotFound
from citywarden.model.wire import timestamp
from citywarden.serve.alerting import desk_of
from citywarden.serve.recording import recorded

BY = click.option("--by", default=getpass.getuser, show_default="your user name", help="Who does it.")
WORDS = [severity.word for severity in Severity]
DAY_MS = 86_400_000


def _span(ctx: click.Context, _param: click.Parameter, value: str | None) -> int:
    """Ms of `30m`, `4h` or `2d`; none of nothing."""
    if value is None:
        return 0
    found = re.fullmatch(r"(\d{1,5})([smhd])", value)
    if found is None or not int(found[1]):
        raise click.BadParameter(f"{value!r} is no duration, expected such as 30m, 4h or 2d", ctx)
    return int(found[1]) * {"s": 1000, "m": 60_000, "h": 3_600_000, "d": DAY_MS}[found[2]]


@click.command("silence")
@click.option("--for", "span", callback=_span, required=True, help="How long, such as 30m, 4h or 2d.")
@click.option("--why", required=True, help="What people who wonder should read.")
@click.option("--in", "delay", callback=_span, help="Begin after so long; default: now.")
@click.option("--tenant", multiple=True)
@click.option("--kind", multiple=True)
@click.option("--rule", multiple=True)
@click.option("--subject", multiple=True)
@click.option("--district", multiple=True)
@click.option("--severity", type=click.Choice(WORDS), default="info", help="Only alerts at least so severe.")
@click.option("--up-to", type=click.Choice(WORDS), default="critical", help="Only alerts at most so severe.")
@BY
@configured
@as_json
def silence(
    span: int, why: str, delay: int, by: str, config: Path | None, data: Path | None, as_json: bool,
    **parts: tuple[str, ...] | str,
) -> None:  # fmt: skip
    """Tell nobody of alerts that fit, for a while. Patterns may have * and ?, several of one kind mean any of them."""
    least, most = (Severity[str(parts.pop(name)).upper()] for name in ("severity", "up_to"))
    if not any(parts.values()):
        raise click.UsageError("say what is silenced: --subject, --rule, ...", click.get_current_context())
    settings = settings_of(config, data)
    now_ms = _now_ms()
    names = ("tenant", "kind", "rule", "subject", "district")
    tenant, kind, rule, subject, district = (tuple(parts[name]) for name in names)
    matcher = Matcher(tenant, kind, rule, subject, district, least, most)
    made = Silence(now_ms + delay, now_ms + delay + span, by, why, matcher, now_ms)
    desk = desk_of(settings)
    with recorded(desk.engine, "silence.begin", made.id, detail=f"by {by}: {why}"):
        changed = desk.silence(made, now_ms)
    if as_json:
        print_json(_silence(made))
    else:
        click.echo(f"{made.id} until {timestamp(made.ends_ms)}; {len(changed)} open alerts changed")


@click.command("silences")
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
    print_table(said(len(found), "silence"), ("id", "from", "until", "by", "why", "fits", "ended by"), rows)


@click.command("unsilence")
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
    with recorded(desk.engine, "silence.end", ids[0], detail=f"by {by}"):
        changed = desk.end_silence(ids[0], by, _now_ms())
    click.echo(f"{ids[0]} ended; {len(changed)} open alerts changed")


def _silence(silence: Silence) -> dict[str, object]:
    m = silence.matcher
    return {
        "id": silence.id, "starts_at": timestamp(silence.starts_ms), "ends_at": timestamp(silence.ends_ms),
        "by": silence.by, "why": silence.why, "ended_by": silence.ended_by, "tenant": m.tenant, "kind": m.kind,
        "rule": m.rule, "subject": m.subject, "district": m.district, "severity": m.severity.word,
        "up_to": m.up_to.word,
    }  # fmt: skip


def _words(matcher: Matcher) -> str:
    parts = {"tenant": matcher.tenant, "kind": matcher.kind, "rule": matcher.rule,
             "subject": matcher.subject, "district": matcher.district}  # fmt: skip
    levels = matcher.severity is not Severity.INFO, matcher.up_to is not Severity.CRITICAL
    said = [f"{name}={'|'.join(patterns)}" for name, patterns in parts.items() if patterns]
    said += [f"severity>={matcher.severity.word}"] * levels[0] + [f"severity<={matcher.up_to.word}"] * levels[1]
    return " ".join(said)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
