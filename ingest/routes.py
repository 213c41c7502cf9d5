"""Where a topic leads: taken apart once, then remembered."""

from collections.abc import Collection
from typing import NamedTuple

from citywarden.model.credential import is_claim_topic
from citywarden.model.device import DeviceKey
from citywarden.model.message import Channel, Reject, parse_topic
from ingest.payload import Refused, shorten

MAX_ROUTES = 200_000
_COMMANDS = (Channel.COMMAND, Channel.COMMAND_RESULT)
READINGS = (Channel.TELEMETRY, Channel.EVENT)


class Route(NamedTuple):
    """Where a topic leads. `refused` when no message on it can be taken, whoever sent it.

    `command`: to a device, or its answer. `readings`: from a device of a known kind.
    """

    channel: Channel | None
    key: DeviceKey
    refused: Refused | None = None
    command: bool = False
    readings: bool = False


class Routes:
    """Routes by topic. Forgets all when there are too many; those of readings are not kept: the decoder does."""

    def __init__(self, kinds: Collection[str]) -> None:
        self._kinds = kinds
        self._known: dict[str, Route] = {}

    def find(self, topic: str) -> Route:
        """Where the topic leads."""
        route = self._known.get(topic)
        if route is None:
            route = self._find(topic)
            if route.readings:
                return route
            if len(self._known) >= MAX_ROUTES:
                self._known.clear()
            self._known[topic] = route
        return route

    def _find(self, topic: str) -> Route:
        parts = topic.split("/")
        if len(parts) == 5 and parts[0] == "city" and parts[4] == Channel.TELEMETRY and parts[2] in self._kinds:
            _, tenant, kind, device, _ = parts
            if tenant and device:  # what nearly all are, without a detour
                return Route(Channel.TELEMETRY, DeviceKey(tenant, kind, device), readings=True)
        address = parse_topic(topic)
        if address is None and is_claim_topic(topic):
            # Answered elsewhere; what is secret in it is sealed.
            return Route(Channel.COMMAND, DeviceKey("", "", ""), command=True)
        if address is None:
            detail = f"{shorten(topic, 120)}: expected city/tenant/kind/device/channel"
            return Route(None, DeviceKey("", "", ""), Refused(Reject.BAD_TOPIC, detail))
        key = DeviceKey(address.tenant, address.kind, address.device)
        if address.kind not in self._kinds and address.channel is not Channel.COMMAND:
            known = ", ".join(self._kinds)
            refused = Refused(Reject.UNKNOWN_KIND, f"{shorten(address.kind)}: expected one of {known}")
            return Route(address.channel, key, refused)
        channel = address.channel
        return Route(channel, key, None, channel in _COMMANDS, channel in READINGS)
