"""Changes of levels told as findings: value, threshold, place and texts."""

from collections.abc import Mapping, Sequence

import numpy as np

from citywarden.columns import Floats, Ints
from citywarden.model.alert import Finding, Reason, Severity
from citywarden.model.device import Device
from citywarden.model.kind import Form
from rules.frame import Frame, RuleView, frame_of_moments, view
from rules.levels import Moved
from rules.roster import Roster, position
from rules.rulebook import NO_DATA, Rule
from rules.spans import say_span
from rules.summary import placeholders, render

_SILENT = {"zh-CN": "{name} 超过 {span_zh} 没有数据", "en": "{name} has sent no data for {span_en}"}
_BACK = {"zh-CN": "{name} 恢复数据", "en": "{name} sends data again"}
_PLAIN = {"zh-CN": "{rule}: {name}", "en": "{rule}: {name}"}

_Shown = float | str | bool | None


def tell(frame: Frame | None, roster: Roster, rule: Rule, moved: Sequence[Moved]) -> list[Finding]:
    """The findings of a rule's changes, in their order.

    Values come from the frame's rows, or from the roster as it stands at the time of a change that came without a row.
    """
    bare = [i for i, move in enumerate(moved) if move.row < 0]
    findings: dict[int, Finding] = {}
    if bare:
        slots = np.array([moved[i].slot for i in bare], np.int64)
        at_ms = np.array([moved[i].change.at_ms for i in bare], np.int64)
        teller = _Teller(rule, view(frame_of_moments(roster, slots, at_ms), rule))
        findings |= {i: teller.finding(moved[i], row) for row, i in enumerate(bare)}
    if frame is not None and len(bare) < len(moved):
        teller = _Teller(rule, view(frame, rule))
        findings |= {i: teller.finding(move, move.row) for i, move in enumerate(moved) if move.row >= 0}
    return [findings[i] for i in sorted(findings)]


class _Teller:
    """Makes findings of one rule; columns are computed when the first finding asks for them."""

    def __init__(self, rule: Rule, seen: RuleView) -> None:
        self._rule = rule
        self._seen = seen
        self._numbers: dict[str, Floats] = {}
        self._names = sorted({name for text in rule.summary.values() for name in placeholders(text)})

    def finding(self, move: Moved, row: int) -> Finding:
        rule, change = self._rule, move.change
        device = self._seen.frame.roster.device(move.slot)
        value, unit, threshold = self._judged(change.about - 1, row)
        lat, lon = self._position(device, row)
        shown = self._shown(device, row) | {"value": value, "unit": unit, "threshold": threshold}
        return Finding(
            tenant=device.tenant,
            rule=rule.id,
            kind=device.kind,
            subject=device.id,
            severity=rule.levels[change.level - 1].severity if change.level else None,
            at_ms=change.at_ms,
            reason=change.reason,
            pending=change.pending,
            value=value,
            unit=unit,
            threshold=threshold,
            lat=lat,
            lon=lon,
            summary=_texts(rule.summary, shown) if rule.summary else _texts(_PLAIN, shown | {"rule": rule.id}),
            runbook=rule.runbook,
        )

    def _number(self, name: str, row: int) -> float | None:
        if name not in self._numbers:
            self._numbers[name] = self._seen.number(name)
        return _known(self._numbers[name][row])

    def _judged(self, index: int, row: int) -> tuple[float | None, str, float | None]:
        judged = self._rule.levels[index].judged
        if judged is None:
            return None, "", None
        for part, compiled in (("value", judged.value), ("threshold", judged.threshold)):
            if compiled is not None and f"{part} {index}" not in self._numbers:
                self._numbers[f"{part} {index}"] = compiled(self._seen)
        threshold = _known(self._numbers[f"threshold {index}"][row]) if judged.threshold is not None else None
        return _known(self._numbers[f"value {index}"][row]), judged.unit, threshold

    def _position(self, device: Device, row: int) -> tuple[float | None, float | None]:
        if self._seen.frame.roster.located:
            numbers = self._seen.frame.number("lat")[0][row], self._seen.frame.number("lon")[0][row]
        else:
            numbers = position(device)
        return _known(numbers[0]), _known(numbers[1])

    def _shown(self, device: Device, row: int) -> dict[str, _Shown]:
        shown = _names(device)
        for name in self._names:
            quantity = self._seen.frame.roster.kind.quantity(name)
            if name.startswith("profile."):
                shown[name] = device.profile.get(name[8:], self._rule.profile.get(name[8:]))
            elif quantity and quantity.form is Form.TEXT:
                shown[name] = self._seen.text(name)[row]
            elif quantity:
                number = self._number(name, row)
                shown[name] = number > 0.5 if quantity.form is Form.FLAG and number is not None else number
        return shown


def silent(roster: Roster, rule: Rule, slots: Ints, at_ms: Ints) -> list[Finding]:
    """Devices that have sent nothing for the rule's `no_data`; `at_ms`: since when that is so."""
    span = {f"span_{language}": say_span(rule.no_data_ms or 0, language) for language in ("zh", "en")}
    devices = [(roster.device(slot), when) for slot, when in zip(slots.tolist(), at_ms.tolist(), strict=True)]
    return [_of_silence(who, rule, when, Reason.NO_DATA, _texts(_SILENT, span, who)) for who, when in devices]


def heard(roster: Roster, rule: Rule, slots: Ints) -> list[Finding]:
    """Silent devices that have sent fresh data."""
    devices = [(roster.device(slot), int(roster.newest_ms[slot])) for slot in slots.tolist()]
    return [_of_silence(who, rule, when, Reason.DATA_BACK, _texts(_BACK, {}, who)) for who, when in devices]


def excused(roster: Roster, rule: Rule, slots: Ints, at_ms: int) -> list[Finding]:
    """Silent devices at the end of the rule's hours."""
    return [_of_silence(roster.device(slot), rule, at_ms, Reason.CLEARED, {}) for slot in slots.tolist()]


def _of_silence(device: Device, rule: Rule, at_ms: int, reason: Reason, summary: Mapping[str, str]) -> Finding:
    lat, lon = position(device)
    severity: Severity | None = rule.no_data_severity if reason is Reason.NO_DATA else None
    return Finding(
        tenant=device.tenant,
        rule=rule.id + NO_DATA,
        kind=device.kind,
        subject=device.id,
        severity=severity,
        at_ms=at_ms,
        reason=reason,
        lat=_known(lat),
        lon=_known(lon),
        summary=summary,
        runbook=rule.runbook,
    )


def _names(device: Device) -> dict[str, _Shown]:
    return {"device": device.id, "name": device.name or device.id, "district": device.district}


def _texts(texts: Mapping[str, str], shown: Mapping[str, _Shown], device: Device | None = None) -> dict[str, str]:
    known = {**(_names(device) if device else {}), **shown}
    return {language: render(text, language, known) for language, text in texts.items()}


def _known(number: float) -> float | None:
    return None if np.isnan(number) or np.isinf(number) else float(number)
