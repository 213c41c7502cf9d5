"""What is wrong with a request, in the language of whoever asked: the field, what was given, what was expected.

The types are those of pydantic 2 (https://docs.pydantic.dev/latest/errors/validation_errors/); one that stands in no
table is told in pydantic's own English.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from dashboards.api.labels import FORMATS, label_of

MOST_SHOWN = 60
"""Characters of a value that are repeated."""
SECRET = frozenset({"password", "old", "new", "secret", "token", "key"})
"""Fields whose value is never repeated."""

_EXPECTED: Mapping[str, tuple[str, str]] = {
    "missing": ("不能缺少", "it is missing"),
    "extra_forbidden": ("没有这一项，请去掉", "there is no such field here"),
    "invalid_key": ("名称应为文字", "names are texts"),
    "none_required": ("应为空", "expected nothing"),
    "string_type": ("应为文字", "expected a text"),
    "string_unicode": ("应为 UTF-8 文字", "expected a text in UTF-8"),
    "string_too_short": ("至少 {min_length} 个字符", "expected at least {min_length} characters"),
    "string_too_long": ("最多 {max_length} 个字符，现有 {length} 个",
                        "expected at most {max_length} characters, got {length}"),
    "string_pattern_mismatch": ("应为 {pattern}", "expected {pattern}"),
    "string_not_ascii": ("只能含英文字符", "expected ASCII characters only"),
    "too_short": ("至少 {min_length} 项", "expected at least {min_length} items"),
    "too_long": ("最多 {max_length} 项，现有 {actual_length} 项",
                 "expected at most {max_length} items, got {actual_length}"),
    "empty": ("不能为空", "it is empty"),
    "enum": ("应为 {expected} 之一", "expected one of {expected}"),
    "literal_error": ("应为 {expected} 之一", "expected one of {expected}"),
    "greater_than": ("应大于 {gt}", "expected more than {gt}"),
    "greater_than_equal": ("应不小于 {ge}", "expected at least {ge}"),
    "less_than": ("应小于 {lt}", "expected less than {lt}"),
    "less_than_equal": ("应不大于 {le}", "expected at most {le}"),
    "multiple_of": ("应为 {multiple_of} 的倍数", "expected a multiple of {multiple_of}"),
    "finite_number": ("应为有限的数字", "expected a finite number"),
    "int_from_float": ("应为整数", "expected a whole number"),
    "int_parsing_size": ("数字过大", "expected a smaller number"),
    "json_invalid": ("不是有效的 JSON", "it is no valid JSON"),
    "json_type": ("应为 JSON 文字", "expected JSON as a text"),
    "date_past": ("应为过去的日期", "expected a date in the past"),
    "date_future": ("应为将来的日期", "expected a date in the future"),
    "datetime_past": ("应为过去的时间", "expected a time in the past"),
    "datetime_future": ("应为将来的时间", "expected a time in the future"),
    "timezone_naive": ("不应带时区", "expected a time without an offset"),
    "timezone_aware": ("应带时区", "expected a time with an offset"),
    "recursion_loop": ("不能包含自身", "it contains itself"),
}  # fmt: skip
_FAMILIES: Mapping[str, tuple[str, str]] = {
    "int": ("应为整数", "expected a whole number"),
    "float": ("应为数字", "expected a number"),
    "decimal": ("应为数字", "expected a number"),
    "bool": ("应为 true 或 false", "expected true or false"),
    "date": ("应为日期，如 2026-11-22", "expected a date such as 2026-11-22"),
    "time": ("应为时刻，如 06:00", "expected a time of day such as 06:00"),
    "datetime": ("应为带时区的时间，如 2026-11-22T06:00:00+08:00", "expected a time such as 2026-11-22T06:00:00+08:00"),
    "time_delta": ("应为时长，如 PT10M", "expected a duration such as PT10M"),
    "list": ("应为列表", "expected a list"),
    "set": ("应为列表", "expected a list"),
    "tuple": ("应为列表", "expected a list"),
    "iterable": ("应为列表", "expected a list"),
    "dict": ("应为 JSON 对象", "expected a JSON object"),
    "mapping": ("应为 JSON 对象", "expected a JSON object"),
    "model": ("应为 JSON 对象", "expected a JSON object"),
    "model_attributes": ("应为 JSON 对象", "expected a JSON object"),
    "dataclass": ("应为 JSON 对象", "expected a JSON object"),
    "url": ("应为网址", "expected an address such as https://example.org"),
    "uuid": ("应为 UUID", "expected a UUID"),
}  # fmt: skip
"""What a value is no good as, whether its type or its text is wrong: the type without what follows."""
_ENDINGS = re.compile(
    r"_(type|parsing|from_datetime_parsing|from_datetime_inexact|from_date_parsing|object_invalid|syntax_violation)$"
)
_BARE = frozenset(
    {"missing", "extra_forbidden", "string_too_long", "too_short", "too_long", "json_invalid", "recursion_loop"}
)
"""Types of which the value says nothing more, or is too long to be repeated."""


class Mistake(BaseModel):
    """One thing wrong with a request. `where`: the place in it; `what`: in words, with the name of the field."""

    where: str
    what: str


class Unfit(ValueError):
    """A value that a validator of ours refuses, in English and Chinese."""

    def __init__(self, what: str, zh: str) -> None:
        super().__init__(what)
        self.zh = zh


def mistake_of(error: Mapping[str, Any], language: str) -> Mistake:
    """One of pydantic's `errors()` in `zh-CN` or `en`."""
    place: tuple[str | int, ...] = tuple(error["loc"])
    if error["type"] == "json_invalid":
        place = place[:1]
    return told(place, _what(error, place, language), language)


