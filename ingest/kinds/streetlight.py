"""Streetlights. Field names follow LwM2M object 3416; the valid ranges are the contract's."""

from dataclasses import replace

from citywarden.model.kind import Kind, Order, Payload, Scene, flag, number, text

NOMINAL_POWER_W = 150.0
"""Used where a lamp's profile names no `nominal_power_w`: a common LED road lamp (our own choice)."""

PCT = replace(number("pct", "%", (0, 100), "亮度", "Brightness"), required=True)
FOR_MIN = number("for_min", "min", (1, 1440), "时长", "For how long")
"""How long a command holds against the lamp's own timetable; without it until the timetable next switches."""


def sample(scene: Scene) -> Payload:
    """A lamp that follows night and day, or shows one of the faults."""
    rng = scene.rng
    nominal = float(scene.device.profile.get("nominal_power_w", NOMINAL_POWER_W))
    commanded = scene.dark
    on = {
        "dark_lamp": False,
        "day_burner": True,
        "cycling": int(scene.age_s // 60) % 2 == 0,
        "disobeys": not commanded,
    }.get(scene.fault or "", commanded)
    dim = float(scene.previous.get("dim_pct", 100.0)) if on else 0.0
    power = max(0.0, rng.gauss(nominal, nominal * 0.02)) * dim / 100.0 if on else abs(rng.gauss(0.4, 0.1))
    if scene.fault == "power_low" and on:
        power *= 0.35
    voltage = rng.gauss(226.0, 1.5)
    hours = (scene.now_ms // 3_600_000) % 100_000
    return {
        "on": on,
        "dim_pct": dim,
        "power_w": round(power, 1),
        "voltage_v": round(voltage, 1),
        "current_a": round(power / voltage, 3),
        "energy_kwh": round(hours * nominal / 2000.0, 2),
        "commanded_on": commanded,
        "fault": "" if scene.fault in (None, "cycling", "disobeys", "day_burner") else "lamp",
    }


KIND = Kind(
    name="streetlight",
    zh="路灯",
    en="Streetlight",
    quantities=(
        flag("on", "亮灯", "Lit"),
        number("dim_pct", "%", (0, 100), "调光", "Dimming"),
        number("power_w", "W", (0, 2000), "功率", "Power"),
        number("voltage_v", "V", (0, 500), "电压", "Voltage"),
        number("current_a", "A", (0, 20), "电流", "Current"),
        number("energy_kwh", "kWh", (0, None), "电能", "Energy"),
        flag("commanded_on", "指令亮灯", "Commanded on"),
        text("fault", "故障", "Fault"),
    ),
    interval_s=60.0,
    sample=sample,
    faults=("dark_lamp", "day_burner", "cycling", "disobeys", "power_low", "silent"),
    commands=(
        Order("on", "开灯", "Switch on", (FOR_MIN,)),
        Order("off", "关灯", "Switch off", (FOR_MIN,)),
        Order(
            "dim", "调光", "Dim", (replace(number("pct", "%", (0, 100), "亮度", "Brightness"), required=True), FOR_MIN)
        ),
    ),
)
