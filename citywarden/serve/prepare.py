"""Everything that can be wrong before anything is started: all files read and checked, all problems at once."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

from citywarden.model.errors import ConfigurationError, Problem
from citywarden.model.kind import Kinds
from citywarden.sections import Settings
from citywarden.serve import brokers
from citywarden.serve.alerting import routing_of
from citywarden.serve.casework import table_of
from citywarden.serve.exposure import exposures
from fleet.plan import Plan, parse_plan
from ingest.endpoint import Endpoint, Tls, parse_url
from ingest.kinds import all_kinds
from rules.rulebook import RuleBook
from rules.rulefile import parse

T = TypeVar("T")
Districts = Mapping[str, object]
NO_DISTRICTS: Districts = {"type": "FeatureCollection", "features": []}
NO_PLAN = '{"type": "FeatureCollection", "features": []}'


@dataclass(frozen=True, slots=True)
class Prepared:
    """Checked input of a server. `endpoint` None: the embedded broker."""

    settings: Settings
    kinds: Kinds
    book: RuleBook
    plan: Plan
    districts: Districts
    endpoint: Endpoint | None


def prepare(settings: Settings, rules_text: str | None = None, plan_text: str | None = None) -> Prepared:
    """Read and check rules, plan, districts and addresses; a given text takes the place of its file.

    Raises ConfigurationError with the problems of all of them.
    """
    problems: list[Problem] = []
    kinds = all_kinds()

    def attempt(make: Callable[[], T]) -> T | None:
        try:
            return make()
        except ConfigurationError as error:
            problems.extend(error.problems)
            return None

    book = attempt(lambda: _rules(settings, kinds, rules_text))
    plan = attempt(lambda: _plan(settings, plan_text))
    districts = attempt(lambda: _districts(settings.fleet.districts))
    endpoint = attempt(lambda: _endpoint(settings))
    attempt(lambda: routing_of(settings))
    attempt(lambda: brokers.check(settings))
    problems += exposures(settings)
    attempt(lambda: table_of(settings))
    if problems or book is None or plan is None or districts is None:
        raise ConfigurationError(problems)
    named = {"name_zh": settings.api.city_zh, "name_en": settings.api.city_en} | dict(districts)
    return Prepared(settings, kinds, book, plan, named, endpoint)


def default_rules() -> str:
    """The rules that count where no rule file is configured."""
    return files("rules").joinpath("default.yaml").read_text("utf-8")


def _rules(settings: Settings, kinds: Kinds, text: str | None) -> RuleBook:
    file = settings.rules.file
    if text is None:
        text = _read(file, "rules.file") if file else default_rules()
    return parse(text, str(file or "rules/default.yaml"), kinds)


def _plan(settings: Settings, text: str | None) -> Plan:
    file = settings.fleet.plan
    if text is None:
        text = _read(file, "fleet.plan") if file else NO_PLAN
    return parse_plan(text, str(file or "plan"), settings.zone, settings.tenant)


def _districts(file: Path | None) -> Districts:
    if file is None:
        return NO_DISTRICTS
    try:
        found = json.loads(_read(file, "fleet.districts"))
    except json.JSONDecodeError as error:
        raise ConfigurationError([Problem(str(file), error.lineno, "", f"no valid JSON: {error.msg}")]) from None
    if not isinstance(found, dict) or found.get("type") != "FeatureCollection":
        raise ConfigurationError([Problem(str(file), None, "type", "expected a GeoJSON FeatureCollection")])
    return found


def _endpoint(settings: Settings) -> Endpoint | None:
    mqtt = settings.mqtt
    if mqtt.url == "embedded":
        return None
    tls = Tls(mqtt.ca_file, mqtt.cert_file, mqtt.key_file) if mqtt.ca_file or mqtt.cert_file else None
    password = mqtt.password.get_secret_value() if mqtt.password else None
    try:
        endpoint = parse_url(mqtt.url, tls, password)
    except ValueError as error:
        raise ConfigurationError([settings.problem("mqtt.url", str(error))]) from None
    if mqtt.username and endpoint.username is None:
        return Endpoint(endpoint.host, endpoint.port, mqtt.username, endpoint.password, endpoint.tls)
    return endpoint


def _read(file: Path, key: str) -> str:
    try:
        return file.read_text("utf-8")
    except OSError as error:
        what = f"{error.strerror or 'cannot be read'}, expected a readable file ({key})"
        raise ConfigurationError([Problem(str(file), None, "", what)]) from None
    except UnicodeDecodeError as error:
        raise ConfigurationError([Problem(str(file), None, "", f"is not UTF-8: {error.reason}")]) from None
