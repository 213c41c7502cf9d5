"""The pages of the command centre, and the boards they lead to."""

from collections.abc import Sequence

from dashboards.grafana.board import Board
from dashboards.grafana.boards import (
    cases,
    city,
    flood,
    gas,
    home,
    image,
    landscaping,
    lights,
    sanitation,
    server,
    vehicle,
)
from dashboards.grafana.scene import Scene

PAGES = (home, city, sanitation, landscaping, gas, cases, image)
"""The seven pages of the command centre, in the order of its menu: what the wall cycles through."""

DETAILS = (flood, lights, vehicle, server)
"""Boards that the pages lead to."""


def all_boards(scene: Scene) -> Sequence[Board]:
    """Every board in the scene's language."""
    return [module.board(scene) for module in (*PAGES, *DETAILS)]
