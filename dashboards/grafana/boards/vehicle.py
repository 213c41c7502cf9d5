"""One vehicle: its way, its speed, its equipment and its tasks. Other boards lead here."""

from dashboards.grafana import flux
from dashboards.grafana.board import Board, Variable
from dashboards.grafana.boards.shared import tenant
from dashboards.grafana.boards.work import task_list
from dashboards.grafana.colours import ACCENT, GOOD, GREY, plain
from dashboards.grafana.maps import Layer, city_map
from dashboards.grafana.panels import Look, Panel, Series, flags, graph, stat, timeline
from dashboards.grafana.scene import Scene

KIND = "vehicle"
CHOSEN = ("tenant", "device")
EQUIPMENT = ("ignition", "brush", "pump", "lift")


def board(scene: Scene) -> Board:
    """The vehicle chosen at the top."""
    say = scene.say
    layers = [_way(scene), _here(scene)]
    return Board(
        "vehicle",
        "车辆",
        "Vehicle",
        [
            *_figures(scene),
            *_switches(scene),
            city_map(say("行驶轨迹", "Where it has been"), layers, scene.material.view).sized(12, 18),
            timeline(
                say("点火与作业装置", "Ignition and equipment"),
                [Series(flux.course(KIND, field, CHOSEN), scene.label(KIND, field)) for field in EQUIPMENT],
                _on(scene),
            ).sized(12, 9),
            _course(scene, "speed_kmh", "max").sized(12, 9),
            _course(scene, "load_kg").sized(24, 7),
            task_list(scene, CHOSEN),
        ],
        [tenant(KIND), Variable("device", "车辆", "Vehicle", (KIND,), every=False)],
        hours=24,
    )


def _on(scene: Scene) -> Look:
    return Look(words=flags(scene.say("开", "on"), scene.say("关", "off"), GOOD, GREY))


def _figures(scene: Scene) -> list[Panel]:
    """The newest numbers, beside a map and therefore without colour."""
    return [
        stat(
            scene.label(KIND, field),
            flux.one_number(KIND, field, "24h", "max", CHOSEN),
            scene.look(KIND, field),
            background=False,
        ).sized(4, 4)
        for field in ("speed_kmh", "load_kg", "odometer_km", "hdop")
    ]


def _switches(scene: Scene) -> list[Panel]:
    return [
        stat(scene.label(KIND, field), flux.one_number(KIND, field, "24h", "max", CHOSEN), _on(scene)).sized(2, 4)
        for field in EQUIPMENT
    ]


def _course(scene: Scene, field: str, fold: str = "mean") -> Panel:
    quantity = scene.look(KIND, field)
    series = [Series(flux.trend(KIND, field, CHOSEN, fold))]
    return graph(scene.label(KIND, field), series, Look(quantity.unit, plain(), low=0), label="device")


def _way(scene: Scene) -> Layer:
    return Layer(
        scene.say("轨迹", "Way"),
        flux.way(CHOSEN),
        "speed_kmh",
        scene.label(KIND, "speed_kmh"),
        Look("km/h", plain(ACCENT), decimals=0),
        size=3,
    )


def _here(scene: Scene) -> Layer:
    return Layer(
        scene.say("当前位置", "Now"),
        flux.moving(("speed_kmh", "heading_deg"), scene.since(KIND), CHOSEN),
        "heading_deg",
        scene.label(KIND, "heading_deg"),
        Look("°", plain(GOOD), decimals=0),
        size=10,
        pointing="heading_deg",
        text="device",
    )
