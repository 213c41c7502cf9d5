"""`python -m tests.faults.clocked FILE serve ...`: the server with a wall clock that is wrong by the ms in a file."""

import sys
from pathlib import Path

from citywarden.cli.running import run, stop_signal, until_stopped, wall_ms
from citywarden.serve.prepare import prepare
from citywarden.serve.server import Options, running
from citywarden.settings import load


async def serve(offset: Path, config: Path, data: Path) -> None:
    """Until a signal."""

    def wrong_ms() -> int:
        return wall_ms() + int(offset.read_text() or "0")

    async with running(prepare(load(config, data=data)), Options(port=0), wrong_ms) as server:
        stopped = stop_signal()
        print(f"Citywarden is up: console {server.url}, broker {server.broker}", file=sys.stderr, flush=True)
        await until_stopped(stopped)


if __name__ == "__main__":
    given = dict(zip(sys.argv[3::2], sys.argv[4::2], strict=True))
    run(serve(Path(sys.argv[1]), Path(given["--config"]), Path(given["--data"])))
