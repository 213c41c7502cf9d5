"""Which broker there is, how devices and the server reach it, and who tells it about devices."""

import asyncio
import logging
import secrets
import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from sqlalchemy import Engine

from citywarden.model.errors import CitywardenError, ConfigurationError
from citywarden.model.networks import is_loopback
from citywarden.provision.contract import Provisioner
from citywarden.provision.dynsec import Door, DynamicSecurity
from citywarden.provision.embedded import EmbeddedAccounts
from citywarden.provision.emqx import Emqx
from citywarden.sections import Settings
from ingest.broker import EmbeddedBroker
from ingest.endpoint import Endpoint, Tls, parse_url
from ingest.gate import Gate

LOOK_S = 0.3
"""How often the gate looks for accounts that another process has changed."""

EMBEDDED_PORT = 1883

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Brokers:
    """`devices`: where devices connect; `subscribe`, `publish`: where and as whom the server does (MQTT 5, 3.1.1).

    `watch`: to be run while the server does, None when there is nothing to watch.
    """

    devices: Endpoint
    subscribe: Endpoint
    publish: Endpoint
    gate: Gate | None = None
    watch: Callable[[], Awaitable[None]] | None = None


def kind_of(settings: Settings) -> str:
    """Which provisioner is in force. The embedded broker's accounts are kept also while it is open to all."""
    own = settings.mqtt.url == "embedded" and settings.provisioner.kind == "none"
    return "embedded" if own else settings.provisioner.kind


def is_enforced(settings: Settings) -> bool:
    """Whether the broker asks devices for their credentials; the embedded one may be open."""
    return settings.mqtt.url != "embedded" or settings.mqtt.devices == "credentials"


def check(settings: Settings) -> None:
    """Raises ConfigurationError for what does not fit together."""
    mqtt, wanted = settings.mqtt, settings.provisioner
    problems: list[tuple[str, str]] = []
    own = mqtt.url == "embedded"
    if mqtt.devices == "credentials" and not own:
        problems.append(("mqtt.devices", '"credentials" is for the embedded broker; yours has [provisioner] kind'))
    if mqtt.devices == "credentials" and wanted.kind not in ("none", "embedded"):
        problems.append(
            ("provisioner.kind", f'{wanted.kind!r}: expected "embedded" with [mqtt] devices = "credentials"')
        )
    if wanted.kind == "embedded" and not own:
        problems.append(("provisioner.kind", '"embedded" needs [mqtt] url = "embedded"'))
    if own and not is_loopback(mqtt.listen_host):
        if mqtt.devices != "credentials":
            problems.append(("mqtt.devices", 'expected "credentials" where the broker listens beyond loopback'))
        if (mqtt.cert_file is None or mqtt.key_file is None) and not mqtt.allow_plain:
            problems.append(
                ("mqtt.cert_file", "expected cert_file and key_file where the broker listens beyond loopback")
            )
    if wanted.kind == "emqx" and not (wanted.url or "").startswith("http"):
        problems.append(("provisioner.url", "expected EMQX's management API, such as http://127.0.0.1:18083"))
    if wanted.kind == "dynsec" and (wanted.url or mqtt.url).partition("://")[0] not in ("mqtt", "mqtts"):
        problems.append(("provisioner.url", "expected mqtt://... or mqtts://..."))
    if wanted.kind in ("dynsec", "emqx") and (not wanted.username or wanted.password is None):
        problems.append(("provisioner.username", "expected the administrator's username and password"))
    if problems:
        raise ConfigurationError([settings.problem(key, what) for key, what in problems])


