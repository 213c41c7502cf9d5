"""What the registry knows of a device."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

Profile = Mapping[str, float | str | bool]
_NO_PROFILE: Profile = MappingProxyType({})


class DeviceKey(NamedTuple):
    """Identity of a device. Ids are unique within a tenant and kind."""

    tenant: str
    kind: str
    id: str


@dataclass(frozen=True, slots=True)
class Device:
    """A registered thing. `lat`/`lon` in degrees of `crs` (wgs84, cgcs2000, gcj02 or bd09).

    `profile` holds per-device numbers the rules may read: `nominal_power_w`, `interval_s`, thresholds.
    """

    tenant: str
    kind: str
    id: str
    name: str = ""
    district: str = ""
    lat: float | None = None
    lon: float | None = None
    crs: str = "wgs84"
    profile: Profile = field(default_factory=lambda: _NO_PROFILE)
    owner: str = ""
    enabled: bool = True
    key: DeviceKey = field(init=False, repr=False, compare=False)
    """Kept, not made at each look: it is asked for more often than anything else."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", DeviceKey(self.tenant, self.kind, self.id))
