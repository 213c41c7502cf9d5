"""What becomes of a command, step by step. Pure: the time is passed in."""

from dataclasses import replace

from citywarden.model.command import Answer, Command, CommandResult, State

RETRY_S = (10.0, 20.0, 40.0, 60.0)
"""A command that is not acknowledged is sent again after these waits, the last of them for ever, until it expires."""

MOST_OUTSTANDING = 8
"""Commands a device may have at a time that are not at their end."""

_ENDS = {Answer.DONE: State.DONE, Answer.FAILED: State.FAILED, Answer.REJECTED: State.FAILED}


def is_due(command: Command, now_ms: int) -> bool:
    """Whether it is to be sent now."""
    waits = command.state in (State.QUEUED, State.SENT) and now_ms < command.expires_ms
    return waits and command.next_ms is not None and command.next_ms <= now_ms


def sent(command: Command, now_ms: int) -> Command:
    """The broker has it; sent again unless the device acknowledges in time. One that is at its end stays there: it may
    have been answered before this is written down.
    """
    if command.state not in (State.QUEUED, State.SENT):
        first_ms = min(now_ms, command.updated_ms) if command.sent_ms is None else command.sent_ms
        return replace(command, attempts=command.attempts + 1, sent_ms=first_ms)
    wait_s = RETRY_S[min(command.attempts, len(RETRY_S) - 1)]
    return replace(
        command,
        state=State.SENT,
        attempts=command.attempts + 1,
        sent_ms=command.sent_ms if command.sent_ms is not None else now_ms,
        updated_ms=now_ms,
        next_ms=now_ms + round(wait_s * 1000),
    )


def heard(command: Command, result: CommandResult, now_ms: int) -> Command:
    """The device has answered. A late or doubled word changes nothing that is at its end, but a device that did it
    after all is believed over a time-out.
    """
    end = _ENDS.get(result.answer)
    if command.state is State.EXPIRED and end is State.DONE:
        return replace(command, state=end, updated_ms=now_ms, next_ms=None, detail=f"late; {result.detail}".strip("; "))
    if not command.state.outstanding or result.device != command.device:
        return command
    if end is None:
        if command.state is State.ACKNOWLEDGED:
            return command
        return replace(
            command, state=State.ACKNOWLEDGED, updated_ms=now_ms, next_ms=None, detail=result.detail or command.detail
        )
    said = result.detail if result.answer is not Answer.REJECTED else f"rejected: {result.detail}".rstrip(": ")
    return replace(command, state=end, updated_ms=now_ms, next_ms=None, detail=said)


def looked_at(command: Command, now_ms: int) -> Command:
    """What time alone does: a command whose time is over has expired."""
    if not command.state.outstanding or now_ms < command.expires_ms:
        return command
    why = {
        State.QUEUED: "it could not be sent in time",
        State.SENT: f"not acknowledged, sent {command.attempts} times",
        State.ACKNOWLEDGED: "acknowledged, but not done in time",
    }[command.state]
    return replace(command, state=State.EXPIRED, updated_ms=now_ms, next_ms=None, detail=why)


def cancelled(command: Command, by: str, now_ms: int) -> Command | None:
    """Called back, before the device has said anything; None when it is too late for that."""
    if command.state not in (State.QUEUED, State.SENT):
        return None
    return replace(command, state=State.CANCELLED, updated_ms=now_ms, next_ms=None, detail=f"by {by}")
