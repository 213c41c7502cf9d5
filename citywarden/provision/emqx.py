"""EMQX 5 by its HTTP API: users in the built-in database, rules of each user, sessions by client id.

Asked of EMQX: authentication `password_based:built_in_database` with `user_id_type` `username`, authorization source
`built_in_database` and `no_match = deny`; an API key is our user and password. A user of EMQX cannot be switched off,
so one that is not allowed has a single rule that denies all. EMQX binds no client id to a user, so sessions are looked
up by user name. What it answers stands in `tests/provision/emqx_contract.json`.
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
        users = {one["user_id"]: one.get("is_superuser", False) async for one in self._pages(USERS)}
        rules = {one["username"]: one.get("rules", []) async for one in self._pages(RULES)}
        ours = [login for login in users if is_ours(login)]
        return [_superuser(login) if users[login] else _account(login, rules.get(login, [])) for login in ours]

    async def close(self) -> None:
        await self._client.aclose()

    async def _put(self, grant: Grant) -> None:
        """Rules first: a user that could log in before it has any would be let in to nothing or, worse, to all."""
        account, place = grant.account, f"{RULES}/{_quoted(grant.account.login)}"
        await self._ask("PUT", place, {"username": account.login, "rules": _rules(account)})
        if grant.password is None:
            await self._demand_user(account.login, place)
            if not account.allowed:
                await self._kick(account.login)
            return
        given = {"password": grant.password, "is_superuser": False}
        made = await self._ask("POST", USERS, {"user_id": account.login, **given}, fine=(409,))
        if made.status_code == 409:
            await self._ask("PUT", f"{USERS}/{_quoted(account.login)}", given)
            await self._kick(account.login)

    async def _demand_user(self, login: str, place: str) -> None:
        """Raises Refusal for a user that only a new password can make right: EMQX changes nothing without one."""
        found = await self._ask("GET", f"{USERS}/{_quoted(login)}", fine=(404,))
        if found.status_code == 404:
            await self._ask("DELETE", place, fine=(404,))
            raise Refusal(f"{self._where} has no user {login}: it needs a new password")
        if found.json().get("is_superuser"):
            raise Refusal(
                f"{self._where} has made {login} a superuser, to whom no rules apply: it needs a new password"
            )

    async def _kick(self, login: str) -> None:
        """End the sessions of a login, whatever client ids they have."""
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
        missing = _missing(answer)
        if missing:
            raise Refusal(f"{self._where} has no {missing}: set it up there, as docs/devices.md says")
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


def _missing(answer: httpx.Response) -> str:
    """What is not set up; "" where a 404 means no more than that the one who was asked for is not there."""
    if answer.status_code != 404:
        return ""
    words = _words(answer)
    if words.startswith("NOT_FOUND Authenticator"):
        return "authentication password_based:built_in_database"
    return "authorization source built_in_database" if words.startswith("NOT_FOUND Not found: ") else ""


def _rules(account: Account) -> list[dict[str, str]]:
    if not account.allowed:
        return list(_DENY_ALL)
    rights = account.rights
    allowed = [("publish", topic) for topic in sorted(rights.publish)]
    allowed += [("subscribe", topic) for topic in sorted(rights.subscribe)]
    return [*({"permission": "allow", "action": action, "topic": topic} for action, topic in allowed), *_DENY_ALL]


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


def _superuser(login: str) -> Account:
    """A user to whom no rules apply."""
    return Account(login, client_of(login), Rights(frozenset({"#"}), frozenset({"#"})))


def _quoted(text: str) -> str:
    return quote(text, safe="")
