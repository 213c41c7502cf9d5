"""Commands to devices, as an element: one Vue component beside it."""

from dashboards.console.parts import Part


class CommandDesk(Part, component="command_desk.js"):
    """A device's commands. Props `orders`, `latest`. Emits give({name, args, expires_min, by}), cancel({id, by})."""

    def answered(self, ok: bool, why: str = "") -> None:
        """What came of it: a word, or text of whoever refused."""
        self.run_method("answered", {"ok": ok, "why": why})
