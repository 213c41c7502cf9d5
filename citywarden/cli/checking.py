"""What the commands that check files share: reading them, and saying what is wrong with them."""

from pathlib import Path
from typing import NoReturn

import click

from citywarden.model.errors import ConfigurationError, Problem


def complain(error: ConfigurationError) -> NoReturn:
    """Every problem as a line on stderr, and exit code 1."""
    for problem in error.problems:
        click.echo(str(problem), err=True)
    raise click.exceptions.Exit(1) from None


def read_file(file: Path) -> bytes:
    """Raises ConfigurationError."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigurationError([Problem(str(file), None, "", error.strerror or "cannot be read")]) from error


def read_text(file: Path) -> str:
    """Raises ConfigurationError."""
    try:
        return read_file(file).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError([Problem(str(file), None, "", f"is not UTF-8: {error.reason}")]) from None
