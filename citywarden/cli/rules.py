"""`citywarden rules`: check a rule file, and run the cases written beside its rules."""

from pathlib import Path
from zoneinfo import ZoneInfo

import click

from citywarden.cli.options import as_json, configured, print_json, settings_of
from citywarden.model.errors import ConfigurationError, Problem
from ingest.kinds import all_kinds
from rules import cases, rulefile
from rules.rulebook import RuleBook

FILE = click.argument("file", type=click.Path(path_type=Path))


@click.group("rules")
def command() -> None:
    """Check and test rule files."""


@command.command("check")
@FILE
@as_json
def check(file: Path, as_json: bool) -> None:
    """Validate a rule file; every error at once as FILE:LINE: key: what is wrong, what was expected."""
    try:
        book = read(file)
    except ConfigurationError as error:
        if as_json:
            print_json({"ok": False, "problems": [_body(p) for p in error.problems]})
        else:
            for problem in error.problems:
                click.echo(str(problem), err=True)
        raise click.exceptions.Exit(1) from None
    if as_json:
        print_json({"ok": True, "problems": [], "rules": [rule.id for rule in book.rules]})
    else:
        click.echo(f"{file}: {len(book.rules)} rules, {len(book.cases)} test cases: ok")


@command.command("test")
@FILE
@configured
@as_json
def test(file: Path, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Run the test cases of a rule file; prints the steps that differ, and ends with 1 when one does."""
    settings = settings_of(config, data)
    results = cases.run(read(file), all_kinds(), ZoneInfo(settings.timezone))
    failed = [result for result in results if not result.passed]
    if as_json:
        print_json(
            {
                "passed": len(results) - len(failed),
                "failed": len(failed),
                "cases": [{"name": r.name, "passed": r.passed, "expected": r.expected, "got": r.got} for r in results],
            }
        )
    else:
        for result in failed:
            click.echo(result.text)
        click.echo(f"{file}: {len(results) - len(failed)} of {len(results)} cases passed")
    if failed:
        raise click.exceptions.Exit(1)


def read(file: Path) -> RuleBook:
    """The rules of a file; raises ConfigurationError."""
    try:
        text = file.read_text("utf-8")
    except OSError as error:
        raise ConfigurationError([Problem(str(file), None, "", error.strerror or "cannot be read")]) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError([Problem(str(file), None, "", f"is not UTF-8: {error.reason}")]) from None
    return rulefile.parse(text, str(file), all_kinds())


def _body(problem: Problem) -> dict[str, object]:
    return {"file": problem.file, "line": problem.line, "key": problem.key, "what": problem.what}
