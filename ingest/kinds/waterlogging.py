"""Flood points: water depth on the road, rain, battery."""

from citywarden.model.kind import Kind, Payload, Scene, number

RISE_CM_PER_MIN = 4.0
"""How fast the simulated flood rises; well above the 10 cm in 10 min that alerts (our own choice)."""


def sample(scene: Scene) -> Payload:
    """A dry road, or one that floods while the fault lasts and drains after its crest at 48 cm."""
    rng = scene.rng
    depth = rng.gauss(0.3, 0.2)
    rain = abs(rng.gauss(0.5, 0.3))
    if scene.fault == "rising_water":
        depth += min(48.0, scene.age_s / 60.0 * RISE_CM_PER_MIN * float(scene.device.profile.get("speed", 1.0)))
        rain += 40.0
    return {
        "depth_cm": round(max(-5.0, depth), 2),
        "rain_mm_h": round(rain, 1),
        "battery_v": round(rng.gauss(12.4, 0.05), 2),
    }


KIND = Kind(
    name="waterlogging",
    zh="内涝点",
    en="Flood point",
    quantities=(
        number("depth_cm", "cm", (-5, 500), "积水深度", "Water depth"),
        number("rain_mm_h", "mm/h", (0, 500), "雨强", "Rain intensity"),
        number("battery_v", "V", (0, 30), "电池电压", "Battery"),
    ),
    interval_s=60.0,
    sample=sample,
    faults=("rising_water", "silent"),
)
