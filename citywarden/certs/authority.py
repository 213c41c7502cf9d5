"""The authority at work: begin, issue, revoke, list. Everything is in the journal before it is handed out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from citywarden.certs import forms
from citywarden.certs.forms import Issuer, Key, Span, milliseconds
from citywarden.certs.shelf import OPEN_MODE, SECRET_MODE, Issued, Shelf
from citywarden.model.errors import CitywardenError, NotFound

AUTHORITY_DAYS = 3650
SERVER_DAYS = 825
DEVICE_DAYS = 1825
CRL_DAYS = 365
"""A broker refuses everybody once its list has expired, so it lasts long and is renewed with every change."""

WARN_DAYS = 30
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Handed:
    """What came of issuing: the journal's line, and the folder with cert.pem, key.pem and ca.pem."""

    issued: Issued
    folder: Path


class Authority:
    """The private authority in a folder. `passphrase`: of its key, None when that is not encrypted."""

    def __init__(self, folder: Path, passphrase: bytes | None = None) -> None:
        self._shelf = Shelf(folder)
        self._passphrase = passphrase

    @property
    def folder(self) -> Path:
        return self._shelf.folder

    @property
    def exists(self) -> bool:
        return self._shelf.has("ca.pem")

    def begin(self, name: str, now_ms: int, days: int = AUTHORITY_DAYS) -> Path:
        """Make key, certificate and an empty list of revocations; returns the certificate's file."""
        with self._shelf.held():
            if self._shelf.has("ca.key") or self.exists:
                raise CitywardenError(f"{self.folder}: there is an authority already")
            key = forms.new_key()
            certificate = forms.authority(name, key, Span(now_ms, days))
            self._shelf.write("ca.key", _key_pem(key, self._passphrase), SECRET_MODE)
            issuer = Issuer(certificate, key)
            self._write_revocations(issuer, now_ms)
            # Last: an authority is there once its certificate is.
            return self._shelf.write("ca.pem", certificate.public_bytes(Encoding.PEM))

    def issue_server(
        self, names: Sequence[str], now_ms: int, days: int = SERVER_DAYS, out: Path | None = None
    ) -> Handed:
        """A server's certificate for its host names and addresses."""
        key = forms.new_key()
        with self._shelf.held():
            certificate = forms.server(names, key, Span(now_ms, days), self._issuer())
            folder = out or self.folder / "servers" / names[0].strip("[]").replace("*", "any").replace("/", "_")
            return self._hand_out("server", names[0], certificate, key, folder)

    def issue_device(self, login: str, now_ms: int, days: int = DEVICE_DAYS, out: Path | None = None) -> Handed:
        """A client's certificate whose name is the login `tenant/kind/id`. The one before stays good until it is
        revoked or expires, so that a device can be moved over.
        """
        if any(part in ("", ".", "..") for part in login.split("/")):
            raise CitywardenError(f"{login}: expected tenant/kind/id")
        key = forms.new_key()
        with self._shelf.held():
            certificate = forms.client(login, key, Span(now_ms, days), self._issuer())
            return self._hand_out("device", login, certificate, key, out or self.folder / "devices" / login)

    def revoke(self, name: str, now_ms: int) -> Sequence[Issued]:
        """Revoke every good certificate of a name, or the one of a serial; the list is written anew.

        Raises NotFound where there is none.
        """
        with self._shelf.held():
            issuer = self._issuer()
            found = [
                one for one in self._shelf.journal().values()
                if one.revoked_ms is None and name in (one.name, one.serial)
            ]  # fmt: skip
            if not found:
                raise NotFound(f"no certificate of {name} that could be revoked")
            for one in found:
                self._shelf.note_revoked(one.serial, now_ms)
            self._write_revocations(issuer, now_ms)
            return found

    def renew_revocations(self, now_ms: int, days: int = CRL_DAYS) -> Path:
        """Sign the list of revocations anew; returns its file."""
        with self._shelf.held():
            return self._write_revocations(self._issuer(), now_ms, days)

    def issued(self) -> Sequence[Issued]:
        """Everything ever issued, oldest first."""
        return list(self._shelf.journal().values())

    def expiries(self) -> Mapping[str, int]:
        """When what everything hangs on expires, by what it is, in ms."""
        authority = x509.load_pem_x509_certificate(self._shelf.read("ca.pem"))
        revoked = x509.load_pem_x509_crl(self._shelf.read("crl.pem"))
        found = {"authority": milliseconds(authority.not_valid_after_utc)}
        if revoked.next_update_utc is not None:
            found["list of revocations"] = milliseconds(revoked.next_update_utc)
        return found

    def _issuer(self) -> Issuer:
        certificate = x509.load_pem_x509_certificate(self._shelf.read("ca.pem"))
        try:
            key = load_pem_private_key(self._shelf.read("ca.key"), self._passphrase)
        except TypeError:
            needed = "is encrypted: name its passphrase's file" if self._passphrase is None else "has no passphrase"
            raise CitywardenError(f"{self.folder / 'ca.key'} {needed}") from None
        except ValueError:
            raise CitywardenError(f"{self.folder / 'ca.key'}: wrong passphrase, or no key") from None
        if not isinstance(key, Key):
            raise CitywardenError(f"{self.folder / 'ca.key'}: expected a key of an elliptic curve")
        return Issuer(certificate, key)

    def _hand_out(self, purpose: str, name: str, certificate: x509.Certificate, key: Key, folder: Path) -> Handed:
        issued = Issued(
            f"{certificate.serial_number:x}", purpose, name, milliseconds(certificate.not_valid_before_utc),
            milliseconds(certificate.not_valid_after_utc),
        )  # fmt: skip
        self._shelf.note_issued(issued)
        files = {
            "cert.pem": (certificate.public_bytes(Encoding.PEM), OPEN_MODE),
            "key.pem": (_key_pem(key, None), SECRET_MODE),
            "ca.pem": (self._shelf.read("ca.pem"), OPEN_MODE),
        }
        return Handed(issued, self._shelf.write_folder(folder, files))

    def _write_revocations(self, issuer: Issuer, now_ms: int, days: int = CRL_DAYS) -> Path:
        revoked = [
            (one.number, one.revoked_ms) for one in self._shelf.journal().values()
            if one.revoked_ms is not None and one.expires_ms > now_ms
        ]  # fmt: skip
        signed = forms.revocations(revoked, now_ms, Span(now_ms, days), issuer)
        return self._shelf.write("crl.pem", signed.public_bytes(Encoding.PEM))


