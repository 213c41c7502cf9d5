"""`citywarden deadletters`: what was refused and why, and back into the log when its cause is mended."""

import asyncio
import base64
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from citywarden.cli.options import as_json, configured, print_json, print_table, settings_of
from citywarden.log.sqlite import SqliteLog
from citywarden.model.message import DeadLetter, RawMessage, Reject
from citywarden.sections import Settings
from citywarden.serve.recording import recorded_there
from citywarden.serve.tables import open_database
from ingest.deadletters import DeadLetters

REASON = click.option("--reason", type=click.Choice([str(r) for r in Reject]), help="Only letters with this reason.")
LIMIT = click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="At most so many.")


@click.group("deadletters")
def command() -> None:
    """List and replay refused messages."""


@command.command("list")
@REASON
@LIMIT
@configured
@as_json
def list_letters(reason: str | None, limit: int, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Newest first, with the reason and the message."""
    letters = _open(settings_of(config, data))
    found = letters.find(reason, limit)
    if as_json:
        print_json({"items": [_body(number, letter) for number, letter in found], "counts": letters.counts()})
        return
    rows = [
        (number, _time(letter.received_ms), letter.reason, letter.topic, letter.detail, _text(letter.payload)[:60])
        for number, letter in found
    ]
    total = sum(letters.counts().values())
    print_table(f"{total} dead letters", ("id", "received", "reason", "topic", "detail", "payload"), rows)


@command.command("replay")
@click.argument("ids", type=int, nargs=-1)
@REASON
@click.option("--all", "everything", is_flag=True, help="Every letter that waits.")
@configured
@as_json
def replay(
    ids: tuple[int, ...], reason: str | None, everything: bool, config: Path | None, data: Path | None, as_json: bool
) -> None:
    """Put refused messages into the log again, by id, by --reason, or --all; a running server takes them at once."""
    if not ids and not reason and not everything:
        raise click.UsageError("name letters by id, by --reason, or say --all", click.get_current_context())
    settings = settings_of(config, data)
    letters = _open(settings)
    chosen = list(ids) or [number for number, _ in letters.find(reason, 1_000_000)]
    messages = letters.messages(chosen)
    with recorded_there(settings, "deadletter.replay", f"{len(messages)} messages", " ".join(map(str, chosen))):
        asyncio.run(_append(settings, messages))
        letters.mark_replayed(chosen, int(time.time() * 1000))
    print_json({"replayed": len(messages)}) if as_json else click.echo(f"{len(messages)} messages are in the log again")


async def _append(settings: Settings, messages: Sequence[RawMessage]) -> None:
    log = await SqliteLog.open(settings.log_path)
    try:
        for start in range(0, len(messages), 1000):
            await log.append(messages[start : start + 1000])
    finally:
        await log.close()


def _open(settings: Settings) -> DeadLetters:
    return DeadLetters(open_database(settings.database_url), settings.limits.dead_letters)


def _body(number: int, letter: DeadLetter) -> dict[str, object]:
    return {
        "id": number,
        "received_at": _time(letter.received_ms),
        "reason": str(letter.reason),
        "topic": letter.topic,
        "item": letter.item if letter.item >= 0 else None,
        "detail": letter.detail,
        "payload_base64": base64.b64encode(letter.payload).decode("ascii"),
    }


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(payload: bytes) -> str:
    return payload.decode("utf-8", "backslashreplace").replace("\n", " ")
