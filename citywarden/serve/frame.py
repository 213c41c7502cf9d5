"""What every room of a running server is built into: its configuration, its clock, and what stops and watches it."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from citywarden.model.kind import Kinds
from citywarden.sections import Settings
from citywarden.serve.clock import ServerClock, steady_ms
from citywarden.serve.prepare import Prepared
from citywarden.serve.supervision import Run, kept_running, stop
from rules.worksettings import WorkSettings

Clock = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Options:
    """What is no configuration: how this run differs. Ports 0: any free one; None: as configured."""

    port: int | None = None
    mqtt_port: int = 0
    work: WorkSettings = field(default_factory=WorkSettings)
    steady_ms: Clock = steady_ms


@dataclass(frozen=True, slots=True)
class Frame:
    """What is put into `stack` first is stopped last. `crashed`: parts that have failed, and why."""

    prepared: Prepared
    options: Options
    clock_ms: ServerClock
    stack: AsyncExitStack
    crashed: dict[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        return self.prepared.settings

    @property
    def kinds(self) -> Kinds:
        return self.prepared.kinds

    @property
    def listen(self) -> str:
        """Where the console listens: `host:port`."""
        listen, port = self.settings.api.listen, self.options.port
        return listen if port is None else f"{listen.rpartition(':')[0]}:{port}"

    def watch(self, name: str, run: Run) -> None:
        """Run a part until the server stops."""
        task = asyncio.create_task(kept_running(name, run, self.crashed), name=name)
        self.stack.push_async_callback(stop, task)
