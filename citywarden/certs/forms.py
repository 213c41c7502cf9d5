"""Certificates as values: who, for what, from when to when. Pure but for the keys, which are random.

Elliptic curve P-256 throughout: small, fast on a controller, and every TLS library of the last ten years has it.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from citywarden.model.errors import CitywardenError

MAX_NAME = 64
"""Longest common name (RFC 5280, ub-common-name)."""

BACKDATE = timedelta(minutes=5)
"""Certificates hold from a little earlier, for devices whose clocks are slow."""

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_HOST_NAME = re.compile(rf"(?!.{{254}}){_LABEL}(?:\.{_LABEL})*")

Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class Span:
    """From `now_ms` for `days`."""

    now_ms: int
    days: int

    @property
    def begin(self) -> datetime:
        return moment(self.now_ms) - BACKDATE

    @property
    def end(self) -> datetime:
        return moment(self.now_ms) + timedelta(days=self.days)


@dataclass(frozen=True, slots=True)
class Issuer:
    """An authority's certificate with its key."""

    certificate: x509.Certificate
    key: Key


def moment(ms: int) -> datetime:
    """A time in ms as certificates have it, whole seconds in UTC."""
    return datetime.fromtimestamp(ms // 1000, UTC)


def milliseconds(when: datetime) -> int:
    return round(when.timestamp() * 1000)


def new_key() -> Key:
    return ec.generate_private_key(ec.SECP256R1())


def authority(name: str, key: Key, span: Span) -> x509.Certificate:
    """A certificate that vouches for itself and may vouch for others, but not for further authorities."""
    subject = _name(name)
    usage = _usage(key_cert_sign=True, crl_sign=True)
    return (
        _begun(subject, key, span)
        .issuer_name(subject)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )


def server(names: Sequence[str], key: Key, span: Span, issuer: Issuer) -> x509.Certificate:
    """A server's certificate for host names and addresses; the first is its common name. Raises CitywardenError."""
    if not names:
        raise CitywardenError("a server's certificate needs at least one host name or address")
    hosts = [_host(name) for name in names]
    return _signed(
        names[0][:MAX_NAME], key, span, issuer, ExtendedKeyUsageOID.SERVER_AUTH, x509.SubjectAlternativeName(hosts)
    )


def client(login: str, key: Key, span: Span, issuer: Issuer) -> x509.Certificate:
    """A certificate whose common name is a login: a broker takes it for the user name. Raises CitywardenError."""
    if len(login) > MAX_NAME:
        raise CitywardenError(f"{login}: {len(login)} letters, and a certificate's name has at most {MAX_NAME}")
    return _signed(login, key, span, issuer, ExtendedKeyUsageOID.CLIENT_AUTH, None)


def revocations(
    revoked: Sequence[tuple[int, int]], number: int, span: Span, issuer: Issuer
) -> x509.CertificateRevocationList:
    """The signed list of (serial, when in ms) that are no good any more."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(span.begin)
        .next_update(span.end)
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False)
    )
    for serial, at_ms in sorted(revoked):
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(moment(at_ms)).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(issuer.key, hashes.SHA256())


def _signed(
    name: str, key: Key, span: Span, issuer: Issuer, purpose: x509.ObjectIdentifier,
    hosts: x509.SubjectAlternativeName | None,
) -> x509.Certificate:  # fmt: skip
    if milliseconds(issuer.certificate.not_valid_after_utc) <= span.now_ms:
        raise CitywardenError("the authority's certificate has expired; begin a new one in another folder")
    span = Span(span.now_ms, min(span.days, (issuer.certificate.not_valid_after_utc - moment(span.now_ms)).days))
    builder = (
        _begun(_name(name), key, span)
        .issuer_name(issuer.certificate.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False)
    )
    if hosts is not None:
        builder = builder.add_extension(hosts, critical=False)
    return builder.sign(issuer.key, hashes.SHA256())


def _begun(subject: x509.Name, key: Key, span: Span) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(span.begin)
        .not_valid_after(span.end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        pass
    try:
        ascii_name = name.removeprefix("*.").encode("idna").decode()
    except UnicodeError:
        ascii_name = ""
    if not _HOST_NAME.fullmatch(ascii_name):
        raise CitywardenError(f"{name!r} is neither a host name nor an address")
    return x509.DNSName(f"*.{ascii_name}" if name.startswith("*.") else ascii_name)


def _usage(digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature, key_cert_sign=key_cert_sign, crl_sign=crl_sign, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
