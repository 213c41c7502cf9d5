"""`citywarden kinds`: what the kinds of devices send."""

import click

from citywarden.cli.options import as_json, print_json, print_table
from citywarden.model.kind import Quantity
from ingest.kinds import all_kinds


@click.command("kinds")
@as_json
def command(as_json: bool) -> None:
    """List the kinds of devices with their fields, units and valid ranges, and the commands they understand."""
    kinds = all_kinds()
    if as_json:
        print_json(
            [
                {
                    "kind": kind.name,
                    "zh": kind.zh,
                    "en": kind.en,
                    "interval_s": kind.interval_s,
                    "fields": [_body(q) for q in kind.quantities],
                    "commands": [
                        {"name": o.name, "zh": o.zh, "en": o.en, "arguments": [_body(q) for q in o.arguments]}
                        for o in kind.commands
                    ],
                }
                for kind in kinds.values()
            ]
        )  # fmt: skip
        return
    for kind in kinds.values():
        rows = [(q.field, q.form, q.unit, _range(q), _sent(q), q.zh, q.en) for q in kind.quantities]
        print_table(
            f"{kind.name}: {kind.en} {kind.zh}, expected every {kind.interval_s:g} s",
            ("field", "form", "unit", "valid", "sent", "中文", "English"),
            rows,
        )
        told = [
            (o.name, " ".join(f"{q.field}={_range(q)}{'' if q.required else ' (optional)'}" for q in o.arguments),
             o.zh, o.en)
            for o in kind.commands
        ]  # fmt: skip
        if told:
            print_table(f"{kind.name}: commands", ("command", "arguments", "中文", "English"), told)
        else:
            click.echo(f"{kind.name}: no commands\n")


def _body(q: Quantity) -> dict[str, object]:
    return {
        "field": q.field, "form": str(q.form), "unit": q.unit, "low": q.low, "high": q.high, "required": q.required,
        "derived": q.derived, "zh": q.zh, "en": q.en,
    }  # fmt: skip


def _sent(quantity: Quantity) -> str:
    if quantity.derived:
        return "no, made by the server"
    return "always" if quantity.required else "as it has it"


def _range(quantity: Quantity) -> str:
    low, high = quantity.low, quantity.high
    if low is None and high is None:
        return ""
    return f">= {low:g}" if high is None else f"{low or 0:g} to {high:g}"
