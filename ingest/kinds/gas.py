"""Gas detectors in wells, compartments and pump houses."""

from citywarden.model.kind import Kind, Payload, Scene, number

LEAK_LEL_PER_MIN = 12.0
"""How fast the simulated leak builds up (our own choice)."""


def sample(scene: Scene) -> Payload:
    """Clean air, or methane that builds up to 62 %LEL while the fault lasts."""
    rng = scene.rng
    methane = abs(rng.gauss(0.8, 0.4))
    oxygen = rng.gauss(20.8, 0.05)
    if scene.fault == "gas_leak":
        methane += min(62.0, scene.age_s / 60.0 * LEAK_LEL_PER_MIN * float(scene.device.profile.get("speed", 1.0)))
        oxygen -= methane * 0.01
    return {
        "methane_lel_pct": round(min(100.0, methane), 2),
        "h2s_ppm": round(abs(rng.gauss(0.3, 0.2)), 2),
        "co_ppm": round(abs(rng.gauss(1.5, 0.5)), 2),
        "o2_pct": round(oxygen, 2),
        "temperature_c": round(rng.gauss(24.0, 0.5), 1),
        "battery_v": round(rng.gauss(3.6, 0.02), 3),
    }


KIND = Kind(
    name="gas",
    zh="燃气探测器",
    en="Gas detector",
    quantities=(
        number("methane_lel_pct", "%LEL", (0, 100), "甲烷", "Methane"),
        number("h2s_ppm", "ppm", (0, 500), "硫化氢", "Hydrogen sulfide"),
        number("co_ppm", "ppm", (0, 2000), "一氧化碳", "Carbon monoxide"),
        number("o2_pct", "%", (0, 30), "氧气", "Oxygen"),
        number("temperature_c", "°C", (-40, 85), "温度", "Temperature"),
        number("battery_v", "V", (0, 30), "电池电压", "Battery"),
    ),
    interval_s=30.0,
    sample=sample,
    faults=("gas_leak", "silent"),
)
