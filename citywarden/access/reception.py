"""The desk for one event loop: logins with their brake, what the door asks, and who is still there."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import ParamSpec, TypeVar

from citywarden.access.desk import Desk
from citywarden.model.access import (
    AuditEntry,
    AuditQuery,
    Chain,
    Denied,
    NewToken,
    NewUser,
    SessionNote,
    Token,
    TooOften,
    User,
    UserChange,
    Visit,
)
from citywarden.model.errors import Unavailable
from citywarden.model.identity import Identity, Intent, Role
from citywarden.model.page import Page

P = ParamSpec("P")
R = TypeVar("R")
FRESH_MS = 2000
"""How long what the door was told about a cookie or token is taken for true, unless something changes here."""
REMEMBERED = 1000


class Reception:
    """Users, sessions, tokens and the record, for one event loop. Passwords are hashed on a thread of their own, one
    at a time: that bounds the memory a flood of logins can take, and lets the others be recognised meanwhile.
    """

    def __init__(self, desk: Desk, clock_ms: Callable[[], int]) -> None:
        self.desk = desk
        self._clock_ms = clock_ms
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="access")
        self._hashing = ThreadPoolExecutor(1, thread_name_prefix="passwords")
        self._known: dict[str, tuple[int, Visit | Token | None]] = {}

    # the door

    async def visit(self, cookie: str) -> Visit | None:
        """Whose session a cookie opens."""
        found = await self._remembered(f"cookie {cookie}", partial(self.desk.visit, cookie))
        return found if isinstance(found, Visit) else None

    async def recognise(self, text: str) -> Token | None:
        """The good token whose text that is."""
        found = await self._remembered(f"token {text}", partial(self.desk.recognise, text))
        return found if isinstance(found, Token) else None

    async def _remembered(self, key: str, ask: Callable[[int], Visit | Token | None]) -> Visit | Token | None:
        now_ms = self._clock_ms()
        told = self._known.get(key)
        if told is not None and 0 <= now_ms - told[0] < FRESH_MS:
            return told[1]
        found = await self._run(ask, now_ms)
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[key] = (now_ms, found)
        return found

    # logging in and out

    async def login(self, name: str, password: str, address: str, agent: str) -> tuple[User, str]:
        """Begin a session; returns its cookie. Raises Denied, and TooOften without having looked."""
        now_ms = self._clock_ms()
        if waiting_ms := await self._run(self.desk.take_try, name, address, now_ms):
            raise TooOften(-(-waiting_ms // 1000))
        kept = await self._run(self.desk.password_of, name)
        if not await self._hash(self.desk.passwords.fits, kept, password):
            stranger = Identity("", Role.VIEWER, source=address)
            await self._run(self.desk.note, stranger, "login.failed", name[:200], "", now_ms)
            raise Denied("name or password is wrong")
        await self._run(self.desk.forgive_try, name, address)
        if kept is not None and self.desk.passwords.outdated(kept):
            await self._hash(self.desk.rehash, name, password)
        return await self._run(self.desk.let_in, name, address, agent, now_ms)

    async def logout(self, visit: Visit, everywhere: bool = False) -> None:
        await self._change(self.desk.logout, visit, self._clock_ms(), everywhere)

    async def change_password(self, visit: Visit, old: str, new: str) -> None:
        """Change one's own; ends one's other sessions. Raises Denied, TooOften, CitywardenError."""
        now_ms = self._clock_ms()
        if waiting_ms := await self._run(self.desk.take_try, visit.user.name, "", now_ms):
            raise TooOften(-(-waiting_ms // 1000))
        await self._hash(self.desk.change_password, visit, old, new, now_ms)
        await self._run(self.desk.forgive_try, visit.user.name, "")
        self._known.clear()

    async def sessions(self, name: str) -> list[SessionNote]:
        return await self._run(self.desk.sessions, name, self._clock_ms())

    async def end_session(self, visit: Visit, shown: str) -> None:
        await self._change(self.desk.end_session, visit, shown, self._clock_ms())

    # what administrators do

    async def users(self, who: Identity) -> list[User]:
        return await self._run(self.desk.users, who)

    async def user(self, who: Identity, name: str) -> User:
        return await self._run(self.desk.user, who, name)

    async def add_user(self, who: Identity, new: NewUser) -> tuple[User, str | None]:
        return await self._hash(self.desk.add_user, who, new, self._clock_ms())

    async def change_user(self, who: Identity, name: str, change: UserChange) -> User:
        return await self._change(self.desk.change_user, who, name, change, self._clock_ms())

    async def remove_user(self, who: Identity, name: str) -> None:
        await self._change(self.desk.remove_user, who, name, self._clock_ms())

    async def reset_password(self, who: Identity, name: str, password: str | None) -> str | None:
        given = await self._hash(self.desk.reset_password, who, name, password, self._clock_ms())
        self._known.clear()
        return given

    async def tokens(self, who: Identity) -> list[Token]:
        return await self._run(self.desk.tokens, who)

    async def add_token(self, who: Identity, new: NewToken) -> tuple[Token, str]:
        return await self._run(self.desk.add_token, who, new, self._clock_ms())

    async def revoke_token(self, who: Identity, name_or_id: str) -> Token:
        return await self._change(self.desk.revoke_token, who, name_or_id, self._clock_ms())

    # the record

    @asynccontextmanager
    async def doing(
        self, who: Identity, action: str, subjects: Sequence[str], detail: str = ""
    ) -> AsyncIterator[Intent]:
        """What is done in this block is written down before, and its outcome after it. Raises Unavailable."""
        intent = Intent(action, [*subjects], detail)
        key = await self._run(self.desk.intend, who, intent, self._clock_ms())
        try:
            yield intent
        except Exception as error:
            with suppress(Unavailable):  # the intention stands, and says so
                await self._run(self.desk.settle, key, who, intent, self._clock_ms(), error)
            raise
        await self._run(self.desk.settle, key, who, intent, self._clock_ms())

    async def find(self, who: Identity, query: AuditQuery) -> Page[AuditEntry]:
        """Notes that fit, newest first; of the tenant of `who`."""
        return await self._run(self.desk.find, replace(query, tenant=who.tenant or query.tenant))

    async def verify(self) -> Chain:
        return await asyncio.to_thread(self.desk.verify)

    async def close(self) -> None:
        """Wait for what is under way; nothing may be called any more."""
        await asyncio.to_thread(self._hashing.shutdown)
        await asyncio.to_thread(self._thread.shutdown)

    async def _run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(work, *args, **kwargs))

    async def _hash(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._hashing, partial(work, *args, **kwargs))

    async def _change(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """What may end sessions or tokens: they are asked for anew."""
        done = await self._run(work, *args, **kwargs)
        self._known.clear()
        return done
