"""Texts for people with placeholders: `{depth_cm}`, `{profile.nominal_power_w}`, `{name}`."""

from collections.abc import Mapping
from string import Formatter

from citywarden.model.kind import Kind
from rules.expression import did_you_mean

WORDS = ("device", "name", "district", "value", "threshold", "unit")
UNKNOWN = "—"
_YES_NO = {"zh": ("是", "否"), "en": ("yes", "no")}


def placeholders(text: str) -> list[str]:
    """The names between braces. Raises ValueError when the braces do not match or hold more than a name."""
    names = []
    for _, name, form, conversion in Formatter().parse(text):
        if name is None:
            continue
        if form or conversion:
            raise ValueError(f"`{{{name}}}` has a format, expected only a name")
        names.append(name)
    return names


def check_summary(text: str, kind: Kind) -> list[str]:
    """Everything that is wrong with a summary text of a rule for `kind`."""
    try:
        names = placeholders(text)
    except ValueError as error:
        return [f"{error}, expected placeholders such as {{name}}; write {{{{ for a brace"]
    fields = [q.field for q in kind.quantities]
    wrong = []
    for name in names:
        if name in WORDS or name in fields or (name.startswith("profile.") and name[8:].isidentifier()):
            continue
        guess = did_you_mean(name, [*fields, *WORDS])
        known = ", ".join((*WORDS, *fields))
        wrong.append(f"`{{{name}}}` is unknown{guess}, expected {known} or profile.NAME")
    return wrong


def render(text: str, language: str, values: Mapping[str, float | str | bool | None]) -> str:
    """The text with its placeholders filled; what is not in `values` or None shows as a dash."""
    parts = []
    for literal, name, _, _ in Formatter().parse(text):
        parts.append(literal)
        if name is not None:
            parts.append(write_value(values.get(name), language))
    return "".join(parts)


def write_value(value: float | str | bool | None, language: str) -> str:
    """A value for people: at most two decimals, no trailing zeros; flags in the language's words."""
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        yes, no = _YES_NO.get(language.split("-", maxsplit=1)[0], _YES_NO["en"])
        return yes if value else no
    if isinstance(value, str):
        return value
    short = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if short == "-0" else short
