"""`citywarden dashboards`: Grafana's boards as files, and in a running Grafana."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

import dashboards
from citywarden.cli.options import as_json, configured, print_json, settings_of
from citywarden.model.kind import Form
from citywarden.sections import Settings
from citywarden.serve.prepare import Districts, prepare
from dashboards.grafana import push as pushing
from dashboards.grafana import render as rendering
from dashboards.grafana.colours import Limit
from dashboards.grafana.door import Grafana
from dashboards.grafana.maps import MAP_PX, TILE_PX, View
from dashboards.grafana.panels import Json
from dashboards.grafana.scene import Material
from fleet.city import districts as demo_districts
from rules.expression import FieldRef, Literal, Node, Operation, ProfileRef
from rules.rulebook import Rule, RuleBook

ROOT = Path(dashboards.__file__).resolve().parent.parent
COMMITTED = ROOT / "deploy" / "grafana" / "dashboards"
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


@click.group("dashboards")
def command() -> None:
    """Grafana's boards as code."""


@command.command("render")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@configured
def render(folder: Path, config: Path | None, data: Path | None) -> None:
    """Write every board below DIR, with the limits of the configured rules; boards that are no more are removed."""
    boards = boards_of(settings_of(config, data))
    changed = rendering.write(boards, folder)
    click.echo(f"{folder}: {len(boards)} boards, {len(changed)} changed")


@command.command("check")
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(file_okay=False, path_type=Path))
@configured
def check(folder: Path | None, config: Path | None, data: Path | None) -> None:
    """Fail when the files below DIR (the committed ones) are not what is rendered."""
    target = folder or COMMITTED
    boards = boards_of(settings_of(config, data))
    problems = list(rendering.differences(boards, target))
    for problem in problems:
        click.echo(f"citywarden: {problem}", err=True)
    if problems:
        click.echo(f"citywarden: citywarden dashboards render {target} makes them anew", err=True)
        raise click.exceptions.Exit(1)
    click.echo(f"{target}: {len(boards)} boards, as they are rendered")


@command.command("push")
@click.option("--url", help="Grafana's address. Default: [grafana] url.")
@click.option("--dry-run", is_flag=True, help="Say what would change and write nothing.")
@as_json
@configured
def push(url: str | None, dry_run: bool, as_json: bool, config: Path | None, data: Path | None) -> None:
    """Bring the boards into a running Grafana: shows what differs, writes only that. Running it again changes nothing.

    The token ([grafana] token or token_file) is that of a service account with the role Editor.
    """
    settings = settings_of(config, data)
    token = settings.grafana.token.get_secret_value() if settings.grafana.token else ""
    with Grafana(url or settings.grafana.url, token) as grafana:
        changes = pushing.compare(grafana, boards_of(settings))
        if not as_json:
            for change in changes:
                click.echo(change.text)
        if not dry_run:
            pushing.apply(grafana, changes)
    if as_json:
        print_json([{"what": c.what, "uid": c.uid, "action": c.action, "diff": list(c.diff)} for c in changes])
    else:
        done = "would change" if dry_run else "changed"
        click.echo(f"{grafana.url}: {len(changes)} {done}" if changes else f"{grafana.url}: nothing to change")


def boards_of(settings: Settings) -> dict[str, Json]:
    """The boards for a city's kinds, rules and map. Raises ConfigurationError."""
    prepared = prepare(settings)
    outlines = prepared.districts if settings.fleet.districts else demo_districts()
    view = view_of(outlines) or view_of(demo_districts())
    assert view is not None, "the demo's districts have outlines"
    names = names_of(outlines)
    return rendering.rendered(Material(prepared.kinds, limits_of(prepared.book), view, settings.timezone, names))


def names_of(districts: Districts) -> list[tuple[str, str]]:
    """(Chinese, English) names of the districts that have both."""
    features = districts.get("features")
    rows = [one.get("properties") for one in features if isinstance(one, dict)] if isinstance(features, list) else []
    pairs = [(row.get("name_zh"), row.get("name_en")) for row in rows if isinstance(row, dict)]
    return sorted((zh, en) for zh, en in pairs if isinstance(zh, str) and isinstance(en, str) and zh and en)


def limits_of(book: RuleBook) -> list[Limit]:
    """The numbers of rules that plainly compare a field with a number or with a profile's default."""
    return [limit for rule in book.rules for limit in _limits(rule)]


def _limits(rule: Rule) -> Iterator[Limit]:
    for level in rule.levels:
        when = level.nodes[0]
        if not isinstance(when, Operation) or when.op not in _TURNED:
            continue
        left, right = when.args
        sign = when.op
        if isinstance(right, FieldRef):
            left, right, sign = right, left, _TURNED[sign]
        number = _number(right, rule.profile)
        if isinstance(left, FieldRef) and number is not None:
            yield Limit(rule.kind, left.name, number, level.severity, above=sign.startswith(">"))


def _number(node: Node, profile: Mapping[str, float | str | bool]) -> float | None:
    if isinstance(node, Literal) and node.form is Form.NUMBER:
        return float(node.value)
    if isinstance(node, ProfileRef) and isinstance(default := profile.get(node.name), int | float):
        return float(default)
    return None


def view_of(districts: Districts) -> View | None:
    """The middle of a GeoJSON's outlines, and a zoom that shows them all; None where there are none."""
    points = [*_points(districts)]
    if not points:
        return None
    lons, lats = [lon for lon, _ in points], [lat for _, lat in points]
    span = max(max(lons) - min(lons), 1.5 * (max(lats) - min(lats)), 0.01)
    zoom = math.log2(MAP_PX * 360 / (TILE_PX * span))
    return View(round((min(lats) + max(lats)) / 2, 4), round((min(lons) + max(lons)) / 2, 4), round(zoom, 1))


def _points(node: object) -> Iterator[tuple[float, float]]:
    if isinstance(node, dict):
        for key in ("features", "geometry", "geometries", "coordinates"):
            yield from _points(node.get(key))
    elif isinstance(node, list):
        if len(node) >= 2 and all(isinstance(one, int | float) for one in node[:2]):
            yield float(node[0]), float(node[1])
        else:
            for below in node:
                yield from _points(below)
