"""Where alerts may be sent, and that a connection goes where it was judged to go."""

import asyncio
import ipaddress
import ssl
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from citywarden.alerts import post
from citywarden.alerts.guard import Forbidden, Guard, GuardedTransport, judge, resolve
from citywarden.alerts.letter import Letter, Notice
from citywarden.alerts.machine import Change
from citywarden.alerts.outbox import State
from citywarden.alerts.verdicts import Verdict
from citywarden.model.networks import LOOPBACK, Network, is_loopback, is_public, meant, parse_network, refusal
from tests.alerts.alert_builders import alert, desk, file_engine, finding, target
from tests.alerts.hooks import Hook, answer, clock_ms, delivering, hook
from tests.certs.certificates import Papers

NOBODYS = {
    "unspecified": ["0.0.0.0", "0.1.2.3", "::", "::ffff:0.0.0.0"],
    "loopback": ["127.0.0.1", "127.255.1.2", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::7f00:1"],
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fd00::1", "fc00::1", "::ffff:10.0.0.1",
                "64:ff9b::a00:1", "2002:0a00:0001::", "::10.0.0.1"],
    "metadata": ["169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "fd00:ec2::254", "100.100.100.200",
                 "2002:a9fe:a9fe::"],
    "link-local": ["169.254.0.1", "fe80::1", "fe80::1%eth0"],
    "shared": ["100.64.0.1", "100.127.255.254"],
    "multicast": ["224.0.0.1", "239.255.255.250", "ff02::1", "ff0e::1"],
    "reserved": ["240.0.0.1", "255.255.255.255", "192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1",
                 "2001:db8::1"],
}  # fmt: skip


LETTER = Letter("msg_1", (Notice("msg_1", alert(), Change.FIRED),))


def networks(*words: str) -> tuple[Network, ...]:
    return tuple(map(parse_network, words))


@pytest.mark.parametrize("address", [address for group in NOBODYS.values() for address in group])
def test_an_address_that_is_not_of_the_internet_is_refused(address: str) -> None:
    with pytest.raises(Forbidden, match="allow_networks"):
        judge("dispatch.example", [address], ())


