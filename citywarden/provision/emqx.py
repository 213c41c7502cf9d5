"""EMQX 5 by its HTTP API: users in the built-in database, rules of each user, sessions by client id.

Asked of EMQX: authentication `password_based:built_in_database` with `user_id_type` `username`, authorization source
`built_in_database` and `no_match = deny`; an API key is our user and password. A user of EMQX cannot be switched off,
so one that is not allowed has a single rule that denies all.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx

from citywarden.model.credential import Rights, client_of, is_ours, rights_of
from citywarden.model.errors import Unavailable
from citywarden.provision.contract import Account, Grant, Refusal

USERS = "/api/v5/authentication/password_based:built_in_database/users"
RULES = "/api/v5/authorization/sources/built_in_database/rules/users"
CLIENTS = "/api/v5/clients"
PAGE = 1000
AT_ONCE = 8
_DENY_ALL = [{"permission": "deny", "action": "all", "topic": "#"}]

Rule = Mapping[str, Any]


class Emqx:
    """Accounts of one EMQX. `url`: of its management API, such as http://127.0.0.1:18083."""

    rebuilds = False

    def __init__(self, url: str, key: str, secret: str, timeout_s: float = 10.0, verify: bool | str = True) -> None:
        self._client = httpx.AsyncClient(base_url=url, auth=(key, secret), timeout=timeout_s, verify=verify)
        self._where = f"EMQX at {httpx.URL(url).host}"

    async def put(self, grants: Sequence[Grant]) -> None:
        await self._each(self._put, grants)

    async def remove(self, logins: Sequence[str]) -> None:
        async def remove(login: str) -> None:
            await self._ask("DELETE", f"{USERS}/{_quoted(login)}", fine=(404,))
            await self._ask("DELETE", f"{RULES}/{_quoted(login)}", fine=(404,))
            await self._kick(login)

        await self._each(remove, logins)

    async def cut(self, logins: Sequence[str]) -> None:
        await self._each(self._kick, logins)

    async def list(self) -> Sequence[Account]:
        users = [one["user_id"] async for one in self._pages(USERS)]
        rules = {one["username"]: one.get("rules", []) async for one in self._pages(RULES)}
        return [_account(login, rules.get(login, [])) for login in users if is_ours(login)]

    async def close(self) -> None:
        await self._client.aclose()

    async def _put(self, grant: Grant) -> None:
        """Rules first: a user that could log in before it has any would be let in to nothing or, worse, to all."""
        account = grant.account
        rules = _rules(account)
        place = f"{RULES}/{_quoted(account.login)}"
        changed = await self._ask("PUT", place, {"username": account.login, "rules": rules}, fine=(404,))
        if changed.status_code == 404:
            await self._ask("POST", RULES, [{"username": account.login, "rules": rules}])
        if grant.password is not None:
            given = {"password": grant.password, "is_superuser": False}
            made = await self._ask("POST", USERS, {"user_id": account.login, **given}, fine=(409,))
            if made.status_code == 409:
                await self._ask("PUT", f"{USERS}/{_quoted(account.login)}", given)
        else:
            found = await self._ask("GET", f"{USERS}/{_quoted(account.login)}", fine=(404,))
            if found.status_code == 404:
                await self._ask("DELETE", place, fine=(404,))
                raise Refusal(f"{self._where} has no user {account.login}: it needs a new password")
        if grant.password is not None or not account.allowed:
            await self._kick(account.login)

    async def _kick(self, login: str) -> None:
        """Sessions of a login; where a login has many client ids they are looked up."""
        client_id = client_of(login)
        if client_id is not None:
            await self._ask("DELETE", f"{CLIENTS}/{_quoted(client_id)}", fine=(404,))
            return
        found = [one["clientid"] async for one in self._pages(CLIENTS, username=login)]
        for one in found:
            await self._ask("DELETE", f"{CLIENTS}/{_quoted(one)}", fine=(404,))

    async def _each(self, act: Any, items: Sequence[Any]) -> None:
        """A few at a time; the first error ends it."""
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(item: object) -> None:
            async with slots:
                await act(item)

        async with _first_error(), asyncio.TaskGroup() as group:
            for item in items:
                group.create_task(one(item))

    async def _pages(self, path: str, **where: str) -> AsyncIterator[Mapping[str, Any]]:
        page = 1
        while True:
            answer = (await self._ask("GET", path, params={"page": page, "limit": PAGE, **where})).json()
            for one in answer["data"]:
                yield one
            meta = answer.get("meta", {})
            if not answer["data"] or not meta.get("hasnext", page * PAGE < meta.get("count", 0)):
                return
            page += 1

    async def _ask(
        self,
        method: str,
        path: str,
        body: object = None,
        params: Mapping[str, str | int] | None = None,
        fine: Sequence[int] = (),
    ) -> httpx.Response:
        try:
            answer = await self._client.request(method, path, json=body, params=params)
        except httpx.HTTPError as error:
            raise Unavailable(f"{self._where}: {str(error) or type(error).__name__}") from None
        if answer.is_success or answer.status_code in fine:
            return answer
        if answer.status_code in (429, 500, 502, 503, 504):
            raise Unavailable(f"{self._where} answers {answer.status_code}")
        raise Refusal(f"{self._where} refuses {method} {path}: {answer.status_code} {_words(answer)}")


@asynccontextmanager
async def _first_error() -> AsyncIterator[None]:
    """One error instead of a group of them."""
    try:
        yield
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None


def _words(answer: httpx.Response) -> str:
    """What EMQX says, without what we sent."""
    try:
        said = answer.json()
    except ValueError:
        return ""
    return f"{said.get('code', '')} {said.get('message', '')}".strip()[:200] if isinstance(said, dict) else ""


def _rules(account: Account) -> list[dict[str, str]]:
    if not account.allowed:
        return list(_DENY_ALL)
    said = [_rule("publish", topic) for topic in sorted(account.rights.publish)]
    if client_of(account.login) is not None:
        heard = [_rule("subscribe", topic) for topic in sorted(account.rights.subscribe)]
    else:
        heard = [_rule("subscribe", "city/${clientid}/result")]
    return [*said, *heard, *_DENY_ALL]


def _rule(action: str, topic: str) -> dict[str, str]:
    return {"permission": "allow", "action": action, "topic": topic}


def _account(login: str, rules: Sequence[Rule]) -> Account:
    """A user as an account; whatever is not a rule we give shows as a topic that differs."""
    plain = [{name: rule.get(name) for name in ("permission", "action", "topic")} for rule in rules]
    wanted = Account(login, client_of(login), rights_of(login))
    if plain == _rules(wanted):
        return wanted
    if plain == _DENY_ALL:
        return Account(login, client_of(login), rights_of(login), allowed=False)
    shown = {f"{r['permission']} {r['action']} {r['topic']}" for r in plain}
    return Account(login, client_of(login), Rights(frozenset(shown), frozenset()), allowed=True)


def _quoted(text: str) -> str:
    return quote(text, safe="")
