"""Sanitation vehicles. Position is the one thing every message must have."""

from dataclasses import replace

from citywarden.model.kind import Kind, Payload, Scene, flag, number


def sample(scene: Scene) -> Payload:
    """A vehicle where the scene's `previous` put it: position and motion come from the driver, the rest from here."""
    state: Payload = dict(scene.previous)
    state.setdefault("lat", scene.device.lat if scene.device.lat is not None else 22.54)
    state.setdefault("lon", scene.device.lon if scene.device.lon is not None else 114.05)
    state.setdefault("speed_kmh", 0.0)
    state.setdefault("ignition", False)
    state["hdop"] = round(0.7 + abs(scene.rng.gauss(0.0, 0.2)), 2)
    return state


KIND = Kind(
    name="vehicle",
    zh="环卫车辆",
    en="Sanitation vehicle",
    quantities=(
        replace(number("lat", "°", (-90, 90), "纬度", "Latitude"), required=True),
        replace(number("lon", "°", (-180, 180), "经度", "Longitude"), required=True),
        number("speed_kmh", "km/h", (0, 200), "速度", "Speed"),
        number("heading_deg", "°", (0, 360), "航向", "Heading"),
        flag("ignition", "点火", "Ignition"),
        flag("brush", "扫刷", "Brush"),
        flag("pump", "水泵", "Pump"),
        flag("lift", "举升", "Lift"),
        number("load_kg", "kg", (0, 60_000), "载重", "Load"),
        number("hdop", "", (0, 50), "水平精度因子", "HDOP"),
        number("odometer_km", "km", (0, None), "里程", "Odometer"),
        replace(number("raw_lat", "°", (-90, 90), "原始纬度", "Latitude as sent"), derived=True),
        replace(number("raw_lon", "°", (-180, 180), "原始经度", "Longitude as sent"), derived=True),
    ),
    interval_s=10.0,
    sample=sample,
    faults=("silent",),
)
