"""The desk of administrators, as an element: one Vue component beside it."""

from dashboards.console.parts import Part


class AdminDesk(Part, component="admin_desk.js"):
    """Users and tokens. Emits act({what, name, role, tenant, unit, scopes, days, id})."""

    def show(self, users: list[dict[str, object]], tokens: list[dict[str, object]]) -> None:
        """Who there is now."""
        self._props["users"] = users
        self._props["tokens"] = tokens
        self.update()

    def answered(self, secret: str, wrong: str) -> None:
        """What came of an act: a password or token that is shown once, or what was wrong."""
        self.run_method("answered", {"secret": secret, "wrong": wrong})