@pytest.mark.parametrize("address", ["1.1.1.1", "223.5.5.5", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_an_address_of_the_internet_is_not(address: str) -> None:
    assert judge("dispatch.example", [address], ())


def test_one_bad_address_among_good_ones_is_enough() -> None:
    with pytest.raises(Forbidden, match=r"dispatch.example: 10.0.0.1 is private"):
        judge("dispatch.example", ["1.1.1.1", "10.0.0.1"], ())


def test_a_named_network_is_allowed_also_where_it_hides_in_another_address() -> None:
    allowed = networks("10.1.0.0/16")
    assert judge("x", ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::a01:203"], allowed)
    with pytest.raises(Forbidden):
        judge("x", ["10.2.0.1"], allowed)


@given(st.ip_addresses(v=4))
def test_however_an_address_is_wrapped_it_is_judged_alike(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    wrapped = [
        ipaddress.IPv6Address((0xFFFF << 32) | number),
        ipaddress.IPv6Address((0x64FF9B << 96) | number),
        ipaddress.IPv6Address((0x2002 << 112) | (number << 80)),
        ipaddress.IPv6Address((0x20010000 << 96) | (number ^ 0xFFFFFFFF)),
    ]
    assert {meant(one) for one in wrapped} == {address}
    assert {is_public(one) for one in wrapped} == {is_public(address)}
    assert all((refusal(one, LOOPBACK) is None) == (is_public(address) or address.is_loopback) for one in wrapped)


@given(st.ip_addresses(v=6))
def test_every_address_gets_a_verdict(address: ipaddress.IPv6Address) -> None:
    assert (refusal(address, ()) is None) == is_public(address)
    assert refusal(address, networks("::/0", "0.0.0.0/0")) is None


@pytest.mark.parametrize("host", ["2130706433", "0177.0.0.1", "0x7f.1", "127.1", "0x7f000001", "0"])
async def test_odd_ways_to_write_this_machine_are_seen_through(host: str) -> None:
    """The system takes decimal, octal and hexadecimal addresses, so what it makes of them is what is judged."""
    try:
        found = await resolve(host, 80)
    except OSError:
        return
    with pytest.raises(Forbidden):
        judge(host, found, ())


@pytest.mark.parametrize(
    ("host", "ours"),
    [("127.0.0.1", True), ("localhost", True), ("LOCALHOST.", True), ("[::1]", True), ("127.9.9.9", True),
     ("0.0.0.0", False), ("10.0.0.1", False), ("broker", False), ("localhost.example", False),
     ("::ffff:127.0.0.1", True)],
)  # fmt: skip
def test_what_is_this_machine(host: str, ours: bool) -> None:
    assert is_loopback(host) is ours


def naming(*answers: Sequence[str]) -> Callable[[str, int], Awaitable[Sequence[str]]]:
    """A name server whose answer changes from question to question; the last one stays."""
    left = list(answers)

    async def ask(_host: str, _port: int) -> Sequence[str]:
        return left.pop(0) if len(left) > 1 else left[0]

    return ask


async def attempted(url: str, guard: Guard) -> tuple[Verdict, str]:
    where = target(url=url, timeout_s=60.0)
    async with post.client(guard) as http:
        judged = await post.attempt(http, where, LETTER, clock_ms, guard)
    return judged.verdict, judged.detail


async def test_the_connection_goes_to_the_judged_address_under_the_targets_name() -> None:
    async with hook() as receiver:
        port = receiver.url.rpartition(":")[2].partition("/")[0]
        guard = Guard(resolve=naming(["127.0.0.1"]))
        assert await attempted(f"http://dispatch.example:{port}", guard) == (Verdict.DELIVERED, "")
        assert receiver.taken[0].headers["host"] == f"dispatch.example:{port}"


async def test_a_name_that_changes_its_mind_is_judged_each_time() -> None:
    """DNS rebinding: public when asked first, this machine when asked again."""
    async with hook() as receiver:
        port = receiver.url.rpartition(":")[2].partition("/")[0]
        guard = Guard(allowed=(), resolve=naming(["127.0.0.1"]))
        verdict, detail = await attempted(f"http://rebind.example:{port}", guard)
        assert verdict is Verdict.RETRY
        assert "rebind.example: 127.0.0.1 is of this machine" in detail
        assert receiver.taken == []


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    async with hook() as receiver:
        port = receiver.url.rpartition(":")[2].partition("/")[0]
        guard = Guard(allowed=networks("127.0.0.0/8"), resolve=naming(["127.0.0.9", "127.0.0.1"]))
        assert (await attempted(f"http://dispatch.example:{port}", guard))[0] is Verdict.DELIVERED
        assert len(receiver.taken) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:127.0.0.1]", "2130706433", "0x7f000001"])
async def test_this_machine_is_refused_where_it_is_not_allowed(host: str) -> None:
    async with hook() as receiver:
        port = receiver.url.rpartition(":")[2].partition("/")[0]
        verdict, _ = await attempted(f"http://{host}:{port}", Guard(allowed=()))
        assert verdict is Verdict.RETRY
        assert receiver.taken == []


async def test_an_unknown_name_is_tried_again_later() -> None:
    async def unknown(_host: str, _port: int) -> Sequence[str]:
        raise OSError(-2, "Name or service not known")

    verdict, detail = await attempted("http://nowhere.example", Guard(resolve=unknown))
    assert verdict is Verdict.RETRY
    assert "Name or service not known" in detail


async def test_redirects_are_not_followed() -> None:
    async with hook() as inside, hook(answer(302, f"location: {inside.url}\r\n")) as receiver:
        verdict, detail = await attempted(receiver.url, Guard())
        assert verdict is Verdict.RETRY
        assert "redirects are not followed" in detail
        assert inside.taken == []


async def test_of_a_huge_answer_only_the_beginning_is_read() -> None:
    endless = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n" + b"x" * (post.ANSWER_BYTES + 10_000)
    async with hook(endless) as receiver:
        assert (await attempted(receiver.url, Guard()))[0] is Verdict.DELIVERED


async def test_a_refused_place_is_said_in_the_delivery_and_nothing_is_lost(tmp_path: Path) -> None:
    async with hook() as receiver:
        where = target(url=receiver.url)
        async with delivering(desk(file_engine(tmp_path), where), where, guard=Guard(allowed=())) as (front, courier):
            [raised] = await front.apply([finding("major", clock_ms())], clock_ms(), {})
            while "dispatch" not in courier.troubles():
                await courier.drain(0.05)
            [sent] = await front.deliveries_of(raised.id)
            assert sent.state is State.WAITING
            assert "allow_networks" in str(sent.detail)
            assert receiver.taken == []


async def test_a_mail_server_is_judged_too() -> None:
    guard = Guard(resolve=naming(["10.0.0.9"]))
    where = target(url="smtp://mail.example:25/?from=a@b.example&to=c@d.example", format="email")
    async with httpx.AsyncClient() as http:
        judged = await post.attempt(http, where, LETTER, clock_ms, guard)
    assert judged.verdict is Verdict.RETRY
    assert "mail.example: 10.0.0.9 is private" in judged.detail


async def test_tls_proves_the_targets_name_although_the_address_is_pinned(tmp_path: Path) -> None:
    papers = Papers(tmp_path / "certs")
    papers.server = papers.authority.issue_server(["dispatch.example"], papers.now_ms)
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(papers.server.folder / "cert.pem", papers.server.folder / "key.pem")
    trusting = ssl.create_default_context(cafile=papers.ca)
    receiver = Hook()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=served)
    port = server.sockets[0].getsockname()[1]
    transport = GuardedTransport(Guard(resolve=naming(["127.0.0.1"])), httpx.Limits(), trusting)
    async with server, httpx.AsyncClient(transport=transport, timeout=60) as http:
        assert (await http.post(f"https://dispatch.example:{port}/", content=b"x")).status_code == 204
        with pytest.raises(httpx.ConnectError, match=r"not valid for .another\.example"):
            await http.post(f"https://another.example:{port}/", content=b"x")
    await receiver.until(lambda hook: hook.connections == 0)
    assert len(receiver.taken) == 1
