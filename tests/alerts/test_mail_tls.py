"""E-mail through TLS: from the first byte, after STARTTLS, and not at all to a server that cannot prove its name."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from citywarden.alerts.formats import FORMATS
from citywarden.alerts.guard import Guard
from citywarden.alerts.letter import Letter, Notice
from citywarden.alerts.machine import Change
from citywarden.alerts.target import Target
from citywarden.alerts.verdicts import Judgement
from tests.alerts.alert_builders import NOW_MS, alert
from tests.certs.certificates import Papers


@dataclass
class SecureMailbox:
    """An SMTP server that notes each command with whether it came through TLS."""

    context: ssl.SSLContext
    starttls: bool
    heard: list[tuple[str, bool]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 test\r\n")
        try:
            while line := await reader.readline():
                word = line.split()[0].upper().decode()
                self.heard.append((word, writer.get_extra_info("ssl_object") is not None))
                if word == "EHLO":
                    writer.write(b"250-test\r\n" + b"250-STARTTLS\r\n" * self.starttls + b"250 AUTH PLAIN\r\n")
                elif word == "STARTTLS":
                    writer.write(b"220 go on\r\n")
                    await writer.drain()
                    await writer.start_tls(self.context)
                elif word == "DATA":
                    writer.write(b"354 go on\r\n")
                    await reader.readuntil(b"\r\n.\r\n")
                    writer.write(b"250 taken\r\n")
                else:
                    writer.write({"AUTH": b"235 welcome\r\n", "QUIT": b"221 bye\r\n"}.get(word, b"250 ok\r\n"))
                await writer.drain()
        except (ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(tmp_path_factory.mktemp("mail-ca"))


@asynccontextmanager
async def mailbox(papers: Papers, starttls: bool) -> AsyncIterator[tuple[SecureMailbox, int]]:
    """A server on a free port: with STARTTLS, or TLS from the first byte."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(papers.server.folder / "cert.pem", papers.server.folder / "key.pem")
    box = SecureMailbox(context, starttls)
    server = await asyncio.start_server(box.serve, "127.0.0.1", 0, ssl=None if starttls else context)
    try:
        yield box, server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def mail(scheme: str, port: int, ca: Path | None) -> Judgement:
    """One alert mailed with a password."""
    trust = f"&ca={ca}" if ca else ""
    url = f"{scheme}://warden@localhost:{port}/?from=alerts@city.example&to=li@city.example{trust}"
    form, where = FORMATS["email"], Target("mail", url, "secret", "email")
    letter = Letter("msg_1", (Notice("msg_1", alert(), Change.OPENED),))
    assert form.carry is not None
    return await form.carry(form.compose(letter, where, NOW_MS), where, Guard())


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_mail_and_password_go_through_tls_only(papers: Papers, scheme: str) -> None:
    async with mailbox(papers, scheme == "smtp") as (box, port):
        judged = await mail(scheme, port, papers.ca)
    assert (judged.verdict.value, judged.code) == ("delivered", 250)
    assert [word for word, secret in box.heard if not secret] == (["EHLO", "STARTTLS"] if scheme == "smtp" else [])
    assert [word for word, secret in box.heard if secret][:5] == ["EHLO", "AUTH", "MAIL", "RCPT", "DATA"]


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_a_server_that_cannot_prove_its_name_hears_nothing(papers: Papers, scheme: str) -> None:
    async with mailbox(papers, scheme == "smtp") as (box, port):
        judged = await mail(scheme, port, None)
    assert judged.verdict.value == "retry"
    assert "certificate verify failed" in judged.detail
    assert not {"AUTH", "MAIL", "DATA"} & {word for word, _ in box.heard}
