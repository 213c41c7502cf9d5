"""The way in, as the pages and the API use it. `citywarden.serve` fills it."""

from collections.abc import Sequence
from typing import Protocol

from citywarden.model.access import (
    AuditEntry,
    AuditQuery,
    Chain,
    NewToken,
    NewUser,
    SessionNote,
    Token,
    User,
    UserChange,
    Visit,
)
from citywarden.model.identity import Identity
from citywarden.model.page import Page


class Access(Protocol):
    """Users, sessions, tokens and the record. Raises Forbidden for what `who` may not, NotFound, CitywardenError."""

    async def login(self, name: str, password: str, address: str, agent: str) -> tuple[User, str]:
        """Returns the cookie too. Raises Denied, TooOften."""

    async def logout(self, visit: Visit, everywhere: bool = False) -> None: ...
    async def change_password(self, visit: Visit, old: str, new: str) -> None: ...
    async def sessions(self, name: str) -> Sequence[SessionNote]: ...
    async def end_session(self, visit: Visit, shown: str) -> None: ...

    async def users(self, who: Identity) -> Sequence[User]: ...
    async def user(self, who: Identity, name: str) -> User: ...
    async def add_user(self, who: Identity, new: NewUser) -> tuple[User, str | None]:
        """Returns the password when it was generated."""

    async def change_user(self, who: Identity, name: str, change: UserChange) -> User: ...
    async def remove_user(self, who: Identity, name: str) -> None: ...
    async def reset_password(self, who: Identity, name: str, password: str | None) -> str | None:
        """Returns the password when it was generated."""

    async def tokens(self, who: Identity) -> Sequence[Token]: ...
    async def add_token(self, who: Identity, new: NewToken) -> tuple[Token, str]:
        """Returns the text, which cannot be had again."""

    async def revoke_token(self, who: Identity, name_or_id: str) -> Token: ...

    async def find(self, who: Identity, query: AuditQuery) -> Page[AuditEntry]: ...
    async def verify(self) -> Chain: ...