def state_of(issued: Issued, now_ms: int) -> str:
    """One word: `revoked`, `expired`, `expiring` (within WARN_DAYS) or `good`."""
    if issued.revoked_ms is not None:
        return "revoked"
    left_ms = issued.expires_ms - now_ms
    return "expired" if left_ms <= 0 else "expiring" if left_ms < WARN_DAYS * DAY_MS else "good"


def superseded(all_issued: Sequence[Issued]) -> frozenset[str]:
    """Serials of certificates after which the same name got a newer one: nobody waits for their renewal."""
    newest: dict[str, Issued] = {}
    for one in all_issued:
        if one.name not in newest or one.expires_ms >= newest[one.name].expires_ms:
            newest[one.name] = one
    return frozenset(one.serial for one in all_issued if newest[one.name].serial != one.serial)


def expiry_of(pem_file: Path) -> tuple[str, int]:
    """(common name, when it expires in ms) of a certificate's file. Raises CitywardenError."""
    try:
        certificate = x509.load_pem_x509_certificate(pem_file.read_bytes())
    except OSError as error:
        raise CitywardenError(f"{pem_file}: {error.strerror}") from None
    except ValueError:
        raise CitywardenError(f"{pem_file}: expected a certificate in PEM") from None
    return certificate.subject.rfc4514_string(), milliseconds(certificate.not_valid_after_utc)


def _key_pem(key: Key, passphrase: bytes | None) -> bytes:
    guard: KeySerializationEncryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, guard)
