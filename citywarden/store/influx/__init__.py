"""The store contract on InfluxDB 2."""

from citywarden.store.influx.downsampling import KEEP, Keep
from citywarden.store.influx.filling import Filling, fill, fillings
from citywarden.store.influx.setup import examine, set_up, tend
from citywarden.store.influx.store import InfluxStore

__all__ = ["KEEP", "Filling", "InfluxStore", "Keep", "examine", "fill", "fillings", "set_up", "tend"]
