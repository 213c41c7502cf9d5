"""What a device answers to a command: `{"id", "status", "detail"}`, or why that is no answer."""

from citywarden.model.command import Answer, CommandResult
from citywarden.model.device import DeviceKey
from citywarden.model.message import MAX_PAYLOAD_BYTES, Reject
from ingest.payload import Refused, parse, shorten

MAX_ID = 64
MAX_DETAIL = 256


def parse_result(payload: bytes, device: DeviceKey, received_ms: int) -> CommandResult | Refused:
    """The answer in a payload; never raises. A detail that is too long or no text is cut short."""
    if len(payload) > MAX_PAYLOAD_BYTES:
        return Refused(Reject.OVERSIZE, f"payload of {len(payload)} bytes, expected at most {MAX_PAYLOAD_BYTES}")
    value = parse(payload)
    if isinstance(value, Refused):
        return value
    if not isinstance(value, dict):
        return Refused(Reject.NOT_AN_OBJECT, f"{shorten(value)}: expected an object with id and status")
    command_id, status, detail = value.get("id"), value.get("status"), value.get("detail", "")
    if not isinstance(command_id, str) or not 0 < len(command_id) <= MAX_ID or not command_id.isprintable():
        return Refused(Reject.WRONG_TYPE, f"id: {shorten(command_id)}, expected the command's id")
    if status not in tuple(Answer):
        return Refused(Reject.WRONG_TYPE, f"status: {shorten(status)}, expected one of {', '.join(Answer)}")
    said = detail if isinstance(detail, str) else shorten(detail)
    clean = "".join(letter if letter.isprintable() else " " for letter in said[:MAX_DETAIL])
    return CommandResult(device, command_id, Answer(status), clean, received_ms)
