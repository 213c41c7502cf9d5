"""Conditions in plain words: what people read of a rule says what the rule does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citywarden.model.device import Profile
from rules.expression import check_condition
from rules.plain import say_condition
from rules.rulebook import form_of_value
from tests.builders import KINDS

NOTHING: Profile = {}


def said(text: str, kind: str = "gas", profile: Profile = NOTHING) -> tuple[str, str]:
    """A condition in Chinese and English."""
    forms = {name: form_of_value(value) for name, value in profile.items()}
    node, wrong = check_condition(text, KINDS[kind], forms)
    assert node is not None, wrong
    words = say_condition(node, KINDS[kind], profile)
    return words["zh-CN"], words["en"]


@pytest.mark.parametrize(
    ("kind", "text", "zh", "en"),
    [
        ("gas", "methane_lel_pct >= 25", "甲烷 ≥ 25 %LEL", "Methane ≥ 25 %LEL"),
        ("gas", "25 <= methane_lel_pct", "25 %LEL ≤ 甲烷", "25 %LEL ≤ Methane"),
        ("gas", "5 <= co_ppm < 24", "5 ppm ≤ 一氧化碳 且 一氧化碳 < 24 ppm",
         "5 ppm ≤ Carbon monoxide and Carbon monoxide < 24 ppm"),
        ("gas", "not (o2_pct > 23)", "氧气 ≤ 23 %", "Oxygen ≤ 23 %"),
        ("waterlogging", "rate(depth_cm, 10m) >= 10", "10 分钟内积水深度的变化 ≥ 10 cm",
         "Change of Water depth in 10 min ≥ 10 cm"),
        ("waterlogging", "minimum(depth_cm, 1h) > 2 or maximum(depth_cm, 90s) > 9",
         "1 小时内积水深度的最小值 > 2 cm 或 90 秒内积水深度的最大值 > 9 cm",
         "Least Water depth of 1 h > 2 cm or greatest Water depth of 90 s > 9 cm"),
        ("streetlight", "changes(on, 10m) >= 3", "10 分钟内亮灯的变化次数 ≥ 3", "Changes of Lit in 10 min ≥ 3"),
        ("streetlight", "on and not commanded_on", "亮灯 = 是 且 指令亮灯 = 否", "Lit = yes and Commanded on = no"),
        ("streetlight", 'fault == "lamp"', "故障 = “lamp”", "Fault = “lamp”"),
        ("streetlight", "(on or night()) and not night(-6)",
         "（亮灯 = 是 或 夜间） 且 太阳不低于地平线下 6°",
         "(Lit = yes or it is night) and the sun is not 6° below the horizon"),
        ("streetlight", "not (on and night())", "并非（亮灯 = 是 且 夜间）", "Not (Lit = yes and it is night)"),
        ("streetlight", "power_w > 2 * (current_a + 1) - -3",
         "功率 > 2 × （电流 + 1） − -3", "Power > 2 × (Current + 1) − -3"),
        ("streetlight", "default(dim_pct, 100) < 50", "调光（未知时按 100） < 50 %",
         "Dimming (100 while unknown) < 50 %"),
        ("streetlight", "abs(voltage_v - 220) > 20", "|电压 − 220| > 20 V", "|Voltage − 220| > 20 V"),
        ("gas", "max(co_ppm, h2s_ppm) > 9", "一氧化碳、硫化氢 中的最大值 > 9 ppm",
         "The greatest of Carbon monoxide, Hydrogen sulfide > 9 ppm"),
    ],
)  # fmt: skip
def test_a_condition_in_both_languages(kind: str, text: str, zh: str, en: str) -> None:
    assert said(text, kind) == (zh, en)


def test_a_number_of_the_profile_is_told_with_the_rules_default() -> None:
    told = said("co_ppm > profile.limit", profile={"limit": 24})
    assert told == ("一氧化碳 > 设备档案 limit（默认 24）", "Carbon monoxide > the device's limit (24 by default)")
    assert said("co_ppm > profile.limit")[0] == "一氧化碳 > 设备档案 limit"
    assert said("not profile.spare", profile={"spare": False})[1] == "The device's spare = no"


@given(st.lists(st.sampled_from(["co_ppm > 1", "not co_ppm < 2", "night()", "not night(-6)"]), min_size=2, max_size=5),
       st.sampled_from(["and", "or"]))  # fmt: skip
def test_every_part_of_a_condition_is_said(parts: list[str], op: str) -> None:
    zh, en = said(f" {op} ".join(parts))
    assert en.lower() == f" {op} ".join(said(part)[1].lower() for part in parts)
    assert zh == f" {'且' if op == 'and' else '或'} ".join(said(part)[0] for part in parts)
