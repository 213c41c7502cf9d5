"""Devices that ask for their identity: what they say, how it is proved, and what is decided. Pure.

The device knows its tenant's claim key and sends on `city/TENANT/claim`, never the key itself:

    {"serial", "kind", "nonce", "ts", "public_key", "proof"}
    proof = hex HMAC-SHA256(claim key, text)
    text  = the lines `citywarden-claim-1`, tenant, serial, kind, nonce, ts, public_key, with a line feed between

`public_key` is a fresh X25519 key (base64): the answer on `city/TENANT/claim/SERIAL/result` is sealed to it.
"""

import base64
import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from enum import StrEnum

from citywarden.model.claim import Mode, State

FRESH_MS = 10 * 60 * 1000
"""How far a request's `ts` may be from the server's time."""
MAX_REQUEST_BYTES = 2048
RETRY_S = 60

_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_NONCE = re.compile(r"[A-Za-z0-9_-]{16,64}")
_DOMAIN = "citywarden-claim-1"


class Outcome(StrEnum):
    """What became of a request; logs, audit and answers use the same words."""

    ISSUED = "issued"
    WAITING = "waiting"
    REJECTED = "rejected"
    ALREADY_CLAIMED = "already_claimed"
    UNKNOWN_SERIAL = "unknown_serial"
    UNKNOWN_KIND = "unknown_kind"
    REPLAYED = "replayed"
    STALE = "stale"
    BAD_PROOF = "bad_proof"
    MALFORMED = "malformed"
    TOO_MANY = "too_many"
    NO_KEY = "no_key"
    FAILED = "failed"

    @property
    def answered(self) -> bool:
        """Whether the device hears of it: never one that has not proved that it knows the key."""
        return self not in (Outcome.BAD_PROOF, Outcome.MALFORMED, Outcome.TOO_MANY, Outcome.NO_KEY, Outcome.REPLAYED)


@dataclass(frozen=True, slots=True)
class Request:
    """A claim as it was sent. `ts_ms` is the device's clock."""

    serial: str
    kind: str
    nonce: str
    ts_ms: int
    public_key: str
    proof: str


def parse_request(payload: bytes) -> Request | None:
    """The request; None when it is none."""
    if len(payload) > MAX_REQUEST_BYTES:
        return None
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    texts = [found.get(name) for name in ("serial", "kind", "nonce", "public_key", "proof")]
    ts = found.get("ts")
    if any(not isinstance(one, str) for one in texts) or not isinstance(ts, int) or isinstance(ts, bool):
        return None
    serial, kind, nonce, public_key, proof = map(str, texts)
    fits = _NAME.fullmatch(serial) and _NAME.fullmatch(kind) and _NONCE.fullmatch(nonce) and abs(ts) < 1 << 53
    if not fits or public_bytes(public_key) is None:
        return None
    return Request(serial, kind, nonce, ts, public_key, proof)


def public_bytes(public_key: str) -> bytes | None:
    """The 32 bytes of a public key in base64, or None."""
    try:
        raw = base64.b64decode(public_key, validate=True)
    except ValueError:
        return None
    return raw if len(raw) == 32 else None


def prove(secret: str, tenant: str, request: Request) -> str:
    """The proof that a request should carry."""
    said = (_DOMAIN, tenant, request.serial, request.kind, request.nonce, str(request.ts_ms), request.public_key)
    return hmac.new(secret.encode(), "\n".join(said).encode(), hashlib.sha256).hexdigest()


def is_proved(secret: str, tenant: str, request: Request) -> bool:
    """Whether whoever sent it knows the tenant's claim key; in constant time."""
    return hmac.compare_digest(
        prove(secret, tenant, request).encode(), request.proof.lower().encode("utf-8", "replace")
    )


def bootstrap_password(secret: str) -> str:
    """What a device that claims logs in with, as user `TENANT/claim`: derived from the claim key, so one is enough."""
    raw = hmac.digest(secret.encode(), b"citywarden-bootstrap-1", hashlib.sha256)
    return base64.urlsafe_b64encode(raw[:24]).decode()


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of the device that asks. `may_claim`: it is registered, and still to have its first password."""

    registered: bool
    may_claim: bool
    state: State | None
    mode: Mode
    kind_known: bool


def decide(request: Request, standing: Standing, now_ms: int) -> Outcome:
    """What becomes of a request that is proved and no replay."""
    if abs(now_ms - request.ts_ms) > FRESH_MS:
        return Outcome.STALE
    if not standing.kind_known:
        return Outcome.UNKNOWN_KIND
    if standing.may_claim:
        return Outcome.ISSUED
    if standing.registered:
        return Outcome.ALREADY_CLAIMED
    if standing.state is State.REJECTED:
        return Outcome.REJECTED
    return Outcome.WAITING if standing.mode is Mode.APPROVAL else Outcome.UNKNOWN_SERIAL
