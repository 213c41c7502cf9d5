"""Where alerts may be sent: a target's name is resolved once, judged, and the connection goes to that very address.

Without this a target's name that points into the server's own network, at start or a minute later, would make the
server post there (server-side request forgery). docs/decisions/0010-where-alerts-may-be-sent.md.
"""

import asyncio
import ipaddress
import socket
import ssl
import urllib.request
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import httpx

from citywarden.model.networks import LOOPBACK, IpAddress, Network, refusal

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class Forbidden(Exception):
    """A target lies where nothing may be sent; the text says where and what would allow it."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """Every address of a host. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def judge(host: str, addresses: Sequence[str], allowed: Sequence[Network]) -> Sequence[IpAddress]:
    """The addresses, in their order. Raises Forbidden when one of them is neither public nor allowed."""
    judged = [ipaddress.ip_address(address.partition("%")[0]) for address in addresses]
    for address in judged:
        if (why := refusal(address, allowed)) is not None:
            shown = "" if host in (str(address), f"[{address}]") else f"{host}: "
            raise Forbidden(f"{shown}{why}")
    return judged


@dataclass(frozen=True, slots=True)
class Guard:
    """`allowed`: networks that are not public and may be sent to all the same."""

    allowed: Sequence[Network] = LOOPBACK
    resolve: Resolve = resolve

    async def addresses(self, host: str, port: int) -> Sequence[IpAddress]:
        """Where a connection to a host may go, in the order to try. Raises Forbidden, OSError when unknown."""
        found = await self.resolve(host, port)
        if not found:
            raise OSError(f"{host}: no address")
        return judge(host, found, self.allowed)


class GuardedTransport(httpx.AsyncBaseTransport):
    """HTTP to judged addresses only; TLS still proves the name. Each host has connections of its own, so that none is
    used for a name it was not verified for.

    Where the environment names a proxy for a host, the proxy connects: what the name resolves to here is judged, and
    a name unknown here is the proxy's business.
    """

    def __init__(self, guard: Guard, limits: httpx.Limits, context: ssl.SSLContext | None = None) -> None:
        self._guard = guard
        self._limits = limits
        self._context = context or httpx.create_ssl_context()
        self._transports: dict[tuple[str, str | None], httpx.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.raw_host.decode("ascii")
        port = request.url.port or (443 if request.url.scheme == "https" else 80)
        proxy = proxy_of(request.url.scheme, host)
        transport = self._transport(host, proxy)
        if proxy is not None:
            await self._judge_for_proxy(host, port)
            return await transport.handle_async_request(request)
        addresses = await self._find(host, port, request)
        failed: httpx.TransportError | None = None
        for address in addresses:
            try:
                return await transport.handle_async_request(_pinned(request, address, host))
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failed = error
        assert failed is not None
        raise failed

    async def aclose(self) -> None:
        for transport in self._transports.values():
            await transport.aclose()

    async def _find(self, host: str, port: int, request: httpx.Request) -> Sequence[IpAddress]:
        try:
            return await self._guard.addresses(host, port)
        except OSError as error:
            raise httpx.ConnectError(f"{host}: {error.strerror or error}", request=request) from None

    async def _judge_for_proxy(self, host: str, port: int) -> None:
        try:
            await self._guard.addresses(host, port)
        except OSError:
            return

    def _transport(self, host: str, proxy: str | None) -> httpx.AsyncHTTPTransport:
        key = (host, proxy)
        if key not in self._transports:
            self._transports[key] = httpx.AsyncHTTPTransport(
                verify=self._context, trust_env=False, limits=self._limits, proxy=proxy
            )
        return self._transports[key]


def proxy_of(scheme: str, host: str) -> str | None:
    """The proxy that the environment names for a host, None when it is reached directly."""
    proxies = urllib.request.getproxies()
    proxy = proxies.get(scheme) or proxies.get("all")
    if proxy is None or host in ("127.0.0.1", "localhost", "::1") or urllib.request.proxy_bypass(host):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _pinned(request: httpx.Request, address: IpAddress, host: str) -> httpx.Request:
    """The same request to an address; its Host header and the name that TLS proves stay those of the target."""
    return httpx.Request(
        request.method,
        request.url.copy_with(host=str(address)),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": host},
    )
