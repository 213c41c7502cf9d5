"""What the boards call severities, states, verdicts and operations, each in its colour."""

from citywarden.model.alert import Severity
from citywarden.model.case import Stage
from citywarden.model.work import Evidence, Operation, Verdict
from dashboards.console.casewords import WORDS
from dashboards.console.words import REASONS
from dashboards.grafana.colours import BAD, GOOD, GREY, SEVERITY, WARNING
from dashboards.grafana.scene import Scene

Words = dict[str, tuple[str, str]]

JUDGED = (
    "low_coverage", "short_duration", "short_passes", "overspeed", "no_show", "no_data", "sampling_too_coarse",
    "datum_suspect",
)  # fmt: skip
"""Reasons of a verdict, as they stand in a report."""


def severity_words(scene: Scene) -> Words:
    """The contract's words of severities in the reader's language, in their colours, the worst first."""
    said = {
        Severity.CRITICAL: scene.say("紧急", "critical"),
        Severity.MAJOR: scene.say("重要", "major"),
        Severity.MINOR: scene.say("一般", "minor"),
        Severity.INFO: scene.say("提示", "info"),
    }
    return {severity.word: (text, SEVERITY[severity]) for severity, text in said.items()}


def status_words(scene: Scene) -> Words:
    return {
        "firing": (scene.say("告警中", "firing"), BAD),
        "acknowledged": (scene.say("已确认", "acknowledged"), WARNING),
        "resolved": (scene.say("已恢复", "resolved"), GOOD),
    }


def verdict_words(scene: Scene) -> Words:
    return {
        Verdict.MET.value: (scene.say("达标", "met"), GOOD),
        Verdict.NOT_MET.value: (scene.say("未达标", "not met"), BAD),
        Verdict.NOT_JUDGED.value: (scene.say("未判定", "not judged"), GREY),
    }


def operation_words(scene: Scene) -> dict[str, str]:
    """The plan's operations in the reader's language."""
    return {
        Operation.SWEEP.value: scene.say("清扫", "sweeping"),
        Operation.WASH.value: scene.say("冲洗", "washing"),
        Operation.SPRINKLE.value: scene.say("洒水", "sprinkling"),
        Operation.COLLECT.value: scene.say("收运", "collecting"),
    }


def evidence_words(scene: Scene) -> Words:
    return {
        Evidence.EQUIPMENT.value: (scene.say("作业装置", "equipment"), ""),
        Evidence.GPS_ONLY.value: (scene.say("仅定位", "position only"), ""),
    }


def stage_words(scene: Scene) -> dict[str, str]:
    """How far a case has come."""
    return {stage.value: scene.say(*WORDS[f"case_{stage.value}"]) for stage in Stage}


def reason_words(scene: Scene) -> dict[str, str]:
    """Why a task was not met or not judged."""
    return {reason: scene.say(*REASONS[reason]) for reason in JUDGED}
