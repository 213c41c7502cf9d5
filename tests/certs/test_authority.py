"""A private authority: what it issues is what was asked for, nothing is half-written, nothing secret is readable."""

import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from citywarden.certs.authority import DAY_MS, Authority, expiry_of, state_of, superseded
from citywarden.model.errors import CitywardenError, NotFound
from tests.builders import NOON_MS

LOGIN = "t/gas/G1"


def begun(folder: Path, passphrase: bytes | None = None) -> Authority:
    authority = Authority(folder / "ca", passphrase)
    authority.begin("Test city", NOON_MS)
    return authority


def certificate(file: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(file.read_bytes())


def test_an_authority_vouches_for_others_and_its_key_is_its_owners(tmp_path: Path) -> None:
    authority = begun(tmp_path)
    made = certificate(authority.folder / "ca.pem")
    constraints = made.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (True, True, 0)
    assert made.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    assert stat.S_IMODE((authority.folder / "ca.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(authority.folder.stat().st_mode) == 0o700
    assert authority.expiries() == {
        "authority": NOON_MS + 3650 * DAY_MS, "list of revocations": NOON_MS + 365 * DAY_MS,
    }  # fmt: skip
    with pytest.raises(CitywardenError, match="there is an authority already"):
        authority.begin("Another", NOON_MS)


def test_a_key_may_be_encrypted(tmp_path: Path) -> None:
    authority = begun(tmp_path, b"correct horse")
    assert b"ENCRYPTED" in (authority.folder / "ca.key").read_bytes()
    assert authority.issue_device(LOGIN, NOON_MS).issued.name == LOGIN
    for wrong in (None, b"battery staple"):
        with pytest.raises(CitywardenError, match=r"ca\.key"):
            Authority(authority.folder, wrong).issue_device(LOGIN, NOON_MS)


def test_a_servers_certificate_names_its_hosts(tmp_path: Path) -> None:
    authority = begun(tmp_path)
    handed = authority.issue_server(["city.example", "10.1.2.3", "::1", "灯.example"], NOON_MS, 90)
    made = certificate(handed.folder / "cert.pem")
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["city.example", "xn--znx.example"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["10.1.2.3", "::1"]
    assert list(made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.SERVER_AUTH
    ]
    assert handed.issued.expires_ms == NOON_MS + 90 * DAY_MS
    assert handed.issued.issued_ms < NOON_MS
    context = ssl.create_default_context(cafile=authority.folder / "ca.pem")
    context.load_cert_chain(handed.folder / "cert.pem", handed.folder / "key.pem")
    for nonsense in ("", "a b", "x" * 300):
        with pytest.raises(CitywardenError):
            authority.issue_server([nonsense], NOON_MS)


def test_a_devices_certificate_is_its_login_and_no_servers(tmp_path: Path) -> None:
    authority = begun(tmp_path)
    handed = authority.issue_device(LOGIN, NOON_MS)
    assert handed.folder == authority.folder / "devices" / LOGIN
    assert sorted(file.name for file in handed.folder.iterdir()) == ["ca.pem", "cert.pem", "key.pem"]
    assert stat.S_IMODE((handed.folder / "key.pem").stat().st_mode) == 0o600
    made = certificate(handed.folder / "cert.pem")
    assert made.subject.rfc4514_string() == f"CN={LOGIN}"
    assert expiry_of(handed.folder / "cert.pem") == (f"CN={LOGIN}", handed.issued.expires_ms)
    assert list(made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.CLIENT_AUTH
    ]
    assert made.signature_hash_algorithm is not None
    made.verify_directly_issued_by(certificate(authority.folder / "ca.pem"))


@pytest.mark.parametrize("login", ["t/gas/..", "../x/y", "t//x", "t/gas/" + "x" * 60])
def test_a_login_cannot_lead_elsewhere_or_be_too_long(tmp_path: Path, login: str) -> None:
    authority = begun(tmp_path)
    with pytest.raises(CitywardenError):
        authority.issue_device(login, NOON_MS)
    assert authority.issued() == []


def test_revoking_is_by_name_or_serial_and_stands_in_the_signed_list(tmp_path: Path) -> None:
    authority = begun(tmp_path)
    first, second = authority.issue_device(LOGIN, NOON_MS), authority.issue_device(LOGIN, NOON_MS + 1000)
    other = authority.issue_device("t/gas/G2", NOON_MS)
    assert [one.serial for one in authority.revoke(first.issued.serial, NOON_MS + 2000)] == [first.issued.serial]
    assert [one.serial for one in authority.revoke(LOGIN, NOON_MS + 3000)] == [second.issued.serial]
    with pytest.raises(NotFound):
        authority.revoke(LOGIN, NOON_MS)
    crl = x509.load_pem_x509_crl((authority.folder / "crl.pem").read_bytes())
    assert {f"{one.serial_number:x}" for one in crl} == {first.issued.serial, second.issued.serial}
    assert crl.is_signature_valid(certificate(authority.folder / "ca.pem").public_key())  # type: ignore[arg-type]
    states = {one.serial: state_of(one, NOON_MS) for one in authority.issued()}
    assert states == {first.issued.serial: "revoked", second.issued.serial: "revoked", other.issued.serial: "good"}


def test_the_list_of_revocations_grows_in_number_and_forgets_what_has_expired(tmp_path: Path) -> None:
    authority = begun(tmp_path)
    handed = authority.issue_device(LOGIN, NOON_MS, days=10)
    authority.revoke(LOGIN, NOON_MS + DAY_MS)
    numbers = []
    for days in (2, 11):
        crl = x509.load_pem_x509_crl(authority.renew_revocations(NOON_MS + days * DAY_MS).read_bytes())
        numbers.append(crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number)
        assert (crl.get_revoked_certificate_by_serial_number(handed.issued.number) is not None) == (days == 2)
    assert numbers == sorted(set(numbers))


def test_what_expires_is_said_in_time_and_what_was_replaced_is_not(tmp_path: Path) -> None:
    authority = begun(tmp_path)
    old = authority.issue_device(LOGIN, NOON_MS, days=40).issued
    assert [state_of(old, NOON_MS + days * DAY_MS) for days in (0, 11, 41)] == ["good", "expiring", "expired"]
    assert superseded(authority.issued()) == set()
    authority.issue_device(LOGIN, NOON_MS + DAY_MS)
    assert superseded(authority.issued()) == {old.serial}


def test_nothing_is_valid_longer_than_its_authority(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    authority.begin("Short", NOON_MS, days=100)
    assert authority.issue_device(LOGIN, NOON_MS + 30 * DAY_MS, days=500).issued.expires_ms <= NOON_MS + 100 * DAY_MS
    with pytest.raises(CitywardenError, match="has expired"):
        authority.issue_device(LOGIN, NOON_MS + 101 * DAY_MS)


def test_a_journal_cut_short_by_a_crash_is_read_and_goes_on(tmp_path: Path) -> None:
    authority = begun(tmp_path)
    first = authority.issue_device(LOGIN, NOON_MS)
    journal = authority.folder / "journal.jsonl"
    with journal.open("ab") as opened:
        opened.write(b'{"serial": "12')
    assert [one.serial for one in authority.issued()] == [first.issued.serial]
    second = authority.issue_device("t/gas/G2", NOON_MS + 1)
    assert [one.serial for one in authority.issued()] == [first.issued.serial, second.issued.serial]
    journal.write_bytes(b"nonsense\n" + journal.read_bytes())
    with pytest.raises(CitywardenError, match=r"journal\.jsonl:1"):
        authority.issued()


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    authority = begun(tmp_path)
    before = authority.issue_device(LOGIN, NOON_MS)
    kept = (before.folder / "cert.pem").read_bytes()
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder is wanted")
    with pytest.raises(CitywardenError):
        authority.issue_device(LOGIN, NOON_MS, out=blocked / "x")
    (before.folder / "other").write_text("somebody's own")
    with pytest.raises(CitywardenError, match="holds other files"):
        authority.issue_device(LOGIN, NOON_MS)
    assert (before.folder / "cert.pem").read_bytes() == kept
    assert not [file for file in before.folder.parent.iterdir() if file.name.startswith(".")]


def test_renewing_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    authority = begun(tmp_path)
    before = (authority.issue_device(LOGIN, NOON_MS).folder / "cert.pem").read_bytes()
    after = authority.issue_device(LOGIN, NOON_MS + 1)
    assert (after.folder / "cert.pem").read_bytes() != before
    assert [file.name for file in after.folder.parent.iterdir()] == ["G1"]
