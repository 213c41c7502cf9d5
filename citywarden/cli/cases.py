"""`citywarden cases`: open cases, take their steps, see how well it goes, at the command line.

It works on the database; a running server takes it in within a second.
"""

import getpass
import time
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path

import click

from citywarden.alerts import archive as alert_archive
from citywarden.cases import archive, rates
from citywarden.cases.desk import CaseDesk
from citywarden.cases.openings import report_of
from citywarden.cases.rates import By
from citywarden.cases.tablefile import parse_limit
from citywarden.cli.casefiles import check, export, import_cases
from citywarden.cli.options import as_json, configured, print_facts, print_json, print_table, said, settings_of
from citywarden.model.case import Case, Deed, Report, Source, Stage, Step, Why
from citywarden.model.casebody import case_body, rates_body, whole_body
from citywarden.model.casequery import CaseQuery
from citywarden.model.casetime import Limit
from citywarden.model.errors import CitywardenError
from citywarden.model.identity import NEW
from citywarden.model.unit import proper
from citywarden.model.wire import timestamp
from citywarden.sections import Settings
from citywarden.serve.casework import case_desk
from citywarden.serve.recording import recorded
from citywarden.serve.tables import open_database

CASE = click.argument("case")
BY = click.option("--by", default=getpass.getuser, show_default="your user name", help="Who does it.")
TENANT = click.option("--tenant", help="Only of this tenant.")
LONGEST_SAID = 300