def provisioner_of(
    settings: Settings, engine: Engine, ended: Callable[[Sequence[str]], None] | None = None
) -> Provisioner | None:
    """The configured provisioner; None where no broker is told. Raises ConfigurationError."""
    check(settings)
    wanted = settings.provisioner
    password = wanted.password.get_secret_value() if wanted.password else ""
    match kind_of(settings):
        case "embedded":
            return EmbeddedAccounts(engine, ended)
        case "dynsec":
            url = wanted.url or settings.mqtt.url
            tls = Tls(wanted.ca_file or settings.mqtt.ca_file) if url.startswith("mqtts") else None
            broker = parse_url(url, tls)
            context = None if broker.tls is None else _context(settings, broker.tls)
            return DynamicSecurity(
                Door(broker.host, broker.port, wanted.username, password, context, wanted.timeout_s)
            )  # fmt: skip
        case "emqx":
            ca_file = True if wanted.ca_file is None else str(wanted.ca_file)
            return Emqx(wanted.url or "", wanted.username or "", password, wanted.timeout_s, ca_file)
    return None


def public_endpoint(settings: Settings, mqtt_port: int = EMBEDDED_PORT) -> Endpoint:
    """What devices are told to connect to."""
    if settings.provisioner.devices_url:
        return parse_url(settings.provisioner.devices_url)
    if settings.mqtt.url == "embedded":
        tls = Tls() if settings.mqtt.cert_file else None
        return Endpoint(settings.mqtt.listen_host, mqtt_port, tls=tls)
    found = parse_url(settings.mqtt.url)
    return Endpoint(found.host, found.port, tls=found.tls)


async def open_brokers(
    settings: Settings, endpoint: Endpoint | None, accounts: Provisioner | None, mqtt_port: int, stack: AsyncExitStack
) -> Brokers:
    """The configured broker, or the embedded one, started; with a gate before it where devices have credentials."""
    if endpoint is not None:
        return Brokers(endpoint, endpoint, endpoint)
    if not isinstance(accounts, EmbeddedAccounts) or not is_enforced(settings):
        broker = await stack.enter_async_context(EmbeddedBroker(mqtt_port))
        return Brokers(broker.endpoint, broker.v5_endpoint, broker.endpoint)
    user, word = "citywarden", secrets.token_urlsafe(24)
    broker = await stack.enter_async_context(EmbeddedBroker(users={user: word}))
    inner = Endpoint("127.0.0.1", broker.port, user, word)
    inner_v5 = Endpoint("127.0.0.1", broker.v5_port, user, word)
    judge = _judge(accounts)
    gate = await stack.enter_async_context(
        Gate(judge, inner, inner_v5, settings.mqtt.listen_host, mqtt_port, _own_tls(settings))
    )
    return Brokers(gate.endpoint, inner_v5, inner, gate, lambda: _watch(accounts, gate))


def _judge(accounts: EmbeddedAccounts) -> Callable[[str, str, str], Awaitable[int | None]]:
    async def judge(login: str, password: str, client_id: str) -> int | None:
        kept = await asyncio.to_thread(accounts.find, login)
        return kept.revision if kept is not None and kept.lets_in(password, client_id) else None

    return judge


async def _watch(accounts: EmbeddedAccounts, gate: Gate) -> None:
    """Cut what another process has changed, until cancelled."""
    revision = await asyncio.to_thread(accounts.revision)
    while True:
        await asyncio.sleep(LOOK_S)
        changed = await asyncio.to_thread(accounts.changed_since, revision)
        revision = max(changed.values(), default=revision)
        if ended := gate.renew(changed):
            _log.info("MQTT gate: %d sessions ended, their accounts have changed", ended)


def _own_tls(settings: Settings) -> ssl.SSLContext | None:
    """The gate's certificate; with a CA file devices must show one of it, too."""
    mqtt = settings.mqtt
    if mqtt.cert_file is None:
        return None
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=mqtt.ca_file)
        context.load_cert_chain(mqtt.cert_file, mqtt.key_file)
    except OSError as error:
        raise CitywardenError(f"[mqtt] cert_file {mqtt.cert_file}: {error}") from None
    if mqtt.ca_file is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _context(settings: Settings, tls: Tls) -> ssl.SSLContext:
    try:
        return tls.context()
    except OSError as error:
        raise ConfigurationError([settings.problem("provisioner.ca_file", str(error))]) from None
