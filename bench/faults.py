"""The fault matrix: every fault of `tests/faults/table.py` done to a running stack, and the books made up.

`scripts/bench faults [--json] [--only NAME ...] [--short] [--write]`
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from bench.parts.pages import write_block
from bench.parts.programs import demand
from tests.faults.harness import Outcome, endure
from tests.faults.table import TABLE


def line(outcome: Outcome) -> str:
    """A row of the table in docs/reliability.md."""
    c = outcome.count
    back = "**not back**" if outcome.recovery_s is None else f"{outcome.recovery_s:.1f}"
    lost, twice = c.lost + c.alerts_lost + c.webhooks_lost, c.duplicates + c.alerts_doubled + c.webhooks_doubled
    wrong = "; ".join(outcome.complaints)
    return (
        f"| `{outcome.fault.name}` | {outcome.fault.what} | {outcome.fault.expected} | {outcome.held_s:g} | "
        f"{c.published:,} | {c.lost} | {c.duplicates} | {c.leaks} | {c.alerts_lost + c.webhooks_lost} | "
        f"{c.alerts_doubled + c.webhooks_doubled} | {back} |" + (f" **{wrong}**" if wrong and (lost or twice) else "")
    )


HEAD = (
    "| fault | what is done | what has to come of it | for, s | readings | lost | twice | alerts | lost | doubled | "
    "back after, s |\n|---|---|---|---|---|---|---|---|---|---|---|"
)


def plain(outcome: Outcome) -> dict[str, object]:
    """For programs."""
    return {
        "fault": outcome.fault.name, "ok": outcome.ok, "held_s": outcome.held_s, "recovery_s": outcome.recovery_s,
        "complaints": list(outcome.complaints), **asdict(outcome.count),
    }  # fmt: skip


async def run(names: Sequence[str], short: bool) -> list[Outcome]:
    """The faults named, or all."""
    found = []
    async for outcome in endure([fault for fault in TABLE if not names or fault.name in names], short):
        print(line(outcome), file=sys.stderr, flush=True)
        for complaint in outcome.complaints:
            print(f"    {complaint}", file=sys.stderr)
        found.append(outcome)
    return found


def main() -> None:
    """Run and print; exit 1 when a fault was not borne."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true", help="put the table into docs/reliability.md")
    parser.add_argument("--short", action="store_true", help="seconds a fault, not minutes; some of it is a test")
    parser.add_argument("--only", action="append", default=[], choices=[fault.name for fault in TABLE])
    given = parser.parse_args()
    demand(with_postgres=True)
    outcomes = asyncio.run(run(given.only, given.short))
    shown = "\n".join([HEAD, *map(line, outcomes)])
    print(shown, file=sys.stderr if given.json else sys.stdout)
    if given.write:
        write_block(Path("docs/reliability.md"), "faults", shown)
    if given.json:
        print(json.dumps([plain(outcome) for outcome in outcomes]))
    sys.exit(0 if all(outcome.ok for outcome in outcomes) else 1)


if __name__ == "__main__":
    main()
