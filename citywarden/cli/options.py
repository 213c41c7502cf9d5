"""Options that every command has, and the two ways it prints: a table for people, JSON for programs."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import click
from rich.console import Console
from rich.table import Table

from citywarden.sections import Settings
from citywarden.settings import load

F = TypeVar("F", bound=Callable[..., object])


def configured(command: F) -> F:
    """Add `--config` and `--data`; the command takes `config: Path | None, data: Path | None`."""
    config = click.option(
        "--config",
        type=click.Path(dir_okay=False, path_type=Path),
        envvar="CITYWARDEN_CONFIG",
        help="Configuration file (TOML). Without one: the embedded defaults.",
    )
    data = click.option(
        "--data",
        type=click.Path(file_okay=False, path_type=Path),
        envvar="CITYWARDEN_DATA",
        help="Folder of the server's data. Default: ./data",
    )
    return config(data(command))


WIDEST = 500
"""Columns of a table that is read by a program or kept in a file: a line a row."""

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")


def settings_of(config: Path | None, data: Path | None) -> Settings:
    """The settings in force; raises ConfigurationError with every problem."""
    return load(config, data=data)


def said(count: int, thing: str) -> str:
    """`1 device`, `2 devices`."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def print_json(value: object) -> None:
    """One JSON document on one line of stdout."""
    print(json.dumps(value, ensure_ascii=False, default=str))


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table on stdout, as wide as its content when stdout is no terminal. An `id` is never broken: it is copied."""
    table = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column == "id")
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    Console(width=None if sys.stdout.isatty() else WIDEST).print(table)


def print_facts(facts: Mapping[str, object]) -> None:
    """`name: value` lines, aligned; parts as `part=value` by `; `, lists by `, `, yes and no in words."""
    width = max((len(name) for name in facts), default=0)
    for name, value in facts.items():
        print(f"{name:<{width}}  {_worded(value)}".rstrip())


def _worded(value: object) -> object:
    if value is None or value == {}:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(str(_worded(part)) for part in value)
    if isinstance(value, Mapping):
        return "; ".join(f"{name}={_worded(part)}" for name, part in value.items() if part != "")
    return f"{value:g}" if isinstance(value, float) and value.is_integer() else value
