"""The demo as its user starts it: a process, a terminal's lines, a summary."""

import asyncio
import json
import signal
import sys
from pathlib import Path

ALERT = (b"firing", b"acknowledged")
PATIENCE_S = 300


async def start(data: Path, *more: str) -> asyncio.subprocess.Process:
    command = (sys.executable, "-m", "citywarden", "demo", "--port", "0", "--data", str(data), "--json", *more)
    return await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )


async def line_with(process: asyncio.subprocess.Process, *words: bytes) -> bytes:
    assert process.stderr is not None
    said = []
    async for line in process.stderr:
        said.append(line.decode())
        if any(word in line for word in words):
            return line
    raise AssertionError(f"the demo ended without saying {words!r}:\n{''.join(said)}")


async def test_it_ends_by_itself_with_nothing_lost(tmp_path: Path) -> None:
    process = await start(tmp_path, "--seconds", "5")
    async with asyncio.timeout(PATIENCE_S):
        out, _ = await process.communicate()
    assert process.returncode == 0
    summary = json.loads(out.splitlines()[-1])
    assert (summary["lost"], summary["duplicates"], summary["dead_letters"]) == (0, 0, 0)
    assert summary["messages"] > 200
    assert summary["stored"] == sum(summary["kinds"].values()) > 20_000
    assert set(summary["kinds"]) == {"gas", "streetlight", "vehicle", "waterlogging"}


async def test_it_shows_alerts_and_ctrl_c_ends_it_cleanly_with_the_summary(tmp_path: Path) -> None:
    """How soon they come is a matter of its rules and its city, and tested there by their own clock."""
    process = await start(tmp_path)
    async with asyncio.timeout(PATIENCE_S):
        await line_with(process, b"Things go wrong")
        for _ in range(2):
            await line_with(process, *ALERT)
        process.send_signal(signal.SIGINT)
        out, errors = await process.communicate()
    assert process.returncode == 0
    summary = json.loads(out.splitlines()[-1])
    assert summary["lost"] == 0
    assert summary["alerts_raised"] >= 2
    assert summary["webhooks_delivered"] >= 2
    assert b"Traceback" not in errors
