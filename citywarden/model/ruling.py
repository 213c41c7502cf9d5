"""The rules in force, as people read them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from citywarden.model.alert import Severity, Summary
from citywarden.model.device import Profile

NO_DATA = ".no_data"
"""What follows a rule's id in the alerts about silence."""
_SILENT = {"zh-CN": "{title} · 无数据", "en": "{title}: no data"}

Titles = Mapping[str, Summary]
"""What each rule of alerts is called, by language; a rule without one is shown by its id."""


class Origin(StrEnum):
    """Where a rule comes from: the rules that come with the server, the user's file, the plan of work, the server."""

    DEFAULT = "default"
    FILE = "file"
    PLAN = "plan"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Demand:
    """A level of a rule. `when`, `reset`: as they stand in the rule file ("" where they stand in none); `said`,
    `reset_said`: the same in words. `reset` "": it ends when `when` no longer holds.
    """

    severity: Severity
    when: str
    said: Summary
    for_ms: int = 0
    reset: str = ""
    reset_said: Summary = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RuleCard:
    """A rule in force. `hold_ms` None: three expected intervals of the device. `hours` such as `22:00-06:00`, "" for
    always. `by_hand`: only a person ends its alerts. `file`, `line`: where it stands, "" and 0 where in no file.
    """

    id: str
    kind: str
    origin: Origin
    title: Summary
    demands: tuple[Demand, ...]
    no_data_ms: int | None = None
    no_data_severity: Severity = Severity.MINOR
    hold_ms: int | None = None
    hours: str = ""
    by_hand: bool = False
    message: Summary = field(default_factory=dict)
    profile: Profile = field(default_factory=dict)
    runbook: str | None = None
    file: str = ""
    line: int = 0

    @property
    def raises(self) -> tuple[str, ...]:
        """The rules that its alerts name: its own id, that of silence, or both."""
        own = (self.id,) if self.demands else ()
        return (*own, *((self.id + NO_DATA,) if self.no_data_ms is not None else ()))


def titles_of(cards: Iterable[RuleCard]) -> dict[str, Summary]:
    """What the rules that alerts name are called. A rule about silence alone gives it its own title."""
    titles: dict[str, Summary] = {}
    for card in cards:
        titles[card.id] = card.title
        if card.no_data_ms is not None:
            silent = {tag: _SILENT.get(tag, _SILENT["en"]).format(title=text) for tag, text in card.title.items()}
            titles[card.id + NO_DATA] = silent if card.demands else card.title
    return {rule: title for rule, title in titles.items() if title}


def said_in(text: Summary, language: str) -> str:
    """A text in a language, in one of the same family (`zh` for `zh-CN`), in any; "" where there is none."""
    near = (said for tag, said in text.items() if tag.partition("-")[0] == language.partition("-")[0])
    return text.get(language) or next(near, "") or next(iter(text.values()), "")


def title_in(titles: Titles, rule: str, language: str) -> str:
    """What a rule is called in a language, or in another one; without a title its id."""
    return said_in(titles.get(rule, {}), language) or rule
