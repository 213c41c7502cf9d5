"""`citywarden audit`: the record of changes."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import click

from citywarden.access.desk import Desk
from citywarden.cli.options import as_json, configured, print_json, print_table, said, settings_of
from citywarden.model.access import AuditEntry, AuditQuery, Head
from citywarden.model.wire import timestamp
from citywarden.sections import Settings
from citywarden.serve.reception import access_desk
from dashboards.api.questions import parse_moment
from dashboards.api.record import csv_lines, entry_body

PAGE = 1000


@click.command("audit")
@click.option("--since", help="From this day (2026-11-22) or moment (RFC 3339) on.")
@click.option("--until", help="Before this day or moment.")
@click.option("--by", help="Who did it.")
@click.option("--action", help="What was done: `user.add`, or `user` for all about users.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="Not with --csv: that is all.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, all entries that fit.")
@click.option(
    "--verify", is_flag=True, help="Check that nothing was changed or taken out; ends with 1 if something was."
)
@click.option(
    "--head", "heads", multiple=True, metavar="[NUMBER:]DIGEST",
    help="With --verify: an end of the record that was noted elsewhere, and has to be in it still.",
)  # fmt: skip
@configured
@as_json
def command(
    limit: int, as_csv: bool, verify: bool, heads: tuple[str, ...], config: Path | None, data: Path | None,
    as_json: bool, **asked: str | None,
) -> None:  # fmt: skip
    """Every change, newest first: who did what, and when."""
    settings = settings_of(config, data)
    desk = access_desk(settings)
    if waiting := len(desk.standing()):
        click.echo(f"{said(waiting, 'change')} under way, or broken off: entered as unfinished after 10 min", err=True)
    if verify or heads:
        _verify(desk, [_head(text) for text in heads], as_json)
        return
    query = AuditQuery(
        _moment(asked["since"], settings, "--since"),
        _moment(asked["until"], settings, "--until"),
        asked["by"],
        asked["action"],
    )
    if as_csv:
        click.echo(csv_lines((), head=True), nl=False)
        for entry in _all(desk, query):
            click.echo(csv_lines([entry]), nl=False)
        return
    entries = [entry for entry, _ in zip(_all(desk, query), range(limit), strict=False)]
    if as_json:
        print_json({"items": [entry_body(entry) for entry in entries], "next": None})
        return
    rows = [
        (e.number, timestamp(e.note.at_ms), e.note.by, e.note.action, e.note.subject, e.note.detail, e.note.source)
        for e in entries
    ]
    print_table(f"{len(entries)} entries", ("#", "at", "by", "action", "subject", "detail", "from"), rows)


def _verify(desk: Desk, noted: list[Head], as_json: bool) -> None:
    chain = desk.verify(noted)
    if as_json:
        print_json({
            "ok": chain.whole, "entries": chain.entries, "number": chain.number, "head": chain.head,
            "broken": chain.broken, "cut": chain.cut, "noted": chain.noted,
            "lost": None if chain.lost is None else str(chain.lost),
        })  # fmt: skip
    elif chain.broken is not None:
        click.echo(f"entry {chain.broken} does not follow the {chain.entries} before it", err=True)
    elif chain.lost is not None:
        click.echo(
            f"the record was cut off or written anew: the head {chain.lost}, noted before, is not in it", err=True
        )
    else:
        cut = f" (those up to {chain.cut} were cut for their age)" if chain.cut else ""
        against = f"; {chain.noted} heads noted before are all of it" if chain.noted else ""
        click.echo(f"{chain.entries} entries{cut}, none changed or taken out{against}")
        click.echo(f"its head, to be noted elsewhere: {chain.number}:{chain.head}")
    if not chain.whole:
        raise click.exceptions.Exit(1)


def _head(text: str) -> Head:
    try:
        return Head.parse(text)
    except ValueError as error:
        raise click.UsageError(f"--head: {error}", click.get_current_context()) from None


def _all(desk: Desk, query: AuditQuery) -> Iterator[AuditEntry]:
    cursor: str | None = None
    while True:
        page = desk.find(replace(query, limit=PAGE, cursor=cursor))
        yield from page.items
        if (cursor := page.next) is None:
            return


def _moment(text: str | None, settings: Settings, option: str) -> int | None:
    """A day stands for its beginning in the configured zone."""
    if text is None:
        return None
    try:
        return int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=settings.zone).timestamp() * 1000)
    except ValueError:
        pass
    try:
        return parse_moment(text)
    except ValueError as error:
        raise click.UsageError(f"{option}: {error}", click.get_current_context()) from None
