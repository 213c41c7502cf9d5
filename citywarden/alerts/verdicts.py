"""What an answer to a delivery means: the table of HTTP codes, the tables of the robots, and when to try again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

import orjson


class Verdict(StrEnum):
    """`delivered`: done. `retry`: later, the following messages wait. `throttled`: the same, at the receiver's pace.
    `refused`: this message will never be taken, the next may be. `gone`: the receiver wants no more messages.
    """

    DELIVERED = "delivered"
    RETRY = "retry"
    THROTTLED = "throttled"
    REFUSED = "refused"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Judgement:
    """Outcome of an attempt. `hold_s`: the receiver's own wish when to try again; `code`: HTTP status, if any."""

    verdict: Verdict
    detail: str = ""
    code: int | None = None
    hold_s: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A receiver's HTTP answer, as much of it as matters."""

    code: int
    headers: Mapping[str, str]
    body: bytes


_OK, _RETRY, _SLOW = Verdict.DELIVERED, Verdict.RETRY, Verdict.THROTTLED
_NEVER, _GONE = Verdict.REFUSED, Verdict.GONE

CODES: tuple[tuple[int, int, Verdict, str], ...] = (
    # first, last, verdict, why. The first row that fits counts.
    (100, 199, _RETRY, "not an answer to a request"),
    (200, 299, _OK, "taken"),
    (300, 399, _RETRY, "redirects are not followed: correct the target's url"),
    (400, 400, _NEVER, "the receiver cannot read this message"),
    (401, 401, _RETRY, "not authorised: correct the target's secret or headers"),
    (402, 402, _RETRY, "the receiver's account wants paying"),
    (403, 403, _RETRY, "forbidden: correct the target's secret or headers"),
    (404, 404, _RETRY, "no such address: correct the target's url"),
    (405, 405, _RETRY, "the address takes no POST: correct the target's url"),
    (406, 406, _NEVER, "the receiver wants another format"),
    (407, 407, _RETRY, "the proxy wants authentication"),
    (408, 408, _RETRY, "the receiver was too slow to read"),
    (409, 409, _RETRY, "conflict at the receiver"),
    (410, 410, _GONE, "the receiver wants no more messages"),
    (411, 417, _NEVER, "the receiver does not accept this message"),
    (421, 421, _RETRY, "misdirected: correct the target's url"),
    (422, 422, _NEVER, "the receiver does not accept this message"),
    (423, 424, _RETRY, "locked at the receiver"),
    (425, 425, _RETRY, "too early"),
    (426, 426, _NEVER, "the receiver wants another protocol"),
    (428, 428, _NEVER, "the receiver wants a condition"),
    (429, 429, _SLOW, "too many requests"),
    (431, 431, _NEVER, "header fields too large"),
    (451, 451, _NEVER, "refused for legal reasons"),
    (400, 499, _NEVER, "the receiver does not accept this message"),
    (501, 501, _RETRY, "not implemented at the receiver"),
    (502, 504, _SLOW, "the receiver is overloaded or away"),
    (500, 599, _RETRY, "the receiver failed"),
    (0, 999, _RETRY, "not an HTTP status"),
)

LONGEST_HOLD_S = 24 * 3600.0
"""A Retry-After beyond a day is taken as a day."""


def judge_http(answer: Answer, now_ms: int) -> Judgement:
    """What the HTTP status says; a Retry-After is honoured wherever trying again makes sense."""
    _, _, verdict, why = next(row for row in CODES if row[0] <= answer.code <= row[1])
    hold_s = None
    if verdict in (Verdict.RETRY, Verdict.THROTTLED):
        hold_s = retry_after_s(answer.headers.get("retry-after"), now_ms)
    detail = "" if verdict is Verdict.DELIVERED else f"HTTP {answer.code}: {why}"
    return Judgement(verdict, detail, answer.code, hold_s)


def retry_after_s(value: str | None, now_ms: int) -> float | None:
    """Seconds of a Retry-After, given in seconds or as an HTTP date; None when missing or unreadable."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value), LONGEST_HOLD_S)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    wait = (moment - datetime.fromtimestamp(now_ms / 1000, UTC)).total_seconds()
    return min(max(wait, 0.0), LONGEST_HOLD_S)


@dataclass(frozen=True, slots=True)
class RobotCodes:
    """How a chat robot answers: HTTP 200 always, and a number in the body. 0 is taken; what no row names is retried.

    `fields`: where the number stands, the first that is there counts. `pause_s`: how long it throttles.
    """

    fields: tuple[str, ...]
    throttled: frozenset[int]
    refused: frozenset[int]
    pause_s: float


def judge_robot(codes: RobotCodes, answer: Answer, now_ms: int) -> Judgement:
    """What a robot's answer says: its HTTP status first, then the number in its body."""
    by_http = judge_http(answer, now_ms)
    if by_http.verdict is not Verdict.DELIVERED:
        return by_http
    try:
        body = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return Judgement(Verdict.RETRY, "the answer is not JSON: is this a robot's address?", answer.code)
    found = [body[name] for name in codes.fields if isinstance(body, dict) and isinstance(body.get(name), int)]
    if not found:
        return Judgement(Verdict.RETRY, f"the answer lacks {' or '.join(codes.fields)}", answer.code)
    number = found[0]
    said = str(body.get("errmsg") or body.get("msg") or body.get("StatusMessage") or "")[:200]
    detail = f"{codes.fields[0]} {number}: {said}"
    if number == 0:
        return Judgement(Verdict.DELIVERED, "", answer.code)
    if number in codes.throttled:
        return Judgement(Verdict.THROTTLED, detail, answer.code, codes.pause_s)
    if number in codes.refused:
        return Judgement(Verdict.REFUSED, detail, answer.code)
    return Judgement(Verdict.RETRY, detail, answer.code)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When to try again, counted from the failure before: the example schedule of Standard Webhooks, three days long.

    `longest_wait_s`: a receiver that is down is tried at least this often, because an alert that comes hours after
    its receiver is back is of little use; None: the delays as they stand. `jitter`: share by which a wait is stretched
    at most. `probe_s`: news makes a waiting receiver be tried again, but not sooner after a failure; twice as late
    after each further one, so that a receiver that takes nothing is not pressed by every alert of the city.
    """

    delays_s: tuple[float, ...] = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
    longest_wait_s: float | None = 300.0
    jitter: float = 0.2
    probe_s: float = 5.0

    @property
    def patience_ms(self) -> int:
        """A message that is older than this when an attempt fails is given up."""
        return round(sum(self.delays_s) * 1000)


def wait_ms(schedule: Schedule, attempts: int, luck: float) -> int:
    """How long to wait after `attempts` (>= 1) failed ones; `luck` in [0, 1) spreads the waits."""
    delay_s = schedule.delays_s[min(attempts, len(schedule.delays_s)) - 1]
    if schedule.longest_wait_s is not None:
        delay_s = min(delay_s, schedule.longest_wait_s)
    return round(delay_s * 1000 * (1 + schedule.jitter * luck))


def probe_ms(schedule: Schedule, failures: int) -> int:
    """How long after the last of `failures` (>= 1) failed attempts in a row news makes a receiver be tried again."""
    delay_s = schedule.probe_s * 2.0 ** min(failures - 1, 30)
    longest_s = max(schedule.delays_s) if schedule.longest_wait_s is None else schedule.longest_wait_s
    return round(min(delay_s, longest_s) * 1000)
