"""The built-in live pages: what a city's command centre hangs on its wall."""

from dashboards.console.mounting import mount
from dashboards.console.sight import Bands

__all__ = ["Bands", "mount"]
