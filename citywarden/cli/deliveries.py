"""`citywarden deliveries`: what was sent to whom, what waits, and once more."""

from functools import partial
from pathlib import Path

import click

from citywarden.alerts import outbox
from citywarden.alerts.outbox import Delivery, State
from citywarden.cli.options import as_json, configured, print_facts, print_json, print_table, settings_of
from citywarden.model.wire import timestamp
from citywarden.serve.alerting import desk_of


@click.group("deliveries")
def command() -> None:
    """List, inspect and repeat messages to the targets."""


@command.command("list")
@click.option("--target", help="Only to this target.")
@click.option("--state", type=click.Choice([s.value for s in State]), help="Only in this state.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@configured
@as_json
def list_deliveries(
    target: str | None, state: str | None, limit: int, config: Path | None, data: Path | None, as_json: bool
) -> None:
    """Messages, newest first."""
    desk = desk_of(settings_of(config, data))
    chosen = State(state) if state else None
    found = desk.read(partial(outbox.find, target=target, state=chosen, limit=limit)).items
    waiting = desk.read(outbox.count_waiting)
    if as_json:
        print_json({"items": [_body(delivery) for delivery in found], "waiting": waiting})
        return
    rows = [
        (d.id, timestamp(d.created_ms), d.target, d.state, d.notice.change, d.notice.alert.rule,
         d.notice.alert.subject, d.attempts, d.detail)
        for d in found
    ]  # fmt: skip
    columns = ("id", "made", "target", "state", "change", "rule", "subject", "attempts", "detail")
    print_table(f"{sum(waiting.values())} messages wait", columns, rows)


@command.command("show")
@click.argument("message")
@configured
@as_json
def show(message: str, config: Path | None, data: Path | None, as_json: bool) -> None:
    """One message."""
    body = _body(desk_of(settings_of(config, data)).read(partial(outbox.get, delivery_id=message)))
    print_json(body) if as_json else print_facts({name: value for name, value in body.items() if value is not None})


@command.command("replay")
@click.argument("messages", nargs=-1)
@click.option("--target", help="With --state: every message to this target.")
@click.option("--state", type=click.Choice([State.REFUSED.value, State.EXPIRED.value]), help="Every message so ended.")
@configured
@as_json
def replay(
    messages: tuple[str, ...], target: str | None, state: str | None,
    config: Path | None, data: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Have messages sent once more under their old ids; a running server does so within seconds."""
    if not messages and not state:
        raise click.UsageError("name messages by id, or say --state", click.get_current_context())
    desk = desk_of(settings_of(config, data))
    chosen = list(messages)
    if state:
        ended = desk.read(partial(outbox.find, target=target, state=State(state), limit=1_000_000)).items
        chosen += [delivery.id for delivery in ended]
    for one in chosen:
        desk.write(partial(outbox.replay, delivery_id=one))
    print_json({"replayed": len(chosen)}) if as_json else click.echo(f"{len(chosen)} messages wait again")


def _body(delivery: Delivery) -> dict[str, object]:
    alert = delivery.notice.alert
    return {
        "id": delivery.id,
        "target": delivery.target,
        "state": delivery.state.value,
        "change": delivery.notice.change.value,
        "by": delivery.notice.by,
        "alert": alert.id,
        "rule": alert.rule,
        "subject": alert.subject,
        "severity": alert.severity.word,
        "created_at": timestamp(delivery.created_ms),
        "attempts": delivery.attempts,
        "next_at": None if delivery.next_ms is None else timestamp(delivery.next_ms),
        "done_at": None if delivery.done_ms is None else timestamp(delivery.done_ms),
        "code": delivery.code,
        "detail": delivery.detail,
        "digest": delivery.digest,
    }
