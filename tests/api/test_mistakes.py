"""What is wrong with a request is said in the asker's language: the field, what was given, what was expected."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, get_args

import pytest
from httpx import ASGITransport, AsyncClient, Response
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, TypeAdapter, ValidationError
from pydantic_core import core_schema

from citywarden.model.identity import Identity, Role
from dashboards.api import build_api
from dashboards.api.labels import FORMATS, LABELS, label_of
from dashboards.api.mistakes import _EXPECTED, _FAMILIES, MOST_SHOWN, SECRET, Unfit, mistake_of
from dashboards.api.questions import Moment
from dashboards.api.rights import ROLES
from dashboards.console.words import word
from tests.api.fakes import FakeDirectory, sources
from tests.api.test_rights import As, whole
from tests.builders import device

CHINESE = {"accept-language": "zh-CN,zh;q=0.9,en;q=0.5"}


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Inner(BaseModel):
    note: str


def refuse(value: str) -> str:
    raise Unfit("expected another", "应为别的")


def refuse_plainly(value: str) -> str:
    raise ValueError("expected a poem")


def said(shape: Any, value: object, place: tuple[str, ...] = ("body", "note")) -> tuple[str, str]:
    """What is said of a value of that shape in a place, in Chinese and English."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(shape).validate_python(value)
    error: dict[str, Any] = dict(caught.value.errors()[0])
    error["loc"] = (*place, *error["loc"])
    return mistake_of(error, "zh-CN").what, mistake_of(error, "en").what


@pytest.mark.parametrize(
    ("shape", "value", "zh", "en"),
    [
        (Annotated[str, Field(max_length=3)], "abcde",
         "最多 3 个字符，现有 5 个", "expected at most 3 characters, got 5"),
        (Annotated[str, Field(min_length=1)], "", "不能为空", "it is empty"),
        (Annotated[str, Field(min_length=3)], "ab",
         "“ab”不符合要求，至少 3 个字符", "'ab' does not fit, expected at least 3 characters"),
        (Annotated[str, Field(pattern="^a+$")], "b", "“b”不符合要求，应为 ^a+$", "'b' does not fit, expected ^a+$"),
        (Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")], "a b",
         "“a b”不符合要求，应为 1 至 64 个字母、数字或 _ . -",
         "'a b' does not fit, expected 1 to 64 letters, digits or _ . -"),
        (str, 5, "“5”不符合要求，应为文字", "'5' does not fit, expected a text"),
        (str, {}, "应为文字", "expected a text"),
        (int, "many", "“many”不符合要求，应为整数", "'many' does not fit, expected a whole number"),
        (int, 1.5, "“1.5”不符合要求，应为整数", "'1.5' does not fit, expected a whole number"),
        (float, "many", "“many”不符合要求，应为数字", "'many' does not fit, expected a number"),
        (Annotated[int, Field(ge=1)], 0, "“0”不符合要求，应不小于 1", "'0' does not fit, expected at least 1"),
        (Annotated[int, Field(le=9)], 10, "“10”不符合要求，应不大于 9", "'10' does not fit, expected at most 9"),
        (Annotated[float, Field(gt=0)], 0.0, "“0”不符合要求，应大于 0", "'0' does not fit, expected more than 0"),
        (Annotated[float, Field(lt=2.5)], 3, "“3”不符合要求，应小于 2.5", "'3' does not fit, expected less than 2.5"),
        (bool, "maybe", "“maybe”不符合要求，应为 true 或 false", "'maybe' does not fit, expected true or false"),
        (Colour, "pink", "“pink”不符合要求，应为 red、blue 之一", "'pink' does not fit, expected one of red, blue"),
        (Literal["a", "b"], "c", "“c”不符合要求，应为 a、b 之一", "'c' does not fit, expected one of a, b"),
        (date, "2026-13-01", "“2026-13-01”不符合要求，应为日期，如 2026-11-22",
         "'2026-13-01' does not fit, expected a date such as 2026-11-22"),
        (datetime, "soon", "“soon”不符合要求，应为带时区的时间，如 2026-11-22T06:00:00+08:00",
         "'soon' does not fit, expected a time such as 2026-11-22T06:00:00+08:00"),
        (AwareDatetime, "2026-11-22T06:00:00", "“2026-11-22T06:00:00”不符合要求，应带时区",
         "'2026-11-22T06:00:00' does not fit, expected a time with an offset"),
        (Moment, "soon", "“soon”不符合要求，应为带时区的时间（如 2026-11-22T06:00:00+08:00），或 1970 年以来的毫秒数",
         "'soon' does not fit, expected RFC 3339 with offset (2026-11-22T06:00:00+08:00) or integer ms since 1970"),
        (list[str], "a", "“a”不符合要求，应为列表", "'a' does not fit, expected a list"),
        (Annotated[list[str], Field(max_length=1)], ["a", "b"],
         "最多 1 项，现有 2 项", "expected at most 1 items, got 2"),
        (Annotated[list[str], Field(min_length=1)], [], "不能为空", "it is empty"),
        (dict[str, str], 1, "“1”不符合要求，应为 JSON 对象", "'1' does not fit, expected a JSON object"),
        (Inner, {}, "不能缺少", "it is missing"),
        (Annotated[str, AfterValidator(refuse)], "x", "“x”不符合要求，应为别的", "'x' does not fit, expected another"),
        (Annotated[str, AfterValidator(refuse_plainly)], "x",
         "“x”不符合要求，expected a poem", "'x' does not fit, expected a poem"),
    ],
)  # fmt: skip
def test_a_mistake_in_both_languages(shape: object, value: object, zh: str, en: str) -> None:
    told_zh, told_en = said(shape, value)
    assert told_zh.startswith("备注（body.note") and told_zh.endswith(f"）：{zh}")
    assert told_en.startswith("Note (body.note") and told_en.endswith(f"): {en}")


