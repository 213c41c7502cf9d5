"""What has to be installed before something can be measured."""

import sys

from tests import influx, postgres
from tests.brokers import MOSQUITTO


def missing(with_influxd: bool = True, with_postgres: bool = False) -> str | None:
    """What to install first, beside Mosquitto, in words; None: all is there."""
    if MOSQUITTO is None:
        return "needs Mosquitto: apt-get install mosquitto"
    if with_influxd and influx.find_influxd() is None:
        return influx.HOW
    return postgres.HOW if with_postgres and postgres.find_binaries() is None else None


def demand(with_influxd: bool = True, with_postgres: bool = False) -> None:
    """End the program where something is missing."""
    if (why := missing(with_influxd, with_postgres)) is not None:
        sys.exit(why)
