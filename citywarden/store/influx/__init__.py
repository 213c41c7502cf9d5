"""The store contract on InfluxDB 2."""

from citywarden.store.influx.downsampling import KEEP, Keep
from citywarden.store.influx.setup import examine, set_up
from citywarden.store.influx.store import InfluxStore

__all__ = ["KEEP", "InfluxStore", "Keep", "examine", "set_up"]
