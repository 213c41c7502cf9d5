"""`citywarden deliveries`: what was sent to whom, what waits, and once more."""

import time
from functools import partial
from pathlib import Path

import click

from citywarden.alerts import outbox, standing
from citywarden.alerts.outbox import Delivery, State, TargetState
from citywarden.cli.options import as_json, configured, print_facts, print_json, print_table, said, settings_of
from citywarden.model.errors import NotFound
from citywarden.model.wire import timestamp
from citywarden.serve.alerting import desk_of, routing_of
from citywarden.serve.recording import recorded


@click.group("deliveries")
def command() -> None:
    """List, inspect and repeat messages to the targets; see how the targets do."""


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
        with recorded(desk.engine, "delivery.replay", one):
            desk.write(partial(outbox.replay, delivery_id=one))
    print_json({"replayed": len(chosen)}) if as_json else click.echo(f"{len(chosen)} messages wait again")


@command.command("targets")
@configured
@as_json
def targets(config: Path | None, data: Path | None, as_json: bool) -> None:
    """How the targets do: what waits, what was taken last, what was wrong last."""
    settings = settings_of(config, data)
    now_ms = time.time_ns() // 1_000_000
    accounts = desk_of(settings).read(standing.read_accounts)
    found = standing.standings(routing_of(settings).routes.targets, accounts, {}, now_ms)
    rows = [{
        "name": h.name, "format": h.format, "address": h.address, "state": h.state, "waiting": h.waiting,
        "ok_at": _moment(h.ok_ms), "error_at": _moment(h.error_ms), "error": h.error, "since": _moment(h.since_ms),
    } for h in found]  # fmt: skip
    if as_json:
        print_json({"items": rows})
    else:
        columns = ("name", "format", "state", "since", "waiting", "ok_at", "error_at", "error")
        print_table(said(len(rows), "target"), columns, [tuple(row[name] for name in columns) for row in rows])


@command.command("enable")
@click.argument("target")
@configured
@as_json
def enable(target: str, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Use a target again that had answered 410, that it wants no more; a running server does so within seconds."""
    settings = settings_of(config, data)
    names = [one.name for one in routing_of(settings).routes.targets]
    if target not in names:
        raise NotFound(f"no target {target!r}, there are: {', '.join(names) or 'none'}")
    desk = desk_of(settings)
    before = desk.read(outbox.read_states).get(target, TargetState())
    with recorded(desk.engine, "target.enable", target):
        desk.write(partial(outbox.write_state, target=target, state=TargetState()))
    was = before.disabled_ms is not None
    print_json({"target": target, "was_disabled": was}) if as_json else click.echo(
        f"{target} is in use{' again' if was else ', it was not disabled'}"
    )


def _moment(ms: int | None) -> str | None:
    return None if ms is None else timestamp(ms)


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
