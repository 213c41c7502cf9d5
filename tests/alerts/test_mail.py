"""E-mail over real SMTP to a server of the test's own."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta, timezone
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest

from citywarden.alerts import outbox
from citywarden.alerts.formats import FORMATS, misfit
from citywarden.alerts.guard import Guard
from citywarden.alerts.letter import Letter, Notice
from citywarden.alerts.machine import Change
from citywarden.alerts.mail import email, parse_postbox
from citywarden.alerts.outbox import State
from citywarden.alerts.target import Target
from tests.alerts.alert_builders import NOW_MS, alert, desk, file_engine, finding
from tests.alerts.hooks import clock_ms, delivering


@dataclass
class Mailbox:
    """A server that answers `refuses` (command -> line) once each, and otherwise takes everything."""

    refuses: dict[str, bytes] = field(default_factory=dict)
    mails: list[EmailMessage] = field(default_factory=list)
    logins: int = 0
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 test\r\n")
        while line := await reader.readline():
            word = line.split()[0].upper().decode() if line.split() else ""
            self.logins += word == "AUTH"
            if (refusal := self.refuses.pop(word, None)) is not None:
                writer.write(refusal)
            elif word == "EHLO":
                writer.write(b"250-test\r\n250 AUTH PLAIN\r\n")
            elif word == "AUTH":
                writer.write(b"235 welcome\r\n")
            elif word == "DATA":
                writer.write(b"354 go on\r\n")
                raw = await reader.readuntil(b"\r\n.\r\n")
                parsed = message_from_bytes(raw[:-5], policy=default)
                assert isinstance(parsed, EmailMessage)
                self.mails.append(parsed)
                writer.write(b"250 taken\r\n")
            else:
                writer.write(b"221 bye\r\n" if word == "QUIT" else b"250 ok\r\n")
            await writer.drain()
            if word == "QUIT":
                break
        writer.close()


@asynccontextmanager
async def mailbox(refuses: Mapping[str, bytes] | None = None) -> AsyncIterator[tuple[Mailbox, Target]]:
    """A server on a free port of this machine, and a target that mails to it."""
    box = Mailbox(dict(refuses or {}))
    server = await asyncio.start_server(box.serve, "127.0.0.1", 0)
    box.port = server.sockets[0].getsockname()[1]
    url = f"smtp://warden@127.0.0.1:{box.port}/?from=alerts@city.example&to=li@city.example,wang@city.example"
    try:
        yield box, Target("mail", url, "secret", "email", zone=timezone(timedelta(hours=8)))
    finally:
        server.close()


async def test_an_alert_is_mailed_for_people_to_read(tmp_path: Path) -> None:
    async with mailbox() as (box, where), delivering(desk(file_engine(tmp_path), where), where) as (front, courier):
        now_ms = clock_ms()
        [raised] = await front.apply([finding("critical", now_ms)], now_ms, {})
        assert await courier.drain(60)
        [sent] = await front.deliveries_of(raised.id)
    [mail] = box.mails
    assert (mail["Subject"], mail["To"]) == ("[紧急] g1 告警", "li@city.example, wang@city.example")
    assert mail["Message-ID"] == f"<{sent.id}@city.example>"
    assert mail["References"] == f"<{raised.id}@city.example>"
    body = mail.get_content()
    assert "甲烷 30 %LEL" in body
    assert "gas.methane" in body
    assert (box.logins, sent.state, sent.code) == (1, State.DELIVERED, 250)


@pytest.mark.parametrize(
    ("refusal", "state"),
    [
        ({"MAIL": b"451 come back later\r\n"}, State.DELIVERED),
        ({"AUTH": b"535 wrong password\r\n"}, State.DELIVERED),
        ({"EHLO": b"421 too busy\r\n", "HELO": b"421 too busy\r\n"}, State.DELIVERED),
        ({"DATA": b"554 no such thing here\r\n"}, State.REFUSED),
    ],
)
async def test_what_a_server_refuses_is_tried_again_or_not(
    tmp_path: Path, refusal: Mapping[str, bytes], state: State
) -> None:
    front = desk(file_engine(tmp_path), Target("mail", ""))
    async with mailbox(refusal) as (box, where), delivering(front, where) as (busy, _):
        now_ms = clock_ms()
        await busy.apply([finding("critical", now_ms)], now_ms, {})
        async with asyncio.timeout(60):
            while not (busy.counters.delivered or busy.counters.refused):
                await asyncio.sleep(0.01)
    [sent] = front.read(outbox.find).items
    assert (sent.state, len(box.mails)) == (state, int(state is State.DELIVERED))


async def test_a_password_goes_nowhere_in_the_clear() -> None:
    async with mailbox() as (box, where):
        there = Target(where.name, where.url.replace("127.0.0.1", "127.0.0.2"), "secret", "email")
        form = FORMATS["email"]
        letter = Letter("msg_1", (Notice("msg_1", alert(), Change.OPENED),))
        assert form.carry is not None
        judged = await form.carry(form.compose(letter, there, NOW_MS), there, Guard())
    assert box.logins == 0
    assert judged.verdict.value == "retry"


def test_addresses_are_checked() -> None:
    box = parse_postbox("smtps://li%40x@mail.example/?from=a@b&to=c@d,e@f")
    assert (box.host, box.port, box.tls, box.user, box.to) == ("mail.example", 465, True, "li@x", ("c@d", "e@f"))
    for wrong in ("smtp://mail.example/", "https://mail.example/?from=a@b&to=c@d", "smtp://h/?from=a&to=c@d"):
        assert "expected smtp://" in str(misfit("email", wrong))
    assert misfit("wecom", "smtp://h/?from=a@b&to=c@d") == "expected an address such as https://host/path"
    assert misfit("wecom", "https://h/") is None


def test_a_name_cannot_write_headers() -> None:
    target = Target("post", "smtp://mail.example/?from=cw@city.example&to=duty@city.example", format="email")
    notice = Notice("n1", alert(subject="V1/road\r\nBcc: spy@evil.example\n\nbody"), Change.OPENED)
    mail = message_from_bytes(email(Letter("m1", (notice,)), target, NOW_MS).body, policy=default)
    assert "Bcc: spy@evil.example" in mail["Subject"]
    assert mail["Bcc"] is None
