"""The `citywarden` command. Exit codes: 0 ok, 1 found problems, 2 wrong use; an error is one line on stderr."""

import sys
from collections.abc import Sequence

import click

from citywarden import __version__
from citywarden.model.errors import CitywardenError, ConfigurationError
from citywarden.model.redaction import redact

_COMMANDS = {
    "demo": "citywarden.cli.demo",
    "serve": "citywarden.cli.serve",
    "simulate": "citywarden.cli.simulate",
    "replay": "citywarden.cli.replay",
    "rules": "citywarden.cli.rules",
    "device": "citywarden.cli.device",
    "claim": "citywarden.cli.claim",
    "alerts": "citywarden.cli.alerts",
    "cases": "citywarden.cli.cases",
    "deliveries": "citywarden.cli.deliveries",
    "deadletters": "citywarden.cli.deadletters",
    "dashboards": "citywarden.cli.dashboards",
    "certs": "citywarden.cli.certs",
    "command": "citywarden.cli.command",
    "commands": "citywarden.cli.commands",
    "user": "citywarden.cli.user",
    "token": "citywarden.cli.token",
    "audit": "citywarden.cli.audit",
    "kinds": "citywarden.cli.kinds",
    "doctor": "citywarden.cli.doctor",
    "backup": "citywarden.cli.backup",
    "restore": "citywarden.cli.backup",
}


class _Lazy(click.Group):
    """Loads a command's module when it is called for, so that `--help` does not wait for numpy and DuckDB."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = __import__(_COMMANDS[cmd_name], fromlist=["command"])
        command: click.Command = getattr(module, "command", None) or getattr(module, cmd_name)
        return command


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="citywarden")
def citywarden() -> None:
    """The server for a city's things and its fleet: telemetry in, work judged, alerts out, a live wall."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and leave the process with its exit code."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    try:
        code = citywarden.main(arguments, prog_name="citywarden", standalone_mode=False)
    except click.exceptions.Exit as left:
        return left.exit_code
    except click.ClickException as error:
        where = f" (see '{error.ctx.command_path} --help')" if isinstance(error, click.UsageError) and error.ctx else ""
        return _fail(f"{error.format_message()}{where}", 2)
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted", 130)
    except ConfigurationError as error:
        for problem in error.problems:
            print(f"citywarden: {problem}", file=sys.stderr)
        return 2
    except CitywardenError as error:
        return _fail(str(error), 1)
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    return code if isinstance(code, int) else 0


def _fail(message: str, code: int) -> int:
    print("citywarden: " + " ".join(redact(message).split()), file=sys.stderr)
    return code
