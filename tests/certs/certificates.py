"""A private authority of the test's own."""

from pathlib import Path

from citywarden.certs.authority import Authority, Handed
from citywarden.cli.running import wall_ms
from ingest.endpoint import Tls


class Papers:
    """An authority, the certificate of a server on this machine, and those of devices."""

    def __init__(self, folder: Path) -> None:
        self.now_ms = wall_ms()
        self.authority = Authority(folder)
        self.ca = self.authority.begin("Test", self.now_ms)
        self.crl = folder / "crl.pem"
        self.server: Handed = self.authority.issue_server(["localhost", "127.0.0.1", "::1"], self.now_ms)

    def device(self, login: str) -> Tls:
        """How a device proves that it is `login`."""
        handed = self.authority.issue_device(login, self.now_ms)
        return Tls(self.ca, handed.folder / "cert.pem", handed.folder / "key.pem")
