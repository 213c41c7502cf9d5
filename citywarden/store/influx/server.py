"""The one InfluxDB a store talks to: its address, and its HTTP answers as our errors.

| answer                         | becomes                                                              |
|--------------------------------|----------------------------------------------------------------------|
| 2xx                            | the answer                                                           |
| 400, 413, 422                  | the answer: what was sent is at fault, the caller decides            |
| 401, 403, 404                  | Unavailable that says what an administrator has to do                |
| 429, 5xx, no answer, time-out  | Unavailable, with the server's Retry-After where it has one          |
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import unquote, urlsplit

import httpx
import orjson

from citywarden.model.errors import ConfigurationError, Problem, Unavailable

CONNECT_S = 5.0
ANSWER_S = 30.0
OURS = frozenset({400, 413, 422})
"""Answers that say the request is at fault and would be so again."""

_EXPECTED = "expected influxdb://host:8086/organisation/bucket (influxdbs:// with TLS)"


@dataclass(frozen=True, slots=True)
class Place:
    """Where readings are kept: `base` is the server's HTTP address."""

    base: str
    org: str
    bucket: str

    def __str__(self) -> str:
        return f"InfluxDB at {self.base}"


def parse_place(url: str) -> Place:
    """`influxdb://host:port/org/bucket` taken apart; names may be percent-encoded. Raises ConfigurationError."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or 8086
    except ValueError:
        host, port, parts = None, 0, urlsplit("")
    names = [unquote(name) for name in parts.path.split("/")[1:]]
    if parts.scheme not in ("influxdb", "influxdbs") or not host or len(names) != 2 or not all(names):
        raise ConfigurationError([Problem("configuration", None, "store.url", f"{url!r}: {_EXPECTED}")])
    if parts.username or parts.password:
        what = "the token belongs into store.token or store.token_file, not into the URL"
        raise ConfigurationError([Problem("configuration", None, "store.url", what)])
    scheme = "https" if parts.scheme == "influxdbs" else "http"
    shown = f"[{host}]" if ":" in host else host
    return Place(f"{scheme}://{shown}:{port}", *names)


class Server:
    """HTTP to one InfluxDB. Every call raises Unavailable where the table above says so."""

    def __init__(self, place: Place, token: str, answer_s: float = ANSWER_S) -> None:
        self.place = place
        self._client = httpx.AsyncClient(
            base_url=place.base,
            headers={"Authorization": f"Token {token}"} if token else {},
            timeout=httpx.Timeout(answer_s, connect=min(CONNECT_S, answer_s)),
        )

    async def post(
        self, path: str, query: Mapping[str, str], body: bytes, headers: Mapping[str, str]
    ) -> httpx.Response:
        """The answer, when it is a 2xx or one of `OURS`."""
        if self._client.is_closed:
            raise Unavailable(f"{self.place}: the store is closed")
        try:
            answer = await self._client.post(path, params=dict(query), content=body, headers=dict(headers))
        except httpx.TimeoutException as error:
            raise Unavailable(f"{self.place} does not answer in time ({type(error).__name__})") from error
        except httpx.HTTPError as error:
            raise Unavailable(f"{self.place} cannot be reached: {str(error) or type(error).__name__}") from error
        # What an answer was read from refers to the answer, and so the request's body stays until garbage is collected.
        answer.stream = httpx.ByteStream(b"")
        if answer.is_success or answer.status_code in OURS:
            return answer
        raise Unavailable(self._explain(answer), retry_after_s(answer.headers.get("Retry-After")))

    def _explain(self, answer: httpx.Response) -> str:
        said, place = words(answer), self.place
        if answer.status_code == 401:
            return f"{place} does not accept the token ({said}): set store.token to one that is valid"
        if answer.status_code == 403:
            return (
                f"{place} does not let the token into bucket {place.bucket!r} of {place.org!r} ({said}): "
                "give it read and write rights there"
            )
        if answer.status_code == 404:
            return self.missing(said)
        return f"{place} answers {answer.status_code}: {said}"

    def missing(self, said: str) -> str:
        """What to do about a bucket that is not there."""
        place = self.place
        return (
            f"{place} has no organisation {place.org!r} or no bucket {place.bucket!r} ({said}): "
            "correct store.url, or run citywarden doctor --fix with a token that may create buckets"
        )

    async def close(self) -> None:
        await self._client.aclose()


def words(answer: httpx.Response) -> str:
    """What the server says in an error, on one line."""
    try:
        found = orjson.loads(answer.content)
        text = str(found.get("message") or found.get("error") or found)
    except (orjson.JSONDecodeError, AttributeError):
        text = answer.text or answer.reason_phrase
    return " ".join(text.split())[:500]


def retry_after_s(header: str | None, now: datetime | None = None) -> float | None:
    """Seconds a `Retry-After` asks for (a number, or a date against `now`); None when it says nothing usable."""
    if header is None:
        return None
    try:
        return max(0.0, float(int(header)))
    except ValueError:
        pass
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - (now or datetime.now(UTC))).total_seconds())
