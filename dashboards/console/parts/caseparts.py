"""The cases' parts of the pages that live in the browser."""

from collections.abc import Mapping

from dashboards.console.parts import Part


class CaseBoard(Part, component="case_board.js"):
    """The board. Emits query({text, category, unit, district, overdue})."""

    def rows(self, listed: Mapping[str, object]) -> None:
        """`cards`, how many there are (`counts`: open, overdue, near, today), what can be chosen from (`facets`)."""
        self.run_method("rows", listed)


class CaseSheet(Part, component="case_sheet.js"):
    """One case. Props `file`. Emits act({step, by, note, why, unit, amount, clock})."""

    def answered(self, ok: bool, why: str = "") -> None:
        """What came of a step: a word, or text of whoever refused."""
        self.run_method("answered", {"ok": ok, "why": why})


class CaseForm(Part, component="case_form.js"):
    """A report. Props `form`. Emits send({category, title, text, place, district, source, lat, lon, by})."""

    def answered(self, ok: bool, where: str) -> None:
        """The case's number, or why there is none."""
        self.run_method("answered", {"ok": ok, "where": where})
