"""`citywarden kinds`: what the kinds of devices send."""

import click

from citywarden.cli.options import as_json, print_json, print_table
from citywarden.model.kind import Quantity
from ingest.kinds import all_kinds


@click.command("kinds")
@as_json
def command(as_json: bool) -> None:
    """List the kinds of devices with their fields, units and valid ranges."""
    kinds = all_kinds()
    if as_json:
        print_json(
            [
                {
                    "kind": kind.name,
                    "zh": kind.zh,
                    "en": kind.en,
                    "interval_s": kind.interval_s,
                    "fields": [
                        {
                            "field": q.field, "form": str(q.form), "unit": q.unit, "low": q.low, "high": q.high,
                            "required": q.required, "zh": q.zh, "en": q.en,
                        }
                        for q in kind.quantities
                    ],
                }
                for kind in kinds.values()
            ]
        )  # fmt: skip
        return
    for kind in kinds.values():
        rows = [(q.field, q.form, q.unit, _range(q), "yes" if q.required else "", q.zh, q.en) for q in kind.quantities]
        print_table(
            f"{kind.name}: {kind.en} {kind.zh}, expected every {kind.interval_s:g} s",
            ("field", "form", "unit", "valid", "required", "中文", "English"),
            rows,
        )


def _range(quantity: Quantity) -> str:
    low, high = quantity.low, quantity.high
    if low is None and high is None:
        return ""
    return f">= {low:g}" if high is None else f"{low or 0:g} to {high:g}"
