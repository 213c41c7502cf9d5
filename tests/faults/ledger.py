"""What was published against what the store, the alerts and the webhook's receiver have."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import httpx
from sqlalchemy import Engine, text

from tests.faults.dispatcher import Message
from tests.faults.traffic import Mark, leak_name

EARLIER_MS = 60_000


@dataclass(frozen=True, slots=True)
class Count:
    """The books of a span of numbers and leaks. `recovery_s` None: it was not back in time."""

    published: int
    lost: int
    duplicates: int
    leaks: int
    alerts_lost: int
    alerts_doubled: int
    webhooks_lost: int
    webhooks_doubled: int
    dead_letters: int

    @property
    def complete(self) -> bool:
        return not (self.lost or self.alerts_lost or self.webhooks_lost)

    @property
    def clean(self) -> bool:
        return self.complete and not (self.duplicates or self.alerts_doubled or self.webhooks_doubled)


async def stored(client: httpx.AsyncClient, first: Mark, end: Mark) -> Counter[int]:
    """Rows in InfluxDB per number, those of back-fills (devices B...) whenever they are said to have been."""
    numbers = f"energy_kwh >= {first.number} AND energy_kwh < {end.number}"
    asked = ";".join(
        f"SELECT energy_kwh FROM streetlight WHERE {which} AND {numbers}"
        for which in (f"device =~ /^L/ AND time >= {first.at_ms - EARLIER_MS}ms", "device =~ /^B/")
    )
    answer = await client.get("/query", params={"db": "city", "q": asked, "epoch": "ms"})
    answer.raise_for_status()
    series = [one for result in answer.json()["results"] for one in result.get("series", ())]
    return Counter(int(row[1]) for one in series for row in one["values"])


def alerts(engine: Engine) -> Mapping[str, Sequence[str]]:
    """Status of every alert of every leak, by subject."""
    found: dict[str, list[str]] = {}
    with engine.connect() as connection:
        for subject, status in connection.execute(text("SELECT subject, status FROM alert WHERE rule = 'gas.methane'")):
            found.setdefault(subject, []).append(status)
    return found


def dead(engine: Engine) -> int:
    """Dead letters so far."""
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM dead_letter")).scalar_one())


def told(messages: Sequence[Message]) -> Mapping[tuple[str, str], set[str]]:
    """Ids of the webhooks by (subject, status)."""
    found: dict[tuple[str, str], set[str]] = {}
    for message in messages:
        if message.rule == "gas.methane":
            found.setdefault((message.subject, message.status), set()).add(message.id)
    return found


def count(
    span: tuple[Mark, Mark], ended: set[int], rows: Counter[int], known: Mapping[str, Sequence[str]],
    heard: Mapping[tuple[str, str], set[str]], dead_letters: int,
) -> Count:  # fmt: skip
    """Make up the books of everything from one mark up to another. `ended`: leaks that are over."""
    first, end = span
    numbers, leaks = range(first.number, end.number), range(first.leak, end.leak)
    due = [(leak_name(i), "firing") for i in leaks] + [(leak_name(i), "resolved") for i in leaks if i in ended]
    right = {leak_name(i): "resolved" if i in ended else "firing" for i in leaks}
    return Count(
        published=len(numbers),
        lost=sum(n not in rows for n in numbers),
        duplicates=sum(rows[n] - 1 for n in numbers if n in rows),
        leaks=len(leaks),
        alerts_lost=sum(status not in known.get(subject, ()) for subject, status in right.items()),
        alerts_doubled=sum(max(0, len(known.get(subject, ())) - 1) for subject in right),
        webhooks_lost=sum(not heard.get(one) for one in due),
        webhooks_doubled=sum(max(0, len(heard.get(one, ())) - 1) for one in due),
        dead_letters=dead_letters,
    )
