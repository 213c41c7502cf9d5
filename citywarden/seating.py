"""Small numbers for devices, so that arrays can speak of thousands of them at once."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from citywarden.model.device import Device, DeviceKey

T = TypeVar("T")
Numbers = NDArray[np.int64]


def room_for(count: int) -> int:
    """Room in arrays for so many devices and some more: an eighth, because doubling wastes what a city has most of."""
    return count + max(64, count // 8)


class Seating:
    """Gives numbers to devices as they are known. A device that has changed gets another number, and none is given
    twice, so whatever was worked out from a device stays right for its number.
    """

    def __init__(self) -> None:
        self._devices: list[Device] = []
        self._newest: dict[DeviceKey, int] = {}
        self._order: Numbers = np.zeros(0, np.int64)
        self._rank: Numbers = np.zeros(0, np.int64)
        self._spent = 0
        self._kept: dict[Callable[[Device], object], list[object | None]] = {}

    def __len__(self) -> int:
        return len(self._devices)

    @property
    def outdated(self) -> int:
        """How many numbers stand for a device as it is known no more."""
        return len(self._devices) - len(self._newest)

    def seat(self, device: Device) -> int:
        """The number of the device."""
        number = self._newest.get(device.key, -1)
        if number >= 0 and self._devices[number] is device:
            return number
        number = self._newest[device.key] = len(self._devices)
        self._devices.append(device)
        return number

    def seat_all(self, devices: Iterable[Device]) -> None:
        """Numbers for many at once. Given to a seating without any, they are in the order of the keys, and none of
        these devices has to be put in order when it is heard for the first time.
        """
        for device in sorted(devices, key=lambda device: device.key):
            self.seat(device)
        self._arrange()

    def devices(self, numbers: Numbers) -> tuple[Device, ...]:
        """The devices that have these numbers."""
        return tuple(map(self._devices.__getitem__, numbers.tolist()))

    def ranks(self, numbers: Numbers) -> Numbers:
        """Something that is in the order of the devices' keys, and equal where the keys are.

        Numbers that are new are ordered by themselves until that has cost as much as ordering all anew.
        """
        if len(numbers) and len(self._rank) < len(self._devices) and int(numbers.max()) >= len(self._rank):
            used = np.unique(numbers)
            self._spent += len(used)
            if self._spent < len(self._devices):
                rank = self._ranked(used.tolist())
                return rank[np.searchsorted(used, numbers)]
            self._arrange()
        return self._rank[numbers]

    def _arrange(self) -> None:
        """Order all anew."""
        order = [*self._order.tolist(), *range(len(self._order), len(self._devices))]
        order.sort(key=self._key)
        self._rank, self._spent = np.empty(len(self._devices), np.int64), 0
        self._order = np.array(order, np.int64)
        self._rank[self._order] = self._counted(order)

    def _ranked(self, numbers: Sequence[int]) -> Numbers:
        """The rank of each of `numbers` among them."""
        places = sorted(range(len(numbers)), key=lambda place: self._devices[numbers[place]].key)
        rank = np.empty(len(numbers), np.int64)
        rank[places] = self._counted([numbers[place] for place in places])
        return rank

    def _counted(self, ordered: Sequence[int]) -> Numbers:
        """0, 1, ... for numbers in the order of their keys, the same for the same key."""
        if not self.outdated:
            return np.arange(len(ordered))
        keys = list(map(self._key, ordered))
        return np.cumsum([False, *(a != b for a, b in zip(keys[1:], keys[:-1], strict=True))])

    def _key(self, number: int) -> DeviceKey:
        return self._devices[number].key

    def of_each(self, make: Callable[[Device], T], numbers: Numbers) -> list[T]:
        """What `make` says of each device; it is asked once. `make` has to be a function that lives on, and never says
        None.
        """
        known = self._kept.setdefault(make, [])
        known.extend([None] * (len(self._devices) - len(known)))
        wanted = numbers.tolist()
        found = list(map(known.__getitem__, wanted))
        if None in found:
            for number in {number for number, said in zip(wanted, found, strict=True) if said is None}:
                known[number] = make(self._devices[number])
            found = list(map(known.__getitem__, wanted))
        return cast(list[T], found)


@dataclass(frozen=True, slots=True, eq=False)
class Seats:
    """The numbers of some devices, and whose numbers they are."""

    seating: Seating
    numbers: Numbers


class Places:
    """Where somebody keeps each device that has a number."""

    def __init__(self) -> None:
        self._seating: Seating | None = None
        self._place: Numbers = np.zeros(0, np.int64)

    def find(self, seats: Seats, take_in: Callable[[int], int]) -> Numbers:
        """The place of each device; `take_in` is given the index of one that is new and says its place."""
        if seats.seating is not self._seating:
            self._seating, self._place = seats.seating, np.zeros(0, np.int64)
        more = len(seats.seating) - len(self._place)
        if more > 0:
            self._place = np.append(self._place, np.full(max(more, len(self._place) // 4), -1))
        found = self._place[seats.numbers]
        for i in np.flatnonzero(found < 0).tolist():
            found[i] = self._place[seats.numbers[i]] = take_in(i)
        return found

    def forget(self, places: Numbers) -> None:
        """These places are free again."""
        self._place[np.isin(self._place, places)] = -1
