"""`citywarden replay`: recorded tracks judged against a plan with the rules of the live server."""

import sys
from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from citywarden.cli.options import as_json, configured, print_json, settings_of
from citywarden.coordinates import CRS
from citywarden.model.errors import ConfigurationError, Problem
from citywarden.serve.replay import Request, judge_recording
from dashboards.report.document import document
from dashboards.report.page import page
from dashboards.report.table import print_report
from fleet.plan import parse_plan
from fleet.tracks import Track, read_tracks
from ingest.kinds import all_kinds
from rules.rulefile import parse as parse_rules

_LONG_BYTES = 5_000_000
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("tracks", nargs=-1, required=True, type=_FILE, metavar="TRACK...")
@click.option("--plan", "plan_file", required=True, type=_FILE, help="Planned roads and zones (GeoJSON).")
@click.option("--rules", "rule_file", type=_FILE, help="Rule file whose rules for vehicles are applied too.")
@click.option("--html", type=_FILE, help="Write the report as one self-contained page.")
@click.option("--timezone", help="Of daily windows and of the report. Default: the configured one.")
@click.option("--language", type=click.Choice(["zh-CN", "en"]), help="Of the texts. Default: the configured one.")
@click.option("--crs", type=click.Choice(list(CRS)), default="wgs84", show_default=True, help="Datum of the tracks.")
@as_json
@configured
def replay(  # noqa: PLR0913, PLR0917 (one parameter an option)
    tracks: Sequence[Path], plan_file: Path, rule_file: Path | None, html: Path | None, timezone: str | None,
    language: str | None, crs: str, as_json: bool, config: Path | None, data: Path | None,
) -> int:  # fmt: skip
    """Judge recorded TRACKs (.csv, .csv.gz) against a plan: what was worked, what is missing, and why.

    Exit code 0 when every task is met, 1 when one is not (or could not be judged) or a row was rejected.
    """
    settings = settings_of(config, data)
    zone = _zone(timezone) if timezone else settings.zone
    language = language or settings.language
    plan = parse_plan(_text(plan_file), str(plan_file), zone)
    for warning in plan.warnings:
        print(f"citywarden: {warning}", file=sys.stderr)
    kinds = all_kinds()
    rules = parse_rules(_text(rule_file), str(rule_file), kinds) if rule_file else None
    track = _read(tracks)
    title = ", ".join(path.name for path in tracks)
    contents = judge_recording(Request(title, track, plan, kinds["vehicle"], zone, crs, rules))
    if not contents.tasks:
        print("citywarden: no task of the plan falls into the recording's time", file=sys.stderr)
    if html is not None:
        _write(html, page(contents, language))
    if as_json:
        print_json(document(contents, language))
    else:
        print_report(contents, language, Console(width=None if sys.stdout.isatty() else 180))
    return 0 if contents.met else 1


def _read(paths: Sequence[Path]) -> Track:
    """The tracks, with a bar on stderr when reading them takes a while."""
    size = sum(path.stat().st_size for path in paths if path.exists())
    if size < _LONG_BYTES:
        return read_tracks(paths)
    console = Console(stderr=True)
    with Progress(TextColumn("{task.description}"), BarColumn(), DownloadColumn(), console=console) as progress:
        job = progress.add_task("reading tracks", total=size)
        return read_tracks(paths, lambda more: progress.advance(job, more))


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise ConfigurationError([Problem(str(path), None, "", f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError as error:
        raise ConfigurationError([Problem(str(path), None, "", f"not UTF-8: byte {error.start}")]) from None


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise ConfigurationError([Problem(str(path), None, "", f"cannot be written: {error.strerror}")]) from None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise click.BadParameter(
            f"{name!r} is not a time zone such as Asia/Shanghai", param_hint="--timezone"
        ) from None
