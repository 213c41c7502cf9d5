"""The REST API: what the console shows, for other programs."""

from dashboards.api.mounting import build_api, mount_api

__all__ = ["build_api", "mount_api"]
