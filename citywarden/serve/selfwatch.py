"""Alerts that the server raises about itself: kind `server`, subject the name of its session at the broker.

Figures in, findings out, by the steady time passed in; what is open survives a restart as any alert does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from citywarden.model.alert import SERVER_KIND, Alert, Finding, Reason, Severity, Summary


@dataclass(frozen=True, slots=True)
class Sign:
    """One thing that can be wrong. `levels`: (value from which it counts, severity), rising; with `below` falling.

    It has to hold `for_s`, and is over once the value is on the good side of `reset`. `named`: what it is called,
    `measured`: what the value is; both Chinese and English.
    """

    rule: str
    named: tuple[str, str]
    measured: tuple[str, str]
    unit: str
    levels: tuple[tuple[float, Severity], ...]
    reset: float
    zh: str
    en: str
    for_s: float = 0.0
    below: bool = False

    @property
    def title(self) -> Summary:
        return dict(zip(("zh-CN", "en"), self.named, strict=True))

    def level(self, value: float, held: Severity | None) -> tuple[Severity, float] | None:
        """The level that counts now, and its threshold; None when all is well. A held one stays until the reset."""
        sign = -1.0 if self.below else 1.0
        found = [(severity, at) for at, severity in self.levels if sign * value >= sign * at]
        if found:
            return found[-1]
        if held is not None and sign * value > sign * self.reset:
            return held, self.levels[0][0]
        return None


_MAJOR, _CRITICAL = Severity.MAJOR, Severity.CRITICAL
SIGNS = (
    Sign("ingest.behind", ("处理落后", "Ingest behind"), ("规则判断落后", "The rules are behind by"),
         "s", ((30, _MAJOR), (300, _CRITICAL)), 10,
         "规则判断落后 {value:.0f} 秒：报文多于处理能力",
         "The rules are {value:.0f} s behind: more messages than the server can take", for_s=10),
    Sign("store.behind", ("数据库落后", "Store behind"), ("数据库无法写入的时间", "The store has taken nothing for"),
         "s", ((60, _MAJOR), (3600, _CRITICAL)), 1,
         "数据库 {value:.0f} 秒无法写入，读数在日志中等待",
         "The store has taken nothing for {value:.0f} s; readings wait in the log"),
    Sign("broker.away", ("消息服务器断开", "Broker away"),
         ("与消息服务器断开的时间", "No connection to the broker for"), "s", ((60, _CRITICAL),), 1,
         "与消息服务器断开已 {value:.0f} 秒",
         "No connection to the broker for {value:.0f} s"),
    Sign("broker.taken_over", ("客户端标识冲突", "Client id used twice"),
         ("另一台服务器使用了相同的 client id", "Another server uses the same client id"), "", ((1, _MAJOR),), 0,
         "另一台服务器使用了相同的 client id",
         "Another server uses the same client id: give each its own ([mqtt] client_id)"),
    Sign("log.stalled", ("日志停滞", "Log stalled"), ("日志无法写入的时间", "The log cannot be written for"),
         "s", ((5, _CRITICAL),), 1, "日志已 {value:.0f} 秒无法写入，报文在消息服务器中等待",
         "The log cannot be written for {value:.0f} s; messages wait in the broker"),
    Sign("disk.low", ("磁盘空间不足", "Disk nearly full"), ("磁盘剩余空间", "Left on the disk"),
         "MB", ((1024, _MAJOR), (256, _CRITICAL)), 1280, "磁盘仅剩 {value:.0f} MB",
         "Only {value:.0f} MB left on the disk", below=True),
    Sign("server.clock", ("服务器时钟异常", "Server clock wrong"), ("系统时钟跳变", "The system clock jumped by"),
         "s", ((120, _MAJOR),), 0, "系统时钟跳变 {value:.0f} 秒，服务器沿用原来的时间",
         "The system clock jumped by {value:.0f} s; the server keeps its own time", for_s=5),
    Sign("server.failing", ("服务器部件故障", "Server part failing"),
         ("服务器有部件反复失败", "A part of the server fails again and again"), "", ((1, _MAJOR),), 0,
         "服务器有 {value:.0f} 个部件反复失败",
         "{value:.0f} parts of the server fail again and again", for_s=20),
)  # fmt: skip


@dataclass(slots=True)
class Watching:
    """What is held now, and since when something is wrong (steady s), by rule."""

    held: dict[str, Severity] = field(default_factory=dict)
    since_s: dict[str, float] = field(default_factory=dict)


def resume(subject: str, alerts: Sequence[Alert]) -> Watching:
    """After a restart: what is open of this server counts as held."""
    return Watching({a.rule: a.severity for a in alerts if a.kind == SERVER_KIND and a.subject == subject})


def step(
    state: Watching, figures: Mapping[str, float], whose: tuple[str, str], now_s: float, at_ms: int
) -> list[Finding]:
    """Changes of level; `state` is brought up to date. `figures`: value by rule; `whose`: (tenant, subject)."""
    findings = []
    for sign in SIGNS:
        value, held = figures.get(sign.rule), state.held.get(sign.rule)
        if value is None:
            continue
        counts = sign.level(value, held)
        if counts is None:
            state.since_s.pop(sign.rule, None)
            if held is not None:
                del state.held[sign.rule]
                findings.append(_finding(sign, whose, None, at_ms, value, None))
            continue
        severity, threshold = counts
        since_s = state.since_s.setdefault(sign.rule, now_s)
        if severity is held or (held is None and now_s - since_s < sign.for_s):
            continue
        state.held[sign.rule] = severity
        findings.append(_finding(sign, whose, severity, at_ms, value, threshold))
    return findings


def _finding(
    sign: Sign, whose: tuple[str, str], severity: Severity | None, at_ms: int, value: float, threshold: float | None
) -> Finding:
    tenant, subject = whose
    return Finding(
        tenant, sign.rule, SERVER_KIND, subject, severity, at_ms,
        Reason.CLEARED if severity is None else Reason.THRESHOLD,
        value=value, unit=sign.unit, threshold=threshold,
        summary={"zh-CN": sign.zh.format(value=value), "en": sign.en.format(value=value)},
    )  # fmt: skip
