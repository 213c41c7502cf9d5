"""Many devices at one broker, each over a connection and with credentials of its own."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from types import TracebackType
from typing import Self

from citywarden.model.errors import CitywardenError
from ingest.endpoint import Endpoint
from ingest.publisher import Publisher


class Crowd:
    """Publishes what a device says as that device. `passwords`: by login; devices without one stay silent, counted."""

    def __init__(self, endpoint: Endpoint, passwords: Mapping[str, str]) -> None:
        self._endpoint = endpoint
        self._passwords = passwords
        self._publishers: dict[str, Publisher] = {}
        self._opening: dict[str, asyncio.Lock] = {}
        self._stack = AsyncExitStack()
        self.silent: set[str] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        await self._stack.aclose()

    async def publish(self, topic: str, payload: bytes, retain: bool, timeout_s: float) -> None:
        """Return when the broker has acknowledged. Raises Unavailable."""
        login = "/".join(topic.split("/")[1:4])
        if login not in self._passwords:
            self.silent.add(login)
            return
        async with self._opening.setdefault(login, asyncio.Lock()):
            publisher = self._publishers.get(login)
            if publisher is None:
                own = replace(self._endpoint, username=login, password=self._passwords[login])
                publisher = await self._stack.enter_async_context(Publisher(own, login))
                self._publishers[login] = publisher
        await publisher.publish(topic, payload, retain, timeout_s=timeout_s)

    def check(self, logins: set[str]) -> None:
        """Raises CitywardenError when none of the logins has a password."""
        if not logins & self._passwords.keys():
            some = ", ".join(sorted(self._passwords)[:3])
            raise CitywardenError(
                f"the file has credentials of none of the simulated devices, but of {some or 'nobody'}"
            )