def test_a_type_nobody_has_words_for_is_told_as_pydantic_tells_it() -> None:
    error = {"type": "is_subclass_of", "loc": ("body", "odd"), "msg": "Input should be a subclass of X", "input": None}
    assert mistake_of(error, "zh-CN").what == "body.odd：Input should be a subclass of X"
    assert mistake_of(error, "en").what == "body.odd: Input should be a subclass of X"


def test_the_tables_name_types_that_pydantic_has() -> None:
    types = set(get_args(core_schema.ErrorType))
    assert set(_EXPECTED) - {"empty"} <= types
    assert all(any(one.startswith(f"{family}_") for one in types) for family in _FAMILIES)


@given(st.text(max_size=300))
def test_a_value_is_never_repeated_at_length_and_a_secret_never(text: str) -> None:
    zh, en = said(Literal["never this"], text)
    assert max(len(zh), len(en)) < 120 + MOST_SHOWN
    for name in SECRET:
        for one in said(Literal["never this"], f"hunter2{text}", ("body", name)):
            assert "hunter2" not in one


def test_fields_are_called_as_the_forms_call_them() -> None:
    forms = {
        "by": "who", "note": "note", "to": "assign_to", "why": "why", "kind": "kind", "subject": "subject",
        "district": "district", "tenant": "tenant", "severity": "severity", "up_to": "at_most", "ends_at": "until",
        "starts_at": "from", "category": "case_category", "title": "case_title", "text": "case_text",
        "place": "case_place", "role": "user_role", "unit": "user_unit", "password": "password", "old": "old_password",
        "new": "new_password", "scopes": "scopes", "expires_at": "expires", "rule": "rule", "owner": "owner",
    }  # fmt: skip
    for language in ("zh-CN", "en"):
        for field, key in forms.items():
            assert label_of(("body", field), language) == word(key, language), field
        if language == "zh-CN":
            assert {role: word(f"role_{role}", language) for role in Role} == ROLES
    assert label_of(("query", "from"), "en") == "From"
    assert label_of(("body", "limit", "amount"), "en") == "Amount"
    assert label_of(("body",), "en") == label_of(("body", "colour"), "en") == ""
    assert all(zh and en for zh, en in [*LABELS.values(), *FORMATS.values()])


async def ask(who: Identity, method: str, path: str, body: object = None, known: object = None) -> Response:
    api = build_api(known if known is not None else whole())  # type: ignore[arg-type]
    async with AsyncClient(transport=ASGITransport(As(api, who)), base_url="http://a") as http:
        return await http.request(method, path, json=body, headers=CHINESE)


async def test_a_form_and_a_refusal_are_answered_in_chinese() -> None:
    li = Identity("li", Role.DISPATCHER)
    wrong = await ask(li, "POST", "/api/v1/silences", {"ends_at": "soon", "severity": "grave", "colour": "red"})
    assert (wrong.status_code, wrong.headers["content-language"]) == (422, "zh-CN")
    assert wrong.headers["vary"] == "Accept-Language"
    assert [(one["where"], one["what"]) for one in wrong.json()["errors"]] == [
        ("body.severity", "级别（body.severity）：“grave”不符合要求，应为 info、minor、major、critical 之一"),
        ("body.ends_at", "结束（body.ends_at）：“soon”不符合要求，"
         "应为带时区的时间（如 2026-11-22T06:00:00+08:00），或 1970 年以来的毫秒数"),
        ("body.why", "原因（body.why）：不能缺少"),
        ("body.colour", "body.colour：没有这一项，请去掉"),
    ]  # fmt: skip
    assert wrong.json()["detail"].count("；") == 3
    refused = await ask(li, "POST", "/api/v1/users", {})
    assert (refused.status_code, refused.json()["detail"]) == (403, "li 的角色是“调度”，此操作需要“管理员”角色")
    assert refused.headers["content-language"] == "zh-CN"
    north = await ask(Identity("n", Role.ADMINISTRATOR, "north"), "GET", "/metrics")
    assert (north.status_code, north.json()["detail"]) == (403, "n 只能查看租户 north，此处涉及全部租户")
    stranger = await ask(Identity("", Role.VIEWER, ""), "GET", "/api/v1/rules")
    assert (stranger.status_code, stranger.json()["detail"]) == (401, "请先登录，或出示令牌")
    assert stranger.headers["www-authenticate"] == "Bearer"


async def test_questions_that_cannot_be_answered_say_so_in_chinese() -> None:
    things = [device("gas", "g", tenant="t1"), device("gas", "g", tenant="t2")]
    known = sources(devices=FakeDirectory(things))
    twice = await ask(Identity("v", Role.VIEWER), "GET", "/api/v1/readings/gas/g", known=known)
    assert twice.json()["errors"] == [
        {"where": "query.tenant", "what": "租户（query.tenant）：多个租户都有 gas 'g'：t1, t2，请指明租户"}
    ]
    wrong = await ask(Identity("v", Role.VIEWER), "GET", "/api/v1/stream?events=news", known=known)
    assert wrong.json()["detail"].startswith("query.events：没有 news，应取自：")
