"""Mosquitto's dynamic-security plugin: JSON commands over `$CONTROL/dynamic-security/v1`, one role a device.

Tried with Mosquitto 2.0: roles cannot name the user (`%u`), so each device has a role of its own, named like its
login. The plugin writes its whole file after every command, so n new devices cost time in n squared: thousands are a
matter of minutes, more belong to EMQX.
"""

import asyncio
import json
import logging
import secrets
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiomqtt

from citywarden.model.credential import Rights, is_ours
from citywarden.model.errors import Unavailable
from citywarden.provision.contract import Account, Grant, Refusal

CONTROL = "$CONTROL/dynamic-security/v1"
CHUNK = 5
"""Devices in one message of commands: with ten thousand devices the plugin answers five of them within seconds."""
PAGE = 200

_silent = logging.getLogger("citywarden.provision.library")
_silent.setLevel(logging.CRITICAL)

Command = dict[str, object]
Answer = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Door:
    """Where the broker is, and its dynamic-security administrator."""

    host: str
    port: int
    username: str | None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None
    timeout_s: float = 10.0


class DynamicSecurity:
    """Accounts of one Mosquitto. Connects for each call: nothing is held open, and a broker may come and go."""

    rebuilds = False

    def __init__(self, door: Door) -> None:
        self._door = door

    async def put(self, grants: Sequence[Grant]) -> None:
        async with self._line() as line:
            for part in _chunks(grants):
                await _put(line, part)

    async def remove(self, logins: Sequence[str]) -> None:
        async with self._line() as line:
            for part in _chunks(logins):
                commands = [c for login in part for c in (_named("deleteClient", login), _role("deleteRole", login))]
                for command, answer in zip(commands, await line.ask(commands), strict=True):
                    _demand(command, answer, "Client not found", "Role not found")

    async def cut(self, logins: Sequence[str]) -> None:
        """The plugin has no command for it: disabling ends the session, enabling lets the device come back."""
        async with self._line() as line:
            for part in _chunks(logins):
                known = {c["username"]: c for c in await _clients_named(line, part)}
                up = [login for login in part if login in known and not known[login].get("disabled", False)]
                for word in ("disableClient", "enableClient"):
                    commands = [_named(word, login) for login in up]
                    for command, answer in zip(commands, await line.ask(commands), strict=True):
                        _demand(command, answer)

    async def list(self) -> Sequence[Account]:
        async with self._line() as line:
            clients = [c for c in await _pages(line, "listClients", "clients") if is_ours(c["username"])]
            roles = {r["rolename"]: _rights(r) for r in await _pages(line, "listRoles", "roles")}
        return [_account(client, roles) for client in clients]

    async def close(self) -> None:
        return None

    @asynccontextmanager
    async def _line(self) -> AsyncIterator["_Line"]:
        door = self._door
        client = aiomqtt.Client(
            door.host,
            door.port,
            username=door.username,
            password=door.password,
            identifier=f"citywarden-provisioner-{secrets.token_hex(4)}",
            logger=_silent,
            tls_context=door.tls,
            timeout=door.timeout_s,
        )
        where = f"the broker at {door.host}:{door.port}"
        try:
            async with client:
                await client.subscribe(f"{CONTROL}/response", qos=1)
                yield _Line(client, door.timeout_s)
        except TimeoutError:
            raise Unavailable(f"{where} lets us in, but its dynamic-security plugin does not answer") from None
        except aiomqtt.MqttError as error:
            said = str(error)
            why = "no answer: wrong user or password, or no MQTT broker" if "timed out" in said else said
            raise Unavailable(f"{where}: {why}") from None


class _Line:
    """Questions and answers over one connection."""

    def __init__(self, client: aiomqtt.Client, timeout_s: float) -> None:
        self._client = client
        self._timeout_s = timeout_s
        self._messages = aiter(client.messages)

    async def ask(self, commands: Sequence[Command]) -> Sequence[Answer]:
        """The answers, one a command, in their order."""
        if not commands:
            return []
        token = secrets.token_hex(8)
        marked = [{**command, "correlationData": f"{token}:{i}"} for i, command in enumerate(commands)]
        await self._client.publish(CONTROL, json.dumps({"commands": marked}), qos=1)
        async with asyncio.timeout(self._timeout_s):
            while True:
                message = await anext(self._messages)
                answers = json.loads(bytes(message.payload)).get("responses", [])
                ours = [one for one in answers if str(one.get("correlationData", "")).startswith(token)]
                if len(ours) == len(commands):
                    return ours
                if any("error" in one and "correlationData" not in one for one in answers):
                    raise Refusal(f"the dynamic-security plugin refuses: {answers[0]['error']}")


