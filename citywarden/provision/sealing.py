"""An answer that only the device which asked can read: X25519, HKDF-SHA256, AES-256-GCM."""

import base64
import json
import os
from collections.abc import Mapping
from typing import cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_INFO = b"citywarden-claim-1"


def fresh_key() -> X25519PrivateKey:
    """A key for one claim."""
    return X25519PrivateKey.generate()


def public_text(key: X25519PrivateKey) -> str:
    return _text(key.public_key().public_bytes_raw())


def seal(content: Mapping[str, object], public_key: str, nonce: str) -> dict[str, str]:
    """`{"public_key", "iv", "data"}`, all base64; `nonce` is the request's. Raises ValueError for a bad public key."""
    own = X25519PrivateKey.generate()
    shared = own.exchange(X25519PublicKey.from_public_bytes(base64.b64decode(public_key)))
    iv = os.urandom(12)
    data = AESGCM(_key(shared, nonce)).encrypt(iv, json.dumps(content).encode(), nonce.encode())
    return {"public_key": public_text(own), "iv": _text(iv), "data": _text(data)}


def unseal(sealed: Mapping[str, str], key: X25519PrivateKey, nonce: str) -> dict[str, object]:
    """What was sealed to the key. Raises ValueError when it is not for this key and nonce."""
    try:
        far = X25519PublicKey.from_public_bytes(base64.b64decode(sealed["public_key"]))
        opened = AESGCM(_key(key.exchange(far), nonce)).decrypt(
            base64.b64decode(sealed["iv"]), base64.b64decode(sealed["data"]), nonce.encode()
        )
    except (KeyError, InvalidTag) as error:
        raise ValueError("the answer is not for this device") from error
    return cast(dict[str, object], json.loads(opened))


def _key(shared: bytes, nonce: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=nonce.encode(), info=_INFO).derive(shared)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
