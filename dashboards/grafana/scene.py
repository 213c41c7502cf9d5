"""What every board is made from: the language, the kinds with their limits, where the city is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from citywarden.model.kind import Form, Kind, Kinds
from dashboards.grafana.colours import ACCENT, GOOD, Limit, Step, plain, steps
from dashboards.grafana.flux import Query, said
from dashboards.grafana.maps import View
from dashboards.grafana.names import Language, board_uid
from dashboards.grafana.panels import Look, flags

Say = Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class Material:
    """What a city brings: its kinds, the limits of its rules, where its maps look at, its time zone, its districts.

    `districts`: (Chinese, English) names; devices are registered with either.
    """

    kinds: Kinds
    limits: Sequence[Limit]
    view: View
    timezone: str
    districts: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Scene:
    """The material in one language."""

    material: Material
    language: Language

    def say(self, zh: str, en: str) -> str:
        """The text in the scene's language."""
        return zh if self.language == "zh-CN" else en

    @property
    def summary(self) -> str:
        """The field of an alert with its text."""
        return self.say("summary", "summary_en")

    @property
    def districts(self) -> dict[str, str]:
        """District as it is registered -> its name in the reader's language, where that is another."""
        pairs = [(pair, self.say(*pair)) for pair in self.material.districts]
        return {name: shown for pair, shown in pairs for name in pair if name != shown}

    def of_districts(self, query: Query) -> Query:
        """Rows by district with the districts' names in the reader's language."""
        return said(query, "district", self.districts, self.say("未分区", "no district"))

    def in_reach(self, query: Query) -> Query:
        """Rows that lie in the city or near it: one vehicle with a wrong fix would make a map show the world."""
        view, far = self.material.view, self.material.view.reach_deg
        near = " and ".join(
            f"r.{name} > {middle - far:.2f} and r.{name} < {middle + far:.2f}"
            for name, middle in (("lat", view.lat), ("lon", view.lon))
        )
        return replace(query, flux=f"{query.flux}\n  |> filter(fn: (r) => {near})")

    @property
    def district_words(self) -> dict[str, tuple[str, str]]:
        """The same for a table's column."""
        return {name: (shown, "") for name, shown in self.districts.items()}

    def kind(self, name: str) -> Kind:
        return self.material.kinds[name]

    def label(self, kind: str, field: str) -> str:
        """What the kind's table calls the field."""
        quantity = self.kind(kind).quantity(field)
        if quantity is None:
            raise KeyError(f"kind {kind} has no field {field}")
        return self.say(quantity.zh, quantity.en)

    def look(self, kind: str, field: str, calm: str = GOOD) -> Look:
        """The field's unit and range from the kind, its thresholds from the rules; words for a flag."""
        quantity = self.kind(kind).quantity(field)
        if quantity is None:
            raise KeyError(f"kind {kind} has no field {field}")
        if quantity.form is Form.FLAG:
            return Look(words=flags(self.say("是", "yes"), self.say("否", "no")))
        return Look(quantity.unit, self.steps(kind, field, calm), decimals=1, name=self.label(kind, field))

    def steps(self, kind: str, field: str, calm: str = GOOD) -> list[Step]:
        """The thresholds the rules have for the field; one colour where they have none."""
        limits = [limit for limit in self.material.limits if (limit.kind, limit.field) == (kind, field)]
        return steps(limits, calm) if limits else plain(ACCENT)

    def since(self, kind: str) -> str:
        """How far back a newest value may be and the device still counts as reporting: five of its intervals."""
        return f"{max(300, round(5 * self.kind(kind).interval_s))}s"

    def link(self, board: str, **variables: str) -> str:
        """Address of another board; values may be Grafana's `${__data.fields.device}`."""
        chosen = "".join(f"var-{name}={value}&" for name, value in variables.items())
        return f"/d/{board_uid(board, self.language)}?{chosen}${{__url_time_range}}"
