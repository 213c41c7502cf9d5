"""Signing of messages as Standard Webhooks has it: version 1, HMAC-SHA256, symmetric."""

import base64
import hashlib
import hmac


def sign(key: bytes, message_id: str, sent_s: int, body: bytes) -> str:
    """The `webhook-signature` of a body sent at `sent_s`, s since 1970 UTC."""
    signed = f"{message_id}.{sent_s}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def headers(key: bytes | None, message_id: str, sent_s: int, body: bytes) -> dict[str, str]:
    """The three headers; without a key the message goes unsigned."""
    known = {"webhook-id": message_id, "webhook-timestamp": str(sent_s)}
    return known if key is None else known | {"webhook-signature": sign(key, message_id, sent_s, body)}
