"""One vehicle: its way, its speed, its equipment and its tasks. Other boards lead here."""

from dashboards.grafana import flux
from dashboards.grafana.board import Board
from dashboards.grafana.boards.sanitation import task_list, vehicle_choice
from dashboards.grafana.boards.shared import tenant
from dashboards.grafana.colours import ACCENT, GOOD, GREY, plain
from dashboards.grafana.maps import Layer, city_map
from dashboards.grafana.panels import Look, Series, flags, graph, stat, timeline
from dashboards.grafana.scene import Scene

KIND = "vehicle"
CHOSEN = ("tenant", "device")
EQUIPMENT = ("ignition", "brush", "pump", "lift")


def board(scene: Scene) -> Board:
    """The vehicle chosen at the top."""
    say, since = scene.say, scene.since(KIND)
    on = Look(words=flags(say("开", "on"), say("关", "off"), GOOD, GREY))
    way = Layer(
        say("轨迹", "Way"),
        flux.way(CHOSEN),
        "speed_kmh",
        scene.label(KIND, "speed_kmh"),
        Look("km/h", plain(ACCENT), decimals=0),
        size=3,
    )
    here = Layer(
        say("当前位置", "Now"),
        flux.moving(("speed_kmh", "heading_deg"), since, CHOSEN),
        "heading_deg",
        scene.label(KIND, "heading_deg"),
        Look("°", plain(GOOD), decimals=0),
        size=10,
        pointing="heading_deg",
        text="device",
    )
    tiles = [
        stat(
            scene.label(KIND, field),
            flux.one_number(KIND, field, "24h", "max", CHOSEN),
            scene.look(KIND, field),
            background=False,
        ).sized(4, 4)
        for field in ("speed_kmh", "load_kg", "odometer_km", "hdop")
    ]
    return Board(
        "vehicle",
        "车辆",
        "Vehicle",
        [
            *tiles,
            *(
                stat(scene.label(KIND, field), flux.one_number(KIND, field, "24h", "max", CHOSEN), on).sized(2, 4)
                for field in EQUIPMENT
            ),
            city_map(say("行驶轨迹", "Where it has been"), [way, here], scene.material.view).sized(12, 18),
            timeline(
                say("点火与作业装置", "Ignition and equipment"),
                [Series(flux.course(KIND, field, CHOSEN), scene.label(KIND, field)) for field in EQUIPMENT],
                on,
            ).sized(12, 9),
            graph(
                scene.label(KIND, "speed_kmh"),
                [Series(flux.trend(KIND, "speed_kmh", CHOSEN, "max"))],
                Look("km/h", plain(), decimals=0),
                label="device",
            ).sized(12, 9),
            graph(
                scene.label(KIND, "load_kg"),
                [Series(flux.trend(KIND, "load_kg", CHOSEN))],
                Look("kg", plain(), decimals=0),
                label="device",
            ).sized(24, 7),
            task_list(scene, CHOSEN),
        ],
        [tenant(KIND), vehicle_choice()],
        hours=12,
    )
