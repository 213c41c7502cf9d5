"""The live picture of one tenant."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from citywarden.columns import Columns, Floats, Ints, Reading
from citywarden.live import Change, Listener, Live
from citywarden.model.alert import Alert
from citywarden.model.case import Case
from citywarden.model.device import Device, DeviceKey
from citywarden.model.work import TaskReport

Owns = Callable[[TaskReport], Awaitable[bool]]


class TenantListener(Listener):
    """Hears of one tenant only. Reports of tasks name no tenant: `owns` finds out whose they are."""

    def __init__(self, readings: bool, tenant: str, owns: Owns) -> None:
        super().__init__(readings)
        self._tenant = tenant
        self._owns = owns

    def put(self, change: Change) -> None:
        whose = change.tenant if isinstance(change, Alert | Case) else None
        if isinstance(change, Reading):
            whose = change.device.tenant
        if whose in (None, self._tenant):
            super().put(change)

    async def __aiter__(self) -> AsyncIterator[Change]:
        async for change in super().__aiter__():
            if not isinstance(change, TaskReport) or await self._owns(change):
                yield change


class TenantLive(Live):
    """Reads of the live picture; what feeds it is not for tenants. It holds nothing itself."""

    def __init__(self, live: Live, tenant: str, owns: Owns) -> None:
        super().__init__({})
        self._live = live
        self._tenant = tenant
        self._owns = owns
        self._mine: dict[str, tuple[int, Ints]] = {}

    @property
    def kinds(self) -> tuple[str, ...]:
        return self._live.kinds

    def seed(self, batch: Columns) -> None:
        raise TypeError("the live picture of a tenant is for reading")

    def update(self, batch: Columns) -> None:
        raise TypeError("the live picture of a tenant is for reading")

    def tell(self, change: Change) -> None:
        raise TypeError("the live picture of a tenant is for reading")

    def tell_all(self, changes: Iterable[Change]) -> None:
        raise TypeError("the live picture of a tenant is for reading")

    def note_presence(self, key: DeviceKey, online: bool, at_ms: int) -> None:
        raise TypeError("the live picture of a tenant is for reading")

    @contextmanager
    def listen(self, readings: bool = True, listener: Listener | None = None) -> Iterator[Listener]:
        mine = listener or TenantListener(readings, self._tenant, self._owns)
        with self._live.listen(readings, mine) as heard:
            yield heard

    def presence(self, key: DeviceKey) -> bool | None:
        return self._live.presence(key) if key.tenant == self._tenant else None

    def latest(self, kind: str) -> list[Reading]:
        return [reading for d in self.devices(kind) if (reading := self._live.of(d.key)) is not None]

    def of(self, key: DeviceKey) -> Reading | None:
        return self._live.of(key) if key.tenant == self._tenant else None

    def columns(self, kind: str) -> Mapping[str, Floats]:
        index = self._index(kind)
        return {name: column[index] for name, column in self._live.columns(kind).items()}

    def texts(self, kind: str) -> Mapping[str, tuple[str | None, ...]]:
        index = self._index(kind)
        return {name: tuple(words[i] for i in index) for name, words in self._live.texts(kind).items()}

    def devices(self, kind: str) -> tuple[Device, ...]:
        every = self._live.devices(kind)
        return tuple(every[i] for i in self._index(kind))

    def _index(self, kind: str) -> Ints:
        """Where this tenant's devices stand; they are only ever added at the end, so what is known stays true."""
        every = self._live.devices(kind)
        known, index = self._mine.get(kind, (0, np.zeros(0, np.int64)))
        if len(every) > known:
            more = [i for i in range(known, len(every)) if every[i].tenant == self._tenant]
            index = np.append(index, np.asarray(more, np.int64))
            self._mine[kind] = (len(every), index)
        return index
