"""One page of a list that is read in pieces."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list; `next` is the cursor to ask for the following one, or None."""

    items: Sequence[T]
    next: str | None
