"""One attempt: a letter posted to its target, and what the answer means. The only module here that knows HTTP."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import httpx

from citywarden.alerts.formats import FORMATS
from citywarden.alerts.guard import Forbidden, Guard, GuardedTransport
from citywarden.alerts.letter import Letter
from citywarden.alerts.target import Target
from citywarden.alerts.verdicts import Answer, Judgement, Verdict
from citywarden.model.redaction import redact

ANYWHERE_PUBLIC = Guard()
ANSWER_BYTES = 64 * 1024
"""As much of an answer is read; the rest says nothing that matters here."""


def client(guard: Guard = ANYWHERE_PUBLIC) -> httpx.AsyncClient:
    """A client that goes where `guard` lets it and follows no redirects; the environment's proxy is asked for
    anything but this machine.
    """
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=50)
    return httpx.AsyncClient(
        follow_redirects=False,
        # An answer that unpacks itself could be of any size.
        headers={"user-agent": "citywarden", "accept-encoding": "identity"},
        transport=GuardedTransport(guard, limits),
    )


async def attempt(
    http: httpx.AsyncClient, target: Target, letter: Letter, clock_ms: Callable[[], int],
    guard: Guard = ANYWHERE_PUBLIC,
) -> Judgement:  # fmt: skip
    """Post a letter. Never raises for what a receiver or the network does, or for a letter that cannot be written.

    `guard` is for what goes by mail; `http` has its own. Nothing secret is in what is said of it.
    """
    judged = await _attempt(http, target, letter, clock_ms, guard)
    return replace(judged, detail=redact(judged.detail))


async def _attempt(
    http: httpx.AsyncClient, target: Target, letter: Letter, clock_ms: Callable[[], int], guard: Guard
) -> Judgement:
    form = FORMATS[target.format]
    try:
        request = form.compose(letter, target, clock_ms())
    except ValueError as error:
        return Judgement(Verdict.REFUSED, f"cannot be written as {target.format}: {error}")
    try:
        async with asyncio.timeout(target.timeout_s):
            if form.carry is not None:
                return await form.carry(request, target, guard)
            answer = await _exchange(http, target, request.body, dict(request.headers), dict(request.query))
    except TimeoutError:
        return Judgement(Verdict.RETRY, f"no answer within {target.timeout_s:g} s")
    except Forbidden as error:
        return Judgement(Verdict.RETRY, f"nothing is sent there: {error}")
    except httpx.InvalidURL as error:
        return Judgement(Verdict.RETRY, f"the target's url is wrong: {error}")
    except httpx.HTTPError as error:
        return Judgement(Verdict.RETRY, f"{type(error).__name__}: {error}".rstrip(": "))
    return form.judge(answer, clock_ms())


async def _exchange(
    http: httpx.AsyncClient, target: Target, body: bytes, headers: dict[str, str], query: dict[str, str]
) -> Answer:
    url = httpx.URL(target.url)
    if query:
        url = url.copy_merge_params(query)
    # The target's own headers come last, so that an operator may replace any of ours.
    asked = http.stream("POST", url, content=body, headers=headers | dict(target.headers), timeout=target.timeout_s)
    async with asked as response:
        read = bytearray()
        async for part in response.aiter_raw():
            read += part
            if len(read) >= ANSWER_BYTES:
                break
        return Answer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, bytes(read))