def told(place: Sequence[str | int], what: str, language: str) -> Mistake:
    """A mistake with the name of its field before it."""
    where = ".".join(map(str, place))
    label = label_of(tuple(place), language)
    if language.startswith("zh"):
        return Mistake(where=where, what=f"{label}（{where}）：{what}" if label else f"{where}：{what}")
    return Mistake(where=where, what=f"{label} ({where}): {what}" if label else f"{where}: {what}")


def _what(error: Mapping[str, Any], place: Sequence[str | int], language: str) -> str:
    zh, kind = language.startswith("zh"), str(error["type"])
    known = _EXPECTED.get(kind) or _FAMILIES.get(_ENDINGS.sub("", kind))
    context = dict(error.get("ctx") or {})
    if context.get("min_length") == 1:
        return _EXPECTED["empty"][0 if zh else 1]
    if known is None:
        cause = context.get("error")
        own = cause.zh if zh and isinstance(cause, Unfit) else ""
        expected = own or str(error["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    else:
        expected = known[0 if zh else 1].format_map(_numbers(context, error.get("input"), zh))
    if kind in _BARE or any(part in SECRET for part in place) or _shown(error.get("input")) is None:
        return expected
    given = _shown(error.get("input"))
    return f"“{given}”不符合要求，{expected}" if zh else f"{given!r} does not fit, {expected}"


def _numbers(context: Mapping[str, Any], given: object, zh: bool) -> dict[str, object]:
    """What stands in the places of the sentences."""
    found = {name: f"{value:g}" if isinstance(value, float) else value for name, value in context.items()}
    found["length"] = len(given) if isinstance(given, str) else ""
    if "pattern" in found:
        words = FORMATS.get(str(found["pattern"]))
        found["pattern"] = str(found["pattern"]) if words is None else words[0 if zh else 1]
    if "expected" in found:
        choices = re.findall(r"'([^']*)'", str(found["expected"])) or [str(found["expected"])]
        found["expected"] = ("、" if zh else ", ").join(choices)
    return found


def _shown(given: object) -> str | None:
    """A value as it is repeated; None for what is empty, or no single value."""
    if isinstance(given, bool):
        return str(given).lower()
    if isinstance(given, int | float):
        return f"{given:g}" if isinstance(given, float) else str(given)
    if isinstance(given, str) and given.strip():
        text = "".join(letter if letter.isprintable() else "�" for letter in given.strip())
        return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 1]}…"
    return None
