"""Conditions in plain words, Chinese and English: `depth_cm >= 15` is `积水深度 ≥ 15 cm`, `Water depth ≥ 15 cm`."""

from collections.abc import Mapping
from dataclasses import dataclass

from citywarden.model.device import Profile
from citywarden.model.kind import Form, Kind
from rules.expression import (
    HORIZON_DEG,
    FieldRef,
    Literal,
    NightRef,
    Node,
    Operation,
    ProfileRef,
    WindowRef,
)
from rules.spans import say_span
from rules.summary import write_value

LANGUAGES: Mapping[str, str] = {"zh-CN": "zh", "en": "en"}
"""Tags of the texts -> the language of `say_span` and `write_value`."""

_SIGNS = {"<": "<", "<=": "≤", ">": ">", ">=": "≥", "==": "=", "!=": "≠"}
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
_BINDING = {"+": 1, "-": 1, "*": 2, "/": 2, "negate": 3}
_SUMS = {"+": "+", "-": "−", "*": "×", "/": "÷"}
_WORDS: Mapping[str, tuple[str, str]] = {
    "and": (" 且 ", " and "),
    "or": (" 或 ", " or "),
    "not": ("并非（{x}）", "not ({x})"),
    "group": ("（{x}）", "({x})"),
    "yes": ("{x} = 是", "{x} = yes"),
    "no": ("{x} = 否", "{x} = no"),
    "profile": ("设备档案 {x}", "the device's {x}"),
    "profile or": ("设备档案 {x}（默认 {y}）", "the device's {x} ({y} by default)"),
    "night": ("夜间", "it is night"),
    "day": ("白天", "it is day"),
    "night below": ("太阳低于地平线 {x}°", "the sun is more than {x}° below the horizon"),
    "night above": ("太阳不低于地平线下 {x}°", "the sun is not {x}° below the horizon"),
    "rate": ("{y}内{x}的变化", "change of {x} in {y}"),
    "mean": ("{y}内{x}的平均值", "mean {x} of {y}"),
    "minimum": ("{y}内{x}的最小值", "least {x} of {y}"),
    "maximum": ("{y}内{x}的最大值", "greatest {x} of {y}"),
    "changes": ("{y}内{x}的变化次数", "changes of {x} in {y}"),
    "default": ("{x}（未知时按 {y}）", "{x} ({y} while unknown)"),
    "abs": ("|{x}|", "|{x}|"),
    "min": ("{x} 中的最小值", "the least of {x}"),
    "max": ("{x} 中的最大值", "the greatest of {x}"),
    "comma": ("、", ", "),
}


def say_condition(node: Node, kind: Kind, profile: Profile) -> dict[str, str]:
    """A checked condition in both languages. `profile`: the rule's own defaults, told beside the names they are for."""
    return {tag: _Speaker(kind, profile, language).condition(node) for tag, language in LANGUAGES.items()}


@dataclass(frozen=True, slots=True)
class _Speaker:
    kind: Kind
    profile: Profile
    language: str

    def condition(self, node: Node) -> str:
        """The whole of it, begun with a capital letter where the language has them."""
        said = self._flag(node)
        return said[:1].upper() + said[1:]

    def _word(self, key: str, x: str = "", y: str = "") -> str:
        return _WORDS[key][0 if self.language == "zh" else 1].format(x=x, y=y)

    def _flag(self, node: Node, holds: bool = True) -> str:
        """A flag that is to be true, or with `holds` false the opposite."""
        if isinstance(node, NightRef):
            low = f"{-node.below_deg:g}"
            if node.below_deg == HORIZON_DEG:
                return self._word("night" if holds else "day")
            return self._word("night below" if holds else "night above", low)
        if isinstance(node, Operation) and node.op == "not":
            return self._flag(node.args[0], not holds)
        if isinstance(node, Operation) and node.op in _SIGNS:
            return self._comparison(node, node.op if holds else _OPPOSITE[node.op])
        if isinstance(node, Operation) and node.op in ("and", "or"):
            parts = [self._member(arg, node.op) for arg in node.args]
            said = self._word(node.op).join(parts)
            return said if holds else self._word("not", said)
        return self._word("yes" if holds else "no", self._value(node))

    def _member(self, node: Node, op: str) -> str:
        said = self._flag(node)
        other = isinstance(node, Operation) and node.op in ("and", "or") and node.op != op
        return self._word("group", said) if other else said

    def _comparison(self, node: Operation, op: str) -> str:
        left, right = node.args
        units = [unit for unit in (self._unit(left), self._unit(right)) if unit]
        unit = units[0] if units else ""
        return f"{self._beside(left, unit)} {_SIGNS[op]} {self._beside(right, unit)}"

    def _beside(self, node: Node, unit: str) -> str:
        """A side of a comparison; a plain number gets the unit of what it is compared with."""
        said = self._value(node)
        return f"{said} {unit}" if unit and isinstance(node, Literal) else said

    def _unit(self, node: Node) -> str:
        if isinstance(node, FieldRef):
            quantity = self.kind.quantity(node.name)
            return quantity.unit if quantity else ""
        if isinstance(node, Operation) and node.op in ("+", "-", "abs", "min", "max", "default", "negate"):
            return next((unit for arg in node.args if (unit := self._unit(arg))), "")
        return node.unit if isinstance(node, WindowRef) else ""

    def _value(self, node: Node) -> str:
        match node:
            case Literal(value=value):
                return f"“{value}”" if isinstance(value, str) else write_value(value, self.language)
            case FieldRef(name=name):
                return self._label(name)
            case ProfileRef(name=name) if name in self.profile and node.form is not Form.FLAG:
                return self._word("profile or", name, write_value(self.profile[name], self.language))
            case ProfileRef(name=name):
                return self._word("profile", name)
            case WindowRef(function=function, field=field, span_ms=span_ms):
                return self._word(function, self._label(field), say_span(span_ms, self.language))
            case Operation():
                return self._sum(node)
        return self._flag(node)

    def _sum(self, node: Operation) -> str:
        op, args = node.op, node.args
        if op == "default":
            return self._word("default", self._value(args[0]), self._value(args[1]))
        if op in ("abs", "min", "max"):
            return self._word(op, self._word("comma").join(self._value(arg) for arg in args))
        if op == "negate":
            return f"−{self._operand(args[0], 3)}"
        if op not in _SUMS:
            return self._word("group", self._flag(node))
        binding = _BINDING[op]
        return f"{self._operand(args[0], binding)} {_SUMS[op]} {self._operand(args[1], binding + 1)}"

    def _operand(self, node: Node, binding: int) -> str:
        said = self._value(node)
        loose = isinstance(node, Operation) and _BINDING.get(node.op, 9) < binding
        return self._word("group", said) if loose else said

    def _label(self, field: str) -> str:
        quantity = self.kind.quantity(field)
        if quantity is None:
            return field
        return quantity.zh if self.language == "zh" else quantity.en
