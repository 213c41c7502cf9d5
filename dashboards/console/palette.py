"""The console's colours: one name each, for the charts here and (as CSS variables) for the pages."""

from citywarden.model.alert import Severity

GROUND = "#070b12"
PANEL = "#0c131e"
LINE = "#1c2838"
TEXT = "#eaf0f8"
DIM = "#8fa0b6"
ACCENT = "#4cc9f0"
GOOD = "#3ddc97"
YELLOW = "#ffd166"
ORANGE = "#ff9f1c"
RED = "#ff4d5e"
BLUE = "#5aa9ff"
GREY = "#5b6b80"
LAMP = "#ffe3a1"

SEVERITY = {Severity.INFO: BLUE, Severity.MINOR: YELLOW, Severity.MAJOR: ORANGE, Severity.CRITICAL: RED}

STATE = {
    "lit": LAMP,
    "off": "#47566b",
    "dark": RED,
    "faulty": ORANGE,
    "no_data": "#8d7fb8",
    "dry": "#3b7ea6",
    "watch": ACCENT,
    "yellow": YELLOW,
    "orange": ORANGE,
    "red": RED,
    "safe": "#3fae8a",
    "low": ORANGE,
    "high": RED,
    "working": GOOD,
    "idle": YELLOW,
    "driving": ACCENT,
    "offline": GREY,
    "unknown": "#8d7fb8",
    "ok": ACCENT,
}
"""Colour by a thing's state (`sight`) or a stretch of a vehicle's day."""

ROAD = {"covered": GOOD, "open": ACCENT, "ahead": "#40557a", "missed": RED, "not_judged": "#5d5780"}
"""Colour by a road's state (`roads`)."""


def variables() -> str:
    """CSS custom properties of every colour, for `:root`."""
    named = {
        "ground": GROUND,
        "panel": PANEL,
        "line": LINE,
        "text": TEXT,
        "dim": DIM,
        "accent": ACCENT,
        "good": GOOD,
        "grey": GREY,
        "lamp": LAMP,
        "blue": BLUE,
        "yellow": YELLOW,
        "orange": ORANGE,
        "red": RED,
    }
    named |= {severity.word: colour for severity, colour in SEVERITY.items()}
    named |= {f"state-{state}": colour for state, colour in STATE.items()}
    named |= {f"road-{state}": colour for state, colour in ROAD.items()}
    return ":root{" + "".join(f"--{name}:{colour};" for name, colour in named.items()) + "}"
