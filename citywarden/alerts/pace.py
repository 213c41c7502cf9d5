"""How fast messages go to one target, and when several become one: pure, with time passed in."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from citywarden.alerts.letter import Letter
from citywarden.alerts.outbox import Delivery

MINUTE_MS = 60_000

DIGEST_FROM = 4
"""As many waiting notices go into one message for a target with a limit; fewer go one by one while there is room."""

DIGEST_GAP_MS = 10_000
"""A storm lasts: after a digest the next message collects this long."""

DIGEST_LIMIT = 1000
"""Most notices of one digest."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Times (ms) of the messages of the last minute, at most `per_min`; `collect_until_ms`: see DIGEST_GAP_MS."""

    per_min: int | None
    sent_ms: tuple[int, ...] = ()
    collect_until_ms: int = 0


def ready_ms(pace: Pace, now_ms: int) -> int:
    """The earliest time at which the next message may go, `now_ms` when it may go now."""
    if pace.per_min is None:
        return now_ms
    recent = [at_ms for at_ms in pace.sent_ms if now_ms - at_ms < MINUTE_MS]
    free_ms = recent[-pace.per_min] + MINUTE_MS if len(recent) >= pace.per_min else now_ms
    return max(now_ms, free_ms, pace.collect_until_ms)


def note_sent(pace: Pace, now_ms: int, digest: bool) -> Pace:
    """The pace after a message went out."""
    if pace.per_min is None:
        return pace
    recent = tuple(at_ms for at_ms in pace.sent_ms if now_ms - at_ms < MINUTE_MS)
    return replace(
        pace,
        sent_ms=(*recent, now_ms),
        collect_until_ms=now_ms + DIGEST_GAP_MS if digest else pace.collect_until_ms,
    )


def bundle(pace: Pace, waiting: Sequence[Delivery]) -> tuple[Delivery, ...]:
    """Which of the waiting deliveries, in their order, make the next message: one, or those of a digest.

    A digest that was begun stays as it was. An empty sequence makes nothing.
    """
    if not waiting:
        return ()
    head = waiting[0]
    if head.digest is not None:
        return tuple(delivery for delivery in waiting if delivery.digest == head.digest)
    if pace.per_min is None:
        return (head,)
    loose = [delivery for delivery in waiting if delivery.digest is None]
    return tuple(loose[:DIGEST_LIMIT]) if len(loose) >= DIGEST_FROM else (head,)


def letter_of(bundled: Sequence[Delivery]) -> Letter:
    """The message of a bundle."""
    head = bundled[0]
    notices = tuple(delivery.notice for delivery in bundled)
    return Letter(head.digest or head.id, notices, digest=head.digest is not None)
