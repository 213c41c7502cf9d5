"""Lines into InfluxDB over HTTP. What the server refuses is found by halving, and the rest is written."""

import gzip
import re
from collections.abc import Sequence

from citywarden.model.errors import Unavailable
from citywarden.store.influx.server import Server, words

BATCH_LINES = 10_000
"""Lines of one request, some 2 MB: below, what a request costs by itself counts."""

_DROPPED = re.compile(r"\bdropped=(\d+)")

Bad = tuple[int, str]
"""Place of a line in what was to be written, and the server's words about it."""


class Writer:
    """Writes lines to one bucket. `compress` trades CPU here (about 1 us a line) for a sixth of the bytes."""

    def __init__(self, server: Server, bucket: str, compress: bool = False) -> None:
        self._server = server
        self._query = {"org": server.place.org, "bucket": bucket, "precision": "ms"}
        self._compress = compress

    async def write(self, lines: Sequence[bytes]) -> list[Bad]:
        """Write all lines but those the server refuses, which are returned.

        Raises Unavailable when it does not take lines now; then some may be written, and writing them again is right.
        """
        bad: list[Bad] = []
        for start in range(0, len(lines), BATCH_LINES):
            bad += await self._write(lines, start, min(start + BATCH_LINES, len(lines)))
        return bad

    async def _write(self, lines: Sequence[bytes], start: int, stop: int) -> list[Bad]:
        refusal = await self._send(lines[start:stop])
        if refusal is None:
            return []
        dropped = _DROPPED.search(refusal)
        if stop - start == 1 or (dropped and int(dropped[1]) == stop - start):
            return [(i, refusal) for i in range(start, stop)]
        middle = (start + stop) // 2
        return await self._write(lines, start, middle) + await self._write(lines, middle, stop)

    async def _send(self, lines: Sequence[bytes]) -> str | None:
        """None when all are written, else the server's words."""
        body, headers = b"".join(lines), {"Content-Type": "text/plain; charset=utf-8"}
        if self._compress:
            body, headers["Content-Encoding"] = gzip.compress(body, 1), "gzip"
        answer = await self._server.post("/api/v2/write", self._query, body, headers)
        if answer.is_success:
            if answer.status_code != 204:
                raise Unavailable(f"{self._server.place} answers a write with {answer.status_code}: is it InfluxDB 2?")
            return None
        return words(answer)
