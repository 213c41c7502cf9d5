"""Configuration: `citywarden.toml` and `CITYWARDEN__SECTION__KEY`, checked whole before anything starts."""

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import cast, get_args

from pydantic import BaseModel, ValidationError

from citywarden.model.errors import ConfigurationError, Problem
from citywarden.model.origin import Origin, line_of
from citywarden.model.redaction import HIDDEN, redact_tree
from citywarden.sections import Settings

ENVIRONMENT_PREFIX = "CITYWARDEN__"
SECRET_FILE_SUFFIX = "_file"  # noqa: S105 (a suffix of key names)
_SECRETS = frozenset({"password", "token", "secret"})

Tree = dict[str, object]


def load(file: Path | None, environment: Mapping[str, str] = os.environ, data: Path | None = None) -> Settings:
    """Settings from a TOML file (None: defaults) with the environment on top and `data` above both.

    Raises ConfigurationError with every problem: file or variable, line, key, value and what was expected.
    """
    problems: list[Problem] = []
    text = ""
    tree: Tree = {}
    if file is not None:
        try:
            text = file.read_text("utf-8")
            tree = tomllib.loads(text)
        except OSError as error:
            raise ConfigurationError([Problem(str(file), None, "", error.strerror or "cannot be read")]) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                [Problem(str(file), _line_in(str(error)), "", f"no valid TOML: {error}")]
            ) from None
    base = file.parent if file is not None else Path()
    origin = _overlay(tree, environment)
    if data is not None:
        tree["data"] = str(data)
    _read_secret_files(tree, base, problems, str(file or "environment"))
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        for one in error.errors():
            path = ".".join(map(str, one["loc"]))
            variable = origin.get(path)
            where = variable or str(file or "environment")
            line = None if variable else line_of(text, [str(p) for p in one["loc"]])
            problems.append(Problem(where, line, path, _explain(one["msg"], one["type"], one["input"], path)))
        raise ConfigurationError(problems) from None
    if problems:
        raise ConfigurationError(problems)
    settings = _resolve(settings, base)
    settings.come_from(Origin(str(file or "configuration"), text, origin))
    return settings


def describe(settings: Settings) -> dict[str, object]:
    """What is in force as plain JSON values, secrets redacted."""
    tree = cast(dict[str, object], settings.model_dump(mode="json"))
    return cast(dict[str, object], redact_tree(tree))


def _overlay(tree: Tree, environment: Mapping[str, str]) -> dict[str, str]:
    """Put `CITYWARDEN__A__B=value` into the tree; returns which variable each dotted key came from."""
    origin: dict[str, str] = {}
    for variable in sorted(environment):
        if not variable.startswith(ENVIRONMENT_PREFIX):
            continue
        parts = variable.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
        node = tree
        for part in parts[:-1]:
            below = node.setdefault(part, {})
            if not isinstance(below, dict):
                below = node[part] = {}
            node = below
        node[parts[-1]] = environment[variable]
        origin[".".join(parts)] = f"${variable}"
    return origin


def _read_secret_files(node: Tree, base: Path, problems: list[Problem], where: str, path: str = "") -> None:
    """Replace `password_file = "x"` by `password = <content of x>`, at every depth."""
    for key, value in list(node.items()):
        here = f"{path}{key}"
        if isinstance(value, dict):
            _read_secret_files(value, base, problems, where, here + ".")
        elif isinstance(value, list):
            for i, item in enumerate(value):
                if isinstance(item, dict):
                    _read_secret_files(item, base, problems, where, f"{here}.{i}.")
        secret = key.removesuffix(SECRET_FILE_SUFFIX)
        if key.endswith(SECRET_FILE_SUFFIX) and secret in _SECRETS:
            del node[key]
            try:
                node[secret] = (base / str(value)).read_text("utf-8").strip()
            except OSError as error:
                problems.append(Problem(where, None, here, f"{value}: {error.strerror}, expected a readable file"))


def _explain(message: str, kind: str, given: object, path: str) -> str:
    secret = path.rsplit(".", 1)[-1] in _SECRETS
    shown = HIDDEN if secret else repr(given)[:80]
    if kind == "extra_forbidden":
        return "unknown key" + _nearest(path)
    if kind == "missing":
        return "is missing"
    wanted = message.removeprefix("Value error, ").replace("Input should be", "expected").replace("\n", " ")
    return f"{shown}: {wanted}"


def _nearest(path: str) -> str:
    """The key that was probably meant, among those the section has."""
    section: type[BaseModel] | None = Settings
    *parents, key = (part for part in path.split(".") if not part.isdigit())
    for parent in parents:
        field = section.model_fields.get(parent) if section else None
        found = [a for a in (field.annotation, *get_args(field.annotation)) if isinstance(a, type)] if field else []
        section = next((a for a in found if issubclass(a, BaseModel)), None)
    known = sorted(section.model_fields) if section else []
    close = difflib.get_close_matches(key, known, 1)
    return f", did you mean {close[0]}?" if close else f", expected one of {', '.join(known)}"


def _line_in(message: str) -> int | None:
    found = re.search(r"line (\d+)", message)
    return int(found[1]) if found else None


def _resolve(settings: Settings, base: Path) -> Settings:
    """Relative paths of the file are relative to the file; those of `data` to the working folder."""

    def rooted(path: Path | None) -> Path | None:
        return None if path is None else base / path

    mqtt = {name: rooted(getattr(settings.mqtt, name)) for name in ("ca_file", "cert_file", "key_file")}
    api = {name: rooted(getattr(settings.api, name)) for name in ("cert_file", "key_file")}
    return settings.model_copy(
        update={
            "api": settings.api.model_copy(update=api),
            "mqtt": settings.mqtt.model_copy(update=mqtt),
            "provisioner": settings.provisioner.model_copy(update={"ca_file": rooted(settings.provisioner.ca_file)}),
            "log": settings.log.model_copy(update={"path": rooted(settings.log.path)}),
            "rules": settings.rules.model_copy(update={"file": rooted(settings.rules.file)}),
            "alerts": settings.alerts.model_copy(update={"routes": rooted(settings.alerts.routes)}),
            "fleet": settings.fleet.model_copy(
                update={"plan": rooted(settings.fleet.plan), "districts": rooted(settings.fleet.districts)}
            ),
        }
    )
