"""The desk of commands: takes wishes, has them sent, listens to what devices answer.

wish -> checked -> ledger (queued) -> publish -> sent -> [again until acknowledged] -> done, failed or expired
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial
from uuid import uuid4

import orjson

from citywarden.commands.ledger import Ledger
from citywarden.commands.machine import sent
from citywarden.model.command import (
    BadCommand,
    Command,
    CommandResult,
    State,
    Wish,
    checked,
    command_message,
)
from citywarden.model.device import Device, DeviceKey
from citywarden.model.errors import CitywardenError, NotFound, Unavailable
from citywarden.model.kind import Kinds
from citywarden.model.message import Address, Channel
from citywarden.model.page import Page

LONGEST_MIN = 7 * 24 * 60
"""A command waits for its device for a week at most."""

POLL_S = 1.0
"""How soon a command is found that another process has queued."""

PUBLISH_S = 5.0
KEEP_MS = 90 * 86_400_000
TRIM_EVERY_MS = 86_400_000

Publish = Callable[[str, bytes, float], Awaitable[None]]
"""(topic, payload, how long it may take in s): returns when the broker has it. Raises Unavailable."""

Connect = Callable[[], AbstractAsyncContextManager[Publish]]
Lookup = Callable[[DeviceKey], Device | None]

_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_log = logging.getLogger(__name__)


def command_of(wish: Wish, kinds: Kinds, device: Device | None, by: str, now_ms: int) -> Command:
    """The command of a wish. Raises BadCommand, or NotFound for a device that nobody knows."""
    if device is None:
        raise NotFound(
            f"no {wish.device.kind} {wish.device.id!r} of tenant {wish.device.tenant!r}", f"没有设备 {wish.device.id}"
        )
    if not device.enabled:
        raise CitywardenError(f"{wish.device.id} is disabled", f"{wish.device.id} 已停用")
    if not 0 < wish.expires_min <= LONGEST_MIN:
        raise BadCommand(
            f"expires_min: {wish.expires_min:g}, expected more than 0 and at most {LONGEST_MIN}",
            f"有效期不能是 {wish.expires_min:g} 分钟，应大于 0 且不超过 {LONGEST_MIN} 分钟",
        )
    if wish.id and not _ID.fullmatch(wish.id):
        raise BadCommand(
            f"id: {wish.id!r}, expected up to 64 letters, digits and _.:-", "编号应为不超过 64 个字母、数字和 _.:-"
        )
    args = checked(kinds[wish.device.kind], wish.name, wish.args)
    return Command(
        wish.id or f"cmd_{uuid4().hex}", wish.device, wish.name, args, by, now_ms,
        now_ms + round(wish.expires_min * 60_000), updated_ms=now_ms, next_ms=now_ms,
    )  # fmt: skip


class CommandDesk:
    """Commands of one server. `lookup` knows the registered devices."""

    def __init__(self, ledger: Ledger, kinds: Kinds, lookup: Lookup, clock_ms: Callable[[], int]) -> None:
        self._ledger = ledger
        self._kinds = kinds
        self._lookup = lookup
        self._clock_ms = clock_ms
        self._woken = asyncio.Event()
        self._trimmed_ms = 0
        self.trouble: str | None = None

    async def send(self, wish: Wish, by: str) -> Command:
        """Queue a command. Raises NotFound, BadCommand, and CitywardenError when the device has too many."""
        command = command_of(wish, self._kinds, self._lookup(wish.device), by, self._clock_ms())
        queued = await asyncio.to_thread(self._ledger.put, command)
        self._woken.set()
        return queued

    async def get(self, command_id: str) -> Command:
        """Raises NotFound."""
        return await asyncio.to_thread(self._ledger.get, command_id)

    async def find(
        self, device: DeviceKey | None, tenant: str | None, state: State | None, limit: int, cursor: str | None
    ) -> Page[Command]:
        """Newest first."""
        return await asyncio.to_thread(self._ledger.find, device, tenant, state, limit, cursor)

    async def cancel(self, command_id: str, by: str) -> Command:
        """Raises NotFound, and CitywardenError when it is too late."""
        return await asyncio.to_thread(self._ledger.cancel, command_id, by, self._clock_ms())

    async def hear(self, results: Sequence[CommandResult]) -> None:
        """What devices answered, as it comes out of the log; the same answer twice changes nothing."""
        for strange in await asyncio.to_thread(self._ledger.hear, results, self._clock_ms()):
            _log.warning("%s answers command %s, which it was never sent", strange.device.id, strange.id)

    async def run(self, connect: Connect) -> None:
        """Send what waits, again and again until it is acknowledged or expires; until cancelled."""
        while True:
            try:
                async with connect() as publish:
                    self.trouble = None
                    while True:
                        await self.go_round(publish)
                        await self._wait()
            except Unavailable as error:
                if self.trouble is None:
                    _log.warning("commands wait: %s", error)
                self.trouble = str(error)
                await asyncio.to_thread(self._ledger.expire, self._clock_ms())
                await self._wait()

    async def go_round(self, publish: Publish) -> int:
        """Send what is due and end what has expired, once; returns how many were sent."""
        now_ms = self._clock_ms()
        await asyncio.to_thread(self._ledger.expire, now_ms)
        due = await asyncio.to_thread(self._ledger.due, now_ms)
        for command in due:
            topic = Address(*command.device, Channel.COMMAND).topic
            await publish(topic, orjson.dumps(command_message(command)), PUBLISH_S)
            await asyncio.to_thread(self._ledger.change, command.id, partial(sent, now_ms=self._clock_ms()))
        if now_ms - self._trimmed_ms >= TRIM_EVERY_MS:
            self._trimmed_ms = now_ms
            await asyncio.to_thread(self._ledger.trim, now_ms - KEEP_MS)
        return len(due)

    async def _wait(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL_S):
                await self._woken.wait()
        self._woken.clear()

    def narrowed(self, tenant: str) -> "TenantCommands":
        """The desk with nothing but a tenant's commands."""
        return TenantCommands(self, tenant)


class TenantCommands:
    """The desk as one tenant sees it: others' devices and commands do not exist."""

    def __init__(self, desk: CommandDesk, tenant: str) -> None:
        self._desk = desk
        self._tenant = tenant

    async def send(self, wish: Wish, by: str) -> Command:
        if wish.device.tenant != self._tenant:
            raise NotFound(f"no {wish.device.kind} {wish.device.id!r}")
        command = await self._desk.send(wish, by)
        return await self._mine(command)

    async def get(self, command_id: str) -> Command:
        return await self._mine(await self._desk.get(command_id))

    async def find(
        self, device: DeviceKey | None, tenant: str | None, state: State | None, limit: int, cursor: str | None
    ) -> Page[Command]:
        if tenant not in (None, self._tenant) or (device is not None and device.tenant != self._tenant):
            return Page([], None)
        return await self._desk.find(device, self._tenant, state, limit, cursor)

    async def cancel(self, command_id: str, by: str) -> Command:
        await self.get(command_id)
        return await self._desk.cancel(command_id, by)

    async def _mine(self, command: Command) -> Command:
        if command.device.tenant != self._tenant:
            raise NotFound(f"no command {command.id!r}")
        return command
