"""The exception tree.

CitywardenError
├── ConfigurationError   a file or environment variable is wrong: all problems at once
├── Unavailable          a component (store, broker, database) does not answer now; trying again is right
│   └── Occupied         it belongs to another process, most likely the running server
├── HalfDone             a change counts here and could not be carried further; it is remembered
└── NotFound             what was asked for does not exist
"""

from collections.abc import Sequence
from dataclasses import dataclass

from citywarden.model.redaction import redact


class CitywardenError(Exception):
    """Base of every error that is shown to a person as one line, without secrets. `zh`: the same in Chinese, where
    people may read it on a page.
    """

    ZH = ""
    """What is said in Chinese where the error itself does not say it."""

    def __init__(self, what: str = "", zh: str = "") -> None:
        super().__init__(what)
        self.zh = zh

    def __str__(self) -> str:
        return redact(super().__str__())

    def said(self, language: str) -> str:
        """The line in a language, `zh-CN` or `en`; what has no Chinese is said in English."""
        zh = redact(self.zh or self.ZH) if language.startswith("zh") else ""
        return zh or str(self)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a file a person wrote. `line` is 1-based, or None where a line has no meaning."""

    file: str
    line: int | None
    key: str
    what: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return redact(f"{place}: {self.key}: {self.what}" if self.key else f"{place}: {self.what}")


class ConfigurationError(CitywardenError):
    """Bad input written by a person; carries every problem found, not only the first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


class Unavailable(CitywardenError):
    """A component does not answer now. `retry_after_s` is its own wish, where it has one."""

    ZH = "服务暂时不可用，请稍后重试"

    def __init__(self, what: str, retry_after_s: float | None = None) -> None:
        super().__init__(what)
        self.retry_after_s = retry_after_s


class Occupied(Unavailable):
    """What was to be opened belongs to another process, most likely the running server."""


class HalfDone(CitywardenError):
    """A change counts here, and another part could not be told; it is remembered, and can be repaired."""

    ZH = "已生效，但未能通知其他部件，系统稍后会补上"


class NotFound(CitywardenError):
    """What was asked for does not exist."""

    ZH = "所查找的内容不存在"
