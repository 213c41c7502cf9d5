"""What to receive from a broker, and the words for how that goes."""

from dataclasses import dataclass
from enum import StrEnum

from ingest.endpoint import Endpoint


class State(StrEnum):
    """What the subscriber is doing."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    STALLED = "stalled"
    REFUSED = "refused"
    LOST = "lost"
    STOPPED = "stopped"


class Cause(StrEnum):
    """Why it is not connected, or not storing."""

    DNS = "dns"
    UNREACHABLE = "unreachable"
    TLS = "tls"
    TIMEOUT = "timeout"
    BAD_CREDENTIALS = "bad_credentials"
    NOT_AUTHORIZED = "not_authorized"
    BAD_CLIENT_ID = "bad_client_id"
    NOT_MQTT5 = "not_mqtt5"
    BROKER_REFUSED = "broker_refused"
    SUBSCRIPTION_REFUSED = "subscription_refused"
    SESSION_TAKEN_OVER = "session_taken_over"
    SESSION_SHARED = "session_shared"
    BROKER_LEFT = "broker_left"
    SILENT = "silent"
    MALFORMED = "malformed"
    LOG_UNAVAILABLE = "log_unavailable"


@dataclass(frozen=True, slots=True)
class Status:
    """State of the subscriber, for health and logs. `detail` is one line for a person."""

    state: State
    cause: Cause | None = None
    detail: str = ""


class ConnectionEnded(Exception):
    """The connection is over, and this is why."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.detail)
        self.status = status


@dataclass(frozen=True, slots=True)
class Subscription:
    """What to receive and under which name.

    `client_id` names the session the broker keeps while we are away, so it must stay the same over restarts and be
    used by one server only. `receive_max`: messages the broker may send ahead of our acknowledgements.
    `max_packet_bytes`: the broker drops larger packets without a word, so it is far above the largest valid payload.
    """

    endpoint: Endpoint
    client_id: str
    filters: tuple[str, ...] = ("city/#",)
    receive_max: int = 10_000
    keep_alive_s: int = 30
    session_expiry_s: int = 7 * 24 * 3600
    max_packet_bytes: int = 4 * 1024 * 1024
