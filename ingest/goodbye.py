"""How a task that holds an MQTT client ends."""

import asyncio


def heed_cancellation() -> None:
    """Raise CancelledError where the running task was told to end and is about to go on all the same.

    A client that cannot say goodbye to its broker raises an error of its own in place of the cancellation, and before
    Python 3.12 `asyncio.wait_for`, by which it waits, may forget about one. Whoever connects again and again asks here
    first, or it would never end.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
