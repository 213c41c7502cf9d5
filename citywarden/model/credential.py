"""What a device logs in with at a broker, and what it may do there.

Login and client id of a device are `tenant/kind/id`: unique at one broker, and its topics are `city/LOGIN/channel`.
A device that has no identity yet logs in as `tenant/claim`, with the client id `tenant/claim/SERIAL`.
"""

from dataclasses import dataclass

from citywarden.model.device import DeviceKey
from citywarden.model.message import Channel

CLAIM = "claim"
"""Stands where a kind would: no kind may have this name."""

_SAID = (Channel.TELEMETRY, Channel.EVENT, Channel.STATUS, Channel.COMMAND_RESULT)


@dataclass(frozen=True, slots=True)
class Rights:
    """Topics that may be published on, and topic filters that may be subscribed to."""

    publish: frozenset[str]
    subscribe: frozenset[str]


@dataclass(frozen=True, slots=True)
class Credential:
    """What is given to a device, once. Its text does not show the password."""

    login: str
    password: str
    issued_ms: int

    @property
    def client_id(self) -> str:
        return self.login

    def __repr__(self) -> str:
        return f"Credential(login={self.login!r}, password=***, issued_ms={self.issued_ms})"


def login_of(key: DeviceKey) -> str:
    """The login of a device."""
    return f"{key.tenant}/{key.kind}/{key.id}"


def key_of(login: str) -> DeviceKey | None:
    """The device of a login; None for one that is no device's."""
    parts = login.split("/")
    if len(parts) != 3 or not all(parts) or parts[1] == CLAIM:
        return None
    return DeviceKey(*parts)


def claim_login(tenant: str) -> str:
    """The login that devices of a tenant claim their identity with."""
    return f"{tenant}/{CLAIM}"


def is_claim_login(login: str) -> bool:
    tenant, slash, word = login.partition("/")
    return bool(tenant) and bool(slash) and word == CLAIM


def is_ours(login: str) -> bool:
    """Whether a broker's account is one this server looks after; all others are left alone."""
    return key_of(login) is not None or is_claim_login(login)


def claim_topic(tenant: str) -> str:
    """Where a device asks for its identity."""
    return f"city/{tenant}/{CLAIM}"


def claim_result_topic(tenant: str, serial: str) -> str:
    """Where it hears the answer."""
    return f"city/{tenant}/{CLAIM}/{serial}/result"


def is_claim_topic(topic: str) -> bool:
    """Whether a topic is one of the two that claims are made and answered on."""
    parts = topic.split("/")
    asked, answered = len(parts) == 3, len(parts) == 5 and parts[4] == "result"
    return (asked or answered) and parts[0] == "city" and parts[2] == CLAIM and all(parts)


def client_of(login: str) -> str | None:
    """The one client id a login may use; None: several devices share it, each with its own."""
    return None if is_claim_login(login) else login


def rights_of(login: str) -> Rights:
    """What a login of ours may do. A claim's answer is readable by whoever may claim: it is sealed."""
    if is_claim_login(login):
        tenant = login.partition("/")[0]
        return Rights(frozenset({claim_topic(tenant)}), frozenset({claim_result_topic(tenant, "+")}))
    said = frozenset(f"city/{login}/{channel}" for channel in _SAID)
    return Rights(said, frozenset({f"city/{login}/{Channel.COMMAND}"}))


def narrowed(login: str, client_id: str) -> Rights:
    """What a session may do: of those who claim, each reads its own answer only."""
    rights = rights_of(login)
    if not is_claim_login(login):
        return rights
    serial = client_id.removeprefix(f"{login}/")
    own = claim_result_topic(login.partition("/")[0], serial) if client_id == f"{login}/{serial}" else None
    return Rights(rights.publish, frozenset({own} if own and serial and "/" not in serial else ()))