def _limit(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Limit | None:
    if value is None:
        return None
    try:
        return parse_limit(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.group("cases")
def command() -> None:
    """Cases (案件): list, open, take their steps, rates, export and import."""


@command.command("list")
@click.option("--stage", type=click.Choice([s.value for s in Stage]), multiple=True, help="May be given several times.")
@click.option("--all", "everything", is_flag=True, help="Also those that have ended.")
@click.option("--overdue", is_flag=True, help="Only those whose running deadline has passed.")
@click.option("--category", help="Only of this category.")
@click.option("--unit", help="Only of this unit.")
@click.option("--district", help="Only of this district.")
@click.option("--text", help="In number, title, place or text.")
@TENANT
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@configured
@as_json
def list_cases(
    stage: tuple[str, ...], everything: bool, overdue: bool, limit: int, as_json: bool,
    config: Path | None, data: Path | None, **words: str | None,
) -> None:  # fmt: skip
    """Cases, changed last first."""
    settings = settings_of(config, data)
    desk, now_ms = _desk(settings), _now_ms()
    stages = tuple(map(Stage, stage))
    query = CaseQuery(
        words["tenant"], stages, None if everything or stages else True, words["category"], words["unit"],
        words["district"], overdue=overdue, text=words["text"], limit=limit,
    )  # fmt: skip
    found = desk.ledger.read(partial(archive.find, query=query, now_ms=now_ms)).items
    if as_json:
        print_json({"items": [case_body(case, now_ms) for case in found]})
        return
    rows = [
        (c.number, c.stage, c.category, c.title, c.unit, c.district, _due(c), _standing(c, now_ms)) for c in found
    ]  # fmt: skip
    columns = ("number", "stage", "category", "title", "unit", "district", "due", "")
    print_table(said(len(found), "case"), columns, rows)


@command.command("show")
@CASE
@TENANT
@configured
@as_json
def show(case: str, tenant: str | None, config: Path | None, data: Path | None, as_json: bool) -> None:
    """One case by id or number: everything that happened to it, and its files."""
    desk, now_ms = _desk(settings_of(config, data)), _now_ms()
    found = desk.ledger.get(case, tenant)
    events = desk.ledger.read(partial(archive.history, case_id=found.id))
    files = desk.ledger.read(partial(archive.evidence, case_id=found.id))
    body = case_body(found, now_ms)
    if as_json:
        print_json(whole_body(found, events, files, now_ms))
        return
    plain = {name: value for name, value in body.items() if isinstance(value, str | int) and value not in ("", 0)}
    print_facts(plain | {"due": _due(found), "": _standing(found, now_ms)})
    rows = [(timestamp(e.at_ms), e.change, e.stage, e.by, e.why, e.unit, e.limit, e.note) for e in events]
    print_table("history", ("at", "change", "stage", "by", "reason", "unit", "length", "note"), rows)
    if files:
        print_table("evidence", ("name", "type", "bytes", "by", "sha256"),
                    [(f.name, f.type, f.size, f.by, f.sha256) for f in files])  # fmt: skip


@command.command("open")
@click.option("--category", help="What it is: see `citywarden cases categories`.")
@click.option("--title", help="What happened, in a line.")
@click.option("--alert", help="The alert it comes out of; the rest may be left out then.")
@click.option("--source", type=click.Choice([s.value for s in Source]), help="Default: patrol, or alert.")
@click.option("--text", default="", help="More about it.")
@click.option("--place", default="", help="Where, in words.")
@click.option("--district", default="")
@click.option("--lat", type=click.FloatRange(-90, 90), help="WGS-84.")
@click.option("--lon", type=click.FloatRange(-180, 180), help="WGS-84.")
@click.option("--tenant", help="Default: the configured tenant.")
@BY
@configured
@as_json
def open_case(by: str, config: Path | None, data: Path | None, as_json: bool, **given: str | float | None) -> None:
    """Open a case, out of an alert or of what somebody saw."""
    settings = settings_of(config, data)
    desk = _desk(settings)
    words = {name: str(value) if value is not None else "" for name, value in given.items()}
    lat, lon = given["lat"], given["lon"]
    if words["alert"]:
        report = _out_of(desk, words, by)
    else:
        if not words["category"] or not words["title"]:
            context = click.get_current_context()
            raise click.UsageError("say what it is: --category and --title, or --alert", context)
        report = Report(
            words["tenant"] or settings.tenant, words["category"], words["title"],
            Source(words["source"] or Source.PATROL), by, words["text"], words["place"], words["district"],
            None if lat is None else float(lat), None if lon is None else float(lon),
        )  # fmt: skip
    if report.category not in desk.table.categories:
        known = ", ".join(desk.table.categories)
        raise CitywardenError(f"no category {report.category!r}, expected one of {known}")
    told = f"by {by}: {report.category} {report.title}"[:LONGEST_SAID]
    with recorded(desk.ledger.engine, "case.open", NEW, detail=told) as intent:
        case = desk.ledger.open(report, _now_ms())
        intent.subjects = [case.number]
    _say(case, as_json)


@command.command("step")
@CASE
@click.argument("step", type=click.Choice([s.value for s in Step]))
@click.option("--why", type=click.Choice([w.value for w in Why]), help="The reason, where the step needs one.")
@click.option("--note", help="What there is to say.")
@click.option("--unit", default="", help="Whom it is given to (dispatch, transfer), or in whose name it is done.")
@click.option("--longer", callback=_limit, help="How much longer is asked for, such as `4 business h`.")
@TENANT
@BY
@configured
@as_json
def take_step(
    case: str, step: str, by: str, longer: Limit | None, as_json: bool, config: Path | None, data: Path | None,
    **words: str | None,
) -> None:  # fmt: skip
    """Take a step of a case: accept, file, dispatch, begin, finish, pass, close, and so on."""
    desk = _desk(settings_of(config, data))
    found = desk.ledger.get(case, words["tenant"])
    why = words["why"]
    units = desk.ledger.read(lambda connection: desk.known_units(connection, found.tenant))
    unit = proper(words["unit"] or "", units)
    deed = Deed(Step(step), by, words["note"], Why(why) if why else None, unit, longer)
    said = f"by {by}: {' '.join(filter(None, (why, unit, words['note'])))}".rstrip(": ")[:LONGEST_SAID]
    with recorded(desk.ledger.engine, f"case.{step}", found.number, detail=said):
        taken = desk.ledger.take(found.id, deed, _now_ms())
    _say(taken, as_json)


@command.command("rates")
@click.option("--from", "start", type=click.DateTime(["%Y-%m-%d"]), help="First day; default: the first of this month.")
@click.option("--to", "stop", type=click.DateTime(["%Y-%m-%d"]), help="Last day; default: today.")
@click.option("--by", type=click.Choice([b.value for b in By]), help="A row for each.")
@TENANT
@configured
@as_json
def show_rates(
    start: datetime | None, stop: datetime | None, by: str | None, tenant: str | None, as_json: bool,
    config: Path | None, data: Path | None,
) -> None:  # fmt: skip
    """立案率, 派遣率, 结案率, 按期结案率, 按期处置率, 返工率, 延期率 of a time."""
    settings = settings_of(config, data)
    today = datetime.now(settings.zone).date()
    first, last = start.date() if start else today.replace(day=1), stop.date() if stop else today
    if first > last:
        raise click.UsageError("--from is after --to", click.get_current_context())
    span = _ms(first, settings), _ms(last + timedelta(days=1), settings)
    group = By(by) if by else None
    rows = _desk(settings).ledger.read(lambda c: rates.count(c, *span, group, tenant))
    if as_json:
        print_json([rates_body(row) for row in rows])
        return
    columns = ("", "立案 filing", "派遣 dispatch", "结案 closing", "按期结案 in time", "按期处置 handled in time",
               "返工 rework", "延期 extension", "应结案 due")  # fmt: skip
    table = [
        (r.group or "all", *(None if p is None else f"{p:.2f} %" for p in (
            r.rates.filing_pct, r.rates.dispatch_pct, r.rates.closing_pct, r.rates.closing_in_time_pct,
            r.rates.handling_in_time_pct, r.rates.rework_pct, r.rates.extension_pct)), r.tally.due)
        for r in rows
    ]  # fmt: skip
    print_table(f"{first} to {last}", columns, table)


@command.command("categories")
@configured
@as_json
def categories(config: Path | None, data: Path | None, as_json: bool) -> None:
    """The kinds of cases, and how long each phase of them may take."""
    found = _desk(settings_of(config, data)).categories
    if as_json:
        print_json([{"id": c.id, "zh": c.zh, "en": c.en, "unit": c.unit, "rework": str(c.rework),
                     "limits": {p: str(limit) for p, limit in c.limits.items()}} for c in found])  # fmt: skip
        return
    rows = [(c.id, c.zh, c.en, *map(str, c.limits.values()), c.rework) for c in found]
    columns = ("category", "", "", "intake", "dispatch", "handle", "check", "whole", "rework")
    print_table(f"{len(found)} categories", columns, rows)


def _out_of(desk: CaseDesk, words: dict[str, str], by: str) -> Report:
    """The report of an alert, named by its id or the beginning of it."""
    found = desk.ledger.read(lambda c: alert_archive.find_beginning(c, words["alert"]))
    if len(found) != 1:
        raise CitywardenError(f"no alert {words['alert']!r}" if not found else f"several alerts begin so: {found}")
    alert = desk.ledger.read(lambda c: alert_archive.read_entry(c, found[0])).alert
    base = report_of(alert, words["place"], desk.table, by)
    return Report(
        alert.tenant, words["category"] or base.category, words["title"] or base.title,
        Source(words["source"] or base.source), by, words["text"], base.place, words["district"] or base.district,
        base.lat, base.lon, base.alert, base.about,
    )  # fmt: skip


@command.command("units")
@TENANT
@configured
@as_json
def list_units(tenant: str | None, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Units that cases can be given to: of the table, of users, and those that had one."""
    desk = _desk(settings_of(config, data))
    found = desk.ledger.read(lambda connection: desk.known_units(connection, tenant))
    print_json(found) if as_json else click.echo("\n".join(found))


for _one in (check, export, import_cases):
    command.add_command(_one)


def _desk(settings: Settings) -> CaseDesk:
    return case_desk(settings, open_database(settings.database_url), _now_ms)


def _say(case: Case, as_json: bool) -> None:
    if as_json:
        print_json(case_body(case, _now_ms()))
    else:
        click.echo(f"{case.number} {case.category} {case.title}: {case.stage}, due {_due(case) or '-'}")


def _due(case: Case) -> str:
    if case.deadline is None:
        return ""
    if case.deadline.due_ms is None:
        return f"not known: {case.deadline.unknown_year}"
    return timestamp(case.deadline.due_ms)


def _standing(case: Case, now_ms: int) -> str:
    if case.deadline is None:
        return ""
    return "overdue" if case.deadline.overdue(now_ms) else "near" if case.deadline.near(now_ms) else ""


def _ms(day: date, settings: Settings) -> int:
    return round(datetime(day.year, day.month, day.day, tzinfo=settings.zone).timestamp() * 1000)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
