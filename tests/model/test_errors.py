"""What is refused, in the language of whoever reads it."""

import re

import pytest

from citywarden.model.access import Denied, Forbidden, TooOften
from citywarden.model.command import BadCommand, checked
from citywarden.model.errors import CitywardenError, NotFound, Unavailable
from citywarden.model.kind import JsonScalar
from citywarden.model.redaction import keep_secret
from tests.builders import KINDS


def test_an_error_is_said_in_english_where_it_has_no_chinese() -> None:
    assert CitywardenError("it is late").said("zh-CN") == "it is late"
    assert CitywardenError("it is late", "太晚了").said("zh-CN") == "太晚了"
    assert CitywardenError("it is late", "太晚了").said("en") == str(CitywardenError("it is late")) == "it is late"


@pytest.mark.parametrize("error", [Unavailable("no"), NotFound("no"), Denied("no"), Forbidden("no"), TooOften(30)])
def test_what_may_happen_anywhere_always_has_chinese(error: CitywardenError) -> None:
    assert re.search("[\u4e00-\u9fff]", error.said("zh-CN"))
    assert not re.search("[A-Za-z]", error.said("zh-CN"))
    assert "30" in TooOften(30).said("zh-CN")


def test_secrets_are_hidden_in_either_language() -> None:
    keep_secret("harbour-saffron-91")
    error = CitywardenError("not with harbour-saffron-91", "不能用 harbour-saffron-91")
    assert "harbour-saffron-91" not in error.said("zh-CN") + error.said("en")


@pytest.mark.parametrize(
    ("kind", "name", "args", "zh"),
    [
        ("gas", "off", {}, "燃气探测器不接受控制指令"),
        ("streetlight", "explode", {}, "没有指令“explode”，可用：开灯、关灯、调光"),
        ("streetlight", "dim", {"pct": 140}, "“亮度”不能是 140，应为 0 至 100 % 之间的数"),
        ("streetlight", "dim", {}, "缺少“亮度”"),
        ("streetlight", "off", {"colour": "red"}, "没有参数“colour”"),
    ],
)
def test_a_command_that_does_not_fit_is_said_in_chinese(
    kind: str, name: str, args: dict[str, JsonScalar], zh: str
) -> None:
    with pytest.raises(BadCommand) as refused:
        checked(KINDS[kind], name, args)
    assert zh in refused.value.said("zh-CN")
    assert not re.search("[\u4e00-\u9fff]", refused.value.said("en"))
