"""E-mail: a letter as a message for people, and its way to an SMTP server. The only module here that knows SMTP.

A target's url is `smtp://user@host:587/?from=alerts@city.example&to=a@b.example,c@d.example`, or `smtps://` for TLS
from the first byte; its secret is the password. `smtp://` takes STARTTLS where it is offered; without it a
password goes to this machine only. `&ca=/etc/citywarden/mail-ca.pem` trusts that authority instead of the public ones.
"""

import asyncio
import smtplib
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import parse_qs, unquote, urlsplit

from citywarden.alerts.guard import Forbidden, Guard
from citywarden.alerts.letter import Letter, Request, digest_lines, digest_title, lines, title
from citywarden.alerts.matching import local
from citywarden.alerts.target import Target
from citywarden.alerts.verdicts import Judgement, Verdict

PER_MIN = 20
"""More than that and a mail box is no place to be."""

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Postbox:
    """A mail target's url taken apart."""

    host: str
    port: int
    tls: bool
    user: str | None
    sender: str
    to: tuple[str, ...]
    ca: str | None = None


def parse_postbox(url: str) -> Postbox:
    """Raises ValueError when it is no mail target's url."""
    parts = urlsplit(url)
    asked = parse_qs(parts.query)
    to = tuple(address.strip() for word in asked.get("to", ()) for address in word.split(",") if address.strip())
    sender = asked.get("from", [""])[0]
    if (
        parts.scheme not in ("smtp", "smtps")
        or not parts.hostname
        or not to
        or not all("@" in a for a in (sender, *to))
    ):
        raise ValueError("expected smtp://user@host:587/?from=a@b.example&to=c@d.example, or smtps://")
    tls = parts.scheme == "smtps"
    user = unquote(parts.username) if parts.username else None
    return Postbox(
        parts.hostname, parts.port or (465 if tls else 587), tls, user, sender, to, asked.get("ca", [None])[0]
    )


def email(letter: Letter, target: Target, now_ms: int) -> Request:
    """The message as it goes over the wire; its id is the letter's at every attempt."""
    box = parse_postbox(target.url)
    message = EmailMessage()
    subject = digest_title(letter, target) if letter.digest else title(letter.notices[0], target)
    # Names of tasks come from files; a line feed in one would be refused, or begin a header of its own.
    message["Subject"] = " ".join(subject.split())
    message["From"] = box.sender
    message["To"] = ", ".join(box.to)
    message["Date"] = format_datetime(local(now_ms, target.zone))
    message["Message-ID"] = f"<{letter.id}@{box.sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    # All that is said of one alert stands together in a mail box.
    thread = letter.notices[0].alert.id if not letter.digest else letter.id
    message["References"] = f"<{thread}@{box.sender.rpartition('@')[2]}>"
    for name, value in target.headers.items():
        message[name] = value
    message.set_content("\n".join(digest_lines(letter, target) if letter.digest else lines(letter.notices[0], target)))
    return Request(message.as_bytes(), {"content-type": "message/rfc822"})


async def carry(request: Request, target: Target, guard: Guard) -> Judgement:
    """Hand a message to the server. Never raises for what the server or the network does."""
    box = parse_postbox(target.url)
    try:
        addresses = await guard.addresses(box.host, box.port)
        await asyncio.to_thread(_send, request.body, target, box, [str(a) for a in addresses])
    except Forbidden as error:
        return Judgement(Verdict.RETRY, f"nothing is sent there: {error}")
    except smtplib.SMTPRecipientsRefused as error:
        code, said = next(iter(error.recipients.values()))
        return _judge(code, said)
    except smtplib.SMTPResponseException as error:
        return _judge(error.smtp_code, error.smtp_error, isinstance(error, smtplib.SMTPAuthenticationError))
    except (smtplib.SMTPException, OSError, ssl.SSLError) as error:
        return Judgement(Verdict.RETRY, f"{type(error).__name__}: {error}".rstrip(": "))
    return Judgement(Verdict.DELIVERED, code=250)


class _Pinned(smtplib.SMTP):
    """Connects to the first of some addresses that answers; TLS proves the host's name."""

    def __init__(
        self, box: Postbox, timeout_s: float, addresses: Sequence[str], first_byte_tls: ssl.SSLContext | None
    ) -> None:
        self._addresses = addresses
        self._first_byte_tls = first_byte_tls
        super().__init__(box.host, box.port, timeout=timeout_s)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = self._connect(port, timeout)
        context = self._first_byte_tls
        return plain if context is None else context.wrap_socket(plain, server_hostname=host)

    def _connect(self, port: int, timeout: float) -> socket.socket:
        *others, last = self._addresses
        for address in others:
            with suppress(OSError):
                return socket.create_connection((address, port), timeout)
        return socket.create_connection((last, port), timeout)


def _send(body: bytes, target: Target, box: Postbox, addresses: Sequence[str]) -> None:
    context = ssl.create_default_context(cafile=box.ca)
    with _Pinned(box, target.timeout_s, addresses, context if box.tls else None) as server:
        server.ehlo()
        secure = box.tls or box.host in _LOOPBACK
        if not box.tls and server.has_extn("starttls"):
            server.starttls(context=context)
            server.ehlo()
            secure = True
        if target.secret:
            if not secure:
                raise smtplib.SMTPException("the server offers no STARTTLS, and the password goes nowhere in the clear")
            server.login(box.user or box.sender, target.secret)
        server.sendmail(box.sender, box.to, body)


def _judge(code: int, said: bytes | str, ours: bool = False) -> Judgement:
    """4xx: later; 5xx: never, unless it is the operator who can mend it."""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    verdict = Verdict.RETRY if code < 500 or ours or code in (530, 535, 538) else Verdict.REFUSED
    return Judgement(verdict, f"SMTP {code}: {text[:200]}", code)
