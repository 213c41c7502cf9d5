"""Which certificates the server hangs on, and when they expire."""

from collections.abc import Callable, Mapping
from pathlib import Path

from citywarden.certs.authority import DAY_MS, WARN_DAYS, Authority, expiry_of, state_of, superseded
from citywarden.model.errors import CitywardenError
from citywarden.sections import Settings

RENEW = "renew it with `citywarden certs server` or `certs crl`, or where it came from"


def certificates_folder(settings: Settings) -> Path:
    """Where the private authority keeps its files."""
    return settings.data / "certs"


def examine_certificates(settings: Settings, now_ms: int) -> Mapping[str, str]:
    """What each of the configured certificates, and the private authority, has to say for itself.

    Raises CitywardenError naming all that expire within 30 days, have expired or cannot be read.
    """
    told: dict[str, str] = {}
    wrong: list[str] = []

    def note(what: str, expires_ms: int) -> None:
        days = (expires_ms - now_ms) // DAY_MS
        told[what] = f"{days} days left"
        if expires_ms <= now_ms:
            wrong.append(f"{what} has expired")
        elif days < WARN_DAYS:
            wrong.append(f"{what} expires in {days} days")

    named = {
        "[api] cert_file": settings.api.cert_file,
        "[mqtt] cert_file": settings.mqtt.cert_file,
        "[mqtt] ca_file": settings.mqtt.ca_file,
    }
    for what, file in named.items():
        try:
            if file is not None:
                note(what, expiry_of(file)[1])
        except CitywardenError as error:
            wrong.append(f"{what}: {error}")
    _examine_authority(Authority(certificates_folder(settings)), now_ms, note, wrong)
    if wrong:
        raise CitywardenError("; ".join(wrong))
    return told


def _examine_authority(authority: Authority, now_ms: int, note: Callable[[str, int], None], wrong: list[str]) -> None:
    if not authority.exists:
        return
    for what, expires_ms in authority.expiries().items():
        note(f"the {what} of the private authority", expires_ms)
    issued = authority.issued()
    old = superseded(issued)
    ending = [one for one in issued if state_of(one, now_ms) in ("expiring", "expired") and one.serial not in old]
    if ending:
        first = min(ending, key=lambda one: one.expires_ms)
        wrong.append(f"{len(ending)} issued certificates have expired or soon will, the first that of {first.name}")
