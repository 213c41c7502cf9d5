"""Addresses: which are this machine's own, which are anybody's, and what hides inside another."""

import ipaddress
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

IpAddress = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LOOPBACK: tuple[Network, ...] = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))

_NAT64 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
"""RFC 6052 and RFC 8215: the last 32 bits are the IPv4 address that is meant."""

_COMPATIBLE = ipaddress.ip_network("::/96")
"""RFC 4291, 2.5.5.1: once a way to write an IPv4 address."""


def parse_network(text: str) -> Network:
    """A network such as `10.0.0.0/8`, or one address. Raises ValueError."""
    try:
        return ipaddress.ip_network(text.strip())
    except ValueError as error:
        raise ValueError(f"expected a network such as 10.0.0.0/8: {error}") from None


def meant(address: IpAddress) -> IpAddress:
    """The address that is really reached: an IPv4 address inside an IPv6 one (mapped, NAT64, 6to4, Teredo), else
    the same.
    """
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if any(address in network for network in _NAT64):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _COMPATIBLE and int(address) > 1:
        return IPv4Address(int(address))
    return address


def is_public(address: IpAddress) -> bool:
    """Whether it is an address of the internet: not private, link-local, shared, multicast, unspecified, reserved."""
    real = meant(address)
    return real.is_global and not (real.is_multicast or real.is_reserved or real.is_unspecified)


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine, without asking anybody."""
    host = host.strip("[]").rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return meant(ipaddress.ip_address(host.partition("%")[0])).is_loopback
    except ValueError:
        return False


def refusal(address: IpAddress, allowed: Sequence[Network]) -> str | None:
    """Why nothing may be sent to an address, or None: it is public, or in one of the `allowed` networks."""
    real = meant(address)
    if is_public(address) or any(real.version == network.version and real in network for network in allowed):
        return None
    kind = next(
        (word for word, holds in (
            ("of this machine", real.is_loopback), ("link-local", real.is_link_local), ("multicast", real.is_multicast),
            ("unspecified", real.is_unspecified), ("private", real.is_private),
        ) if holds), "not public",
    )  # fmt: skip
    shown = str(real) if real == address else f"{address} ({real})"
    return f"{shown} is {kind}, and in none of [alerts] allow_networks"
