"""Security headers on every answer."""

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

_OURS = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Of the console: NiceGUI writes its elements into inline scripts and Vue compiles templates in the browser, which
both want their `unsafe-` word; nothing may come from, or go, elsewhere."""
_DATA = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""Of the API: its answers are no pages."""
_TLS = {"strict-transport-security": "max-age=31536000", "cross-origin-opener-policy": "same-origin"}
_COMMON = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "cross-origin-resource-policy": "same-origin",
}


def headers_of(path: str, tls: bool) -> dict[str, str]:
    """What an answer says if it does not say otherwise itself."""
    data = path.startswith("/api/") or path in ("/metrics", "/healthz")
    own = {"content-security-policy": _DATA if data else _OURS}
    if data:
        own["cache-control"] = "no-store"
    return _COMMON | own | (_TLS if tls else {})


def protected(path: str, tls: bool, send: Send) -> Send:
    """Send with the headers added to the beginning of the answer."""

    async def sending(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            headers = MutableHeaders(scope=message)
            for name, value in headers_of(path, tls).items():
                headers.setdefault(name, value)
        await send(message)

    return sending
