"""Where an MQTT broker is and how to be let in."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

PLAIN_PORT = 1883
TLS_PORT = 8883


@dataclass(frozen=True, slots=True)
class Tls:
    """How the broker proves who it is, and we who we are. Without `ca_file` the system's authorities count."""

    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Raises OSError or ssl.SSLError naming the file that cannot be used."""
        for file in (self.ca_file, self.certificate_file, self.key_file):
            if file is not None and not file.is_file():
                raise FileNotFoundError(f"{file}: no such file")
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.certificate_file is not None:
            context.load_cert_chain(self.certificate_file, self.key_file)
        return context


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A broker. `tls` None: plain TCP. Its text shows neither user nor password."""

    host: str
    port: int = PLAIN_PORT
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Tls | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtt' if self.tls is None else 'mqtts'}://{host}:{self.port}"


def parse_url(url: str, tls: Tls | None = None, password: str | None = None) -> Endpoint:
    """The endpoint of `mqtt://user:password@host:port` or `mqtts://...` (ports 1883 and 8883 when not given).

    `tls` holds the files for `mqtts`, `password` one that is kept apart from the URL. Raises ValueError that says
    what is wrong, without the password.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("mqtt", "mqtts"):
        raise ValueError(f"scheme {parts.scheme!r}: expected mqtt:// or mqtts://")
    try:
        port = parts.port
    except ValueError:
        raise ValueError("the port is not a number from 1 to 65535") from None
    if not parts.hostname:
        raise ValueError("no host: expected mqtt://host:port")
    if port == 0:
        raise ValueError("the port is not a number from 1 to 65535")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("nothing may follow host and port")
    secure = parts.scheme == "mqtts"
    if tls is not None and not secure:
        raise ValueError("certificates are given, but the scheme is mqtt://: expected mqtts://")
    if parts.password is not None and password is not None:
        raise ValueError("the password is given twice, in the URL and apart from it")
    return Endpoint(
        host=parts.hostname,
        port=port or (TLS_PORT if secure else PLAIN_PORT),
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password is not None else password,
        tls=(tls or Tls()) if secure else None,
    )