async def _put(line: _Line, grants: Sequence[Grant]) -> None:
    fresh = [grant for grant in grants if grant.password is not None]
    commands = [c for grant in fresh for c in (_make_role(grant.account), _make_client(grant))]
    answers = await line.ask(commands)
    there: list[Grant] = [grant for grant in grants if grant.password is None]
    for i, grant in enumerate(fresh):
        known = "already exists" in str(answers[2 * i + 1].get("error", ""))
        for command, answer in zip(commands[2 * i : 2 * i + 2], answers[2 * i : 2 * i + 2], strict=True):
            _demand(command, answer, "Role already exists", "Client already exists")
        if known or not grant.account.allowed:
            there.append(grant)
    commands = [c for grant in there for c in _change(grant)]
    for command, answer in zip(commands, await line.ask(commands), strict=True):
        if command["command"] == "createRole":
            continue
        _demand(command, answer)


def _change(grant: Grant) -> Iterable[Command]:
    """Commands that make an account that exists as it should be; a new password or disabling ends its session."""
    account = grant.account
    yield _make_role(account)
    yield {**_role("modifyRole", account.login), "acls": _acls(account.rights)}
    changed: Command = {**_named("modifyClient", account.login), "roles": [{"rolename": account.login}]}
    if account.client_id is not None:
        changed["clientid"] = account.client_id
    if grant.password is not None:
        changed["password"] = grant.password
    yield changed
    yield _named("enableClient" if account.allowed else "disableClient", account.login)


def _make_role(account: Account) -> Command:
    return {**_role("createRole", account.login), "acls": _acls(account.rights)}


def _make_client(grant: Grant) -> Command:
    account = grant.account
    made: Command = {**_named("createClient", account.login), "roles": [{"rolename": account.login}]}
    if account.client_id is not None:
        made["clientid"] = account.client_id
    return {**made, "password": grant.password}


def _acls(rights: Rights) -> Sequence[Command]:
    said = [("publishClientSend", topic) for topic in sorted(rights.publish)]
    heard = [("subscribePattern", topic) for topic in sorted(rights.subscribe)]
    return [{"acltype": kind, "topic": topic, "priority": 0, "allow": True} for kind, topic in said + heard]


def _rights(role: Answer) -> Rights:
    """The rights of a role; what is neither of the two sorts we give, or denies, shows as a topic that differs."""
    said: set[str] = set()
    heard: set[str] = set()
    for acl in role.get("acls", []):
        kind, topic = acl["acltype"], acl["topic"]
        plain = acl.get("allow", False) and kind in ("publishClientSend", "subscribePattern")
        shown = topic if plain else f"{kind} {'allow' if acl.get('allow') else 'deny'} {topic}"
        (heard if kind == "subscribePattern" else said).add(shown)
    return Rights(frozenset(said), frozenset(heard))


def _account(client: Answer, roles: Mapping[str, Rights]) -> Account:
    """A client with the rights of all its roles together."""
    own = [roles[name] for r in client.get("roles", []) if (name := r["rolename"]) in roles]
    said = frozenset(topic for rights in own for topic in rights.publish)
    heard = frozenset(topic for rights in own for topic in rights.subscribe)
    groups = frozenset(f"group {group['groupname']}" for group in client.get("groups", []))
    rights = Rights(said | groups, heard)
    return Account(client["username"], client.get("clientid"), rights, not client.get("disabled", False))


async def _pages(line: _Line, command: str, key: str) -> Sequence[Answer]:
    found: list[Answer] = []
    while True:
        asked: Command = {"command": command, "verbose": True, "count": PAGE, "offset": len(found)}
        (answer,) = await line.ask([asked])
        _demand(asked, answer)
        page = answer["data"][key]
        found += page
        if len(page) < PAGE:
            return found


async def _clients_named(line: _Line, logins: Sequence[str]) -> Sequence[Answer]:
    answers = await line.ask([_named("getClient", login) for login in logins])
    return [answer["data"]["client"] for answer in answers if "data" in answer]


def _named(command: str, login: str) -> Command:
    return {"command": command, "username": login}


def _role(command: str, login: str) -> Command:
    return {"command": command, "rolename": login}


def _demand(command: Command, answer: Answer, *fine: str) -> None:
    """Raises Refusal for an error that is not fine."""
    error = answer.get("error")
    if error is not None and error not in fine:
        who = command.get("username") or command.get("rolename") or ""
        raise Refusal(f"the broker refuses {command['command']} {who}: {error}".replace("  ", " "))


def _chunks(items: Sequence[Any]) -> Iterable[Sequence[Any]]:
    for at in range(0, len(items), CHUNK):
        yield items[at : at + CHUNK]
