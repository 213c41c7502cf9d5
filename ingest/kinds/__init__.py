"""The kinds of devices: one module each with a `KIND`. A new file here is a new kind everywhere."""

import importlib
import pkgutil

from citywarden.model.kind import Kind, Kinds


def all_kinds() -> Kinds:
    """Every kind in this folder by its name, in the order of their names."""
    found: dict[str, Kind] = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda m: m.name):
        kind = importlib.import_module(f"{__name__}.{module.name}").KIND
        found[kind.name] = kind
    return found
