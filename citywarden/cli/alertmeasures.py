"""`citywarden alerts measures`: how alerts are worked off."""

import time
from dataclasses import asdict
from pathlib import Path

import click

from citywarden.alerts import measures
from citywarden.cli.options import as_json, configured, print_facts, print_json, print_table, settings_of
from citywarden.serve.alerting import desk_of

DAY_MS = 86_400_000


@click.command("measures")
@click.option("--days", type=click.IntRange(1, 366), default=7, show_default=True)
@configured
@as_json
def show_measures(days: int, config: Path | None, data: Path | None, as_json: bool) -> None:
    """How alerts of the last days were worked off, and which rules are noisy."""
    settings = settings_of(config, data)
    now_ms = time.time_ns() // 1_000_000
    desk = desk_of(settings)
    handled = desk.read(lambda c: measures.read_handled(c, now_ms - days * DAY_MS, now_ms + DAY_MS))
    found = measures.measure(handled, now_ms, settings.zone, desk.open())
    if as_json:
        print_json(asdict(found))
        return
    lengths = {"to acknowledge": found.to_acknowledge, "to resolve": found.to_resolve}
    print_facts({"raised": found.raised} | {f"open, {age}": n for age, n in found.open_by_age.items()})
    rows = [(name, one.count, one.median_s, one.p90_s, one.longest_s) for name, one in lengths.items()]
    print_table("time, s", ("", "alerts", "median", "90 %", "longest"), rows)
    print_table("noisiest rules", ("rule", "raised"), found.noisiest)
