"""What every page has: a language that switches where it stands, the top bar, and its place among the viewers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from nicegui import Client, ui
from nicegui.events import GenericEventArguments

from citywarden.model.identity import LOCAL, Identity, Role
from citywarden.model.ruling import Titles, title_in, titles_of
from dashboards.api.rights import identity_of
from dashboards.console.broadcast import Broadcast, Viewer
from dashboards.console.navigation import ways_of
from dashboards.console.parts import Part, TopBar
from dashboards.console.words import LANGUAGES, language_of, named, other, word
from dashboards.sources import Sources

ALWAYS = frozenset({"full", "seq", "now_ms", "health", "alerts"})
"""Parts of a frame that pages without the live map get."""
MAX_NAME = 60


@dataclass(slots=True)
class Session:
    """One open page."""

    sources: Sources
    broadcast: Broadcast
    title: str
    language: str
    who: Identity
    bar: TopBar
    viewer: Viewer
    parts: list[Part] = field(default_factory=list)
    redraw: list[Callable[[], object]] = field(default_factory=list)
    rules: Titles = field(default_factory=dict)

    @property
    def may(self) -> bool:
        """Whether whoever looks may act on alerts."""
        return self.who.may(Role.DISPATCHER)

    def hand(self) -> dict[str, object]:
        """What parts that act need to know: the name of whoever is logged in ("": it is asked for), and the right."""
        return {"me": "" if self.who == LOCAL else self.who.name, "may": self.may}

    def by(self, typed: object) -> str | None:
        """In whose name something is done: whoever is logged in, else the name that was typed; None: nobody's."""
        if self.who != LOCAL:
            return self.who.name
        return typed.strip()[:MAX_NAME] or None if isinstance(typed, str) else None

    def say(self, key: str) -> str:
        return word(key, self.language)

    def named(self, name: str) -> str:
        """A name that may stand in both languages, in this one."""
        return named(name, self.language)

    def rule(self, rule: str) -> str:
        """What a rule is called; one without a title is shown by its id."""
        return title_in(self.rules, rule, self.language)

    def titles(self) -> dict[str, list[str]]:
        """Rule -> what it is called in each language, for the parts in the browser."""
        return {rule: [title_in(self.rules, rule, language) for language in LANGUAGES] for rule in self.rules}

    def label(self, key: str, classes: str = "cw-h") -> ui.label:
        """A text that follows the language."""
        shown = ui.label(self.say(key)).classes(classes)
        self.redraw.append(lambda: shown.set_text(self.say(key)))
        return shown

    def link(self, path: str, **query: str) -> str:
        """A way to another page, in this language."""
        return f"{path}?{urlencode(query | {'lang': self.language})}"

    def vehicle_link(self, vehicle: str, day: str) -> str:
        return self.link(f"/vehicles/{quote(vehicle, safe='')}", day=day)

    def switch(self) -> None:
        """The other language, everywhere on the page, without loading it again."""
        self.language = other(self.language)
        for part in self.parts:
            part.say(self.language)
        for draw in self.redraw:
            draw()


def city_name(sources: Sources, language: str) -> str:
    """What the districts' file calls the city, else the centre's plain name."""
    name = sources.districts.get("name_zh" if language == "zh-CN" else "name_en")
    return name if isinstance(name, str) and name else word("operations", language)


def district_names(districts: Mapping[str, object]) -> dict[str, list[str]]:
    """Either name of a district -> [Chinese, English]."""
    names: dict[str, list[str]] = {}
    features = districts.get("features")
    for feature in features if isinstance(features, Sequence) else ():
        known = feature.get("properties") if isinstance(feature, Mapping) else None
        if isinstance(known, Mapping) and known.get("name_zh"):
            pair = [str(known["name_zh"]), str(known.get("name_en") or known["name_zh"])]
            names |= dict.fromkeys((pair[0], pair[0] + "区", pair[1]), pair)
    return names


class Bar(TopBar):
    """The top bar with the city's name in the page's language."""

    def __init__(self, sources: Sources, language: str, title: str, who: Identity) -> None:
        self._sources = sources
        name = "" if who == LOCAL else who.name
        super().__init__(language, title=title, timezone=sources.timezone.key, pages=ways_of(who), who=name)

    def say(self, language: str) -> None:
        self._props["city"] = city_name(self._sources, language)
        super().say(language)


def begin(sources: Sources, broadcast: Broadcast, title: str, wanted: str | None, live_map: bool = False) -> Session:
    """Lay out the top bar and have the page told of changes while its browser is there."""
    language = language_of(wanted, sources.language)
    ui.page_title(f"{word(title, language)} · {city_name(sources, language)}")
    who = identity_of(ui.context.client.request)
    bar = Bar(sources, language, title, who)
    session = Session(sources, broadcast, title, language, who, bar, watch(broadcast, bar, live_map), [bar])
    session.rules = titles_of(sources.rules)
    bar.on("language", session.switch)
    return session


def watch(broadcast: Broadcast, bar: TopBar, live_map: bool) -> Viewer:
    """Attach the page to the broadcast while it is connected, and let go of it for good when it is deleted."""
    client: Client = ui.context.client

    def deliver(frame: Mapping[str, object]) -> None:
        told = frame if live_map else {name: part for name, part in frame.items() if name in ALWAYS}
        if len(told) == 1:
            viewer.confirm(viewer.sent)
        else:
            bar.frame(dict(told))

    def confirm(e: GenericEventArguments) -> None:
        if isinstance(e.args, int):
            viewer.confirm(e.args)

    def leave() -> None:
        if not client.has_socket_connection:
            broadcast.detach(viewer)

    viewer = Viewer(deliver)
    bar.on("shown", confirm)
    client.on_connect(lambda: broadcast.attach(viewer))
    client.on_disconnect(leave)
    client.on_delete(lambda: broadcast.detach(viewer))
    return viewer
