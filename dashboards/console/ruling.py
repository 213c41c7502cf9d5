"""The rules in force: what each level demands, in plain words, and how many alerts of it are open."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nicegui import ui

from citywarden.model.alert import CASE_KIND, SERVER_KIND, Alert, Severity
from citywarden.model.ruling import NO_DATA, Demand, Origin, RuleCard, said_in
from dashboards.console.broadcast import Broadcast
from dashboards.console.markup import Html, html, join
from dashboards.console.session import Session, begin
from dashboards.sources import Sources

REFRESH_S = 10.0
HOLD_INTERVALS = 3
_PLACE = re.compile(r"(?<!\{)\{([A-Za-z_.0-9]+)\}(?!\})")
"""A place in a message: a field, a word such as `name`, or `profile.NAME`."""
_UNITS = ((86_400_000, "天", "d"), (3_600_000, "小时", "h"), (60_000, "分钟", "min"))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rules are asked for; "" means any."""

    kind: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands: devices in use by kind, and the most severe open alerts by rule (how many, of which severity)."""

    devices: Mapping[str, int]
    alerts: Mapping[str, tuple[int, Severity]]


def open_by_rule(alerts: Sequence[Alert]) -> dict[str, tuple[int, Severity]]:
    """How many alerts of each rule are open, and how severe the worst of them is."""
    found: dict[str, tuple[int, Severity]] = {}
    for alert in alerts:
        count, worst = found.get(alert.rule, (0, alert.severity))
        found[alert.rule] = (count + 1, max(worst, alert.severity))
    return found


def chosen(cards: Sequence[RuleCard], wanted: Wanted) -> list[RuleCard]:
    """The rules that are asked for, in their order. The text may stand in id, title, condition, message or file."""
    return [c for c in cards if wanted.kind in ("", c.kind) and all(w in _text(c) for w in wanted.text.lower().split())]


def _text(card: RuleCard) -> str:
    said = [text for demand in card.demands for text in (demand.when, *demand.said.values())]
    return " ".join([card.id, card.file, *card.title.values(), *card.message.values(), *said]).lower()


async def standing_of(session: Session) -> Standing:
    """How it stands now, of what whoever looks may see."""
    sources, who = session.sources, session.who
    alerts = [alert for alert in await sources.alerts.open() if who.sees(alert.tenant)]
    return Standing(dict(await sources.devices.count(who.tenant)), open_by_rule(alerts))


async def rules_page(sources: Sources, broadcast: Broadcast, wanted: Wanted, lang: str | None = None) -> None:
    """Build the page of the rules for one browser; it counts the open alerts anew every few seconds."""
    with ui.element("main").classes("cw-page"):
        session = begin(sources, broadcast, "rules", lang)
        body = ui.html("", sanitize=False).classes("cw-body cw-rules")
    stands = await standing_of(session)

    def draw() -> None:
        body.set_content(page_of(session, stands, wanted))

    async def look() -> None:
        nonlocal stands
        if (now := await standing_of(session)) != stands:
            stands = now
            draw()

    draw()
    session.redraw.append(draw)
    ui.timer(REFRESH_S, look, immediate=False)


def page_of(session: Session, stands: Standing, wanted: Wanted) -> Html:
    """The whole page: kinds to choose from, then a section for each with its rules."""
    cards = session.sources.rules
    found = chosen(cards, wanted)
    kinds = list(dict.fromkeys(card.kind for card in found))
    sections = [_section(session, stands, kind, [c for c in found if c.kind == kind]) for kind in kinds]
    empty = html('<p class="cw-empty">{t}</p>', t=session.say("no_rules_found" if cards else "no_rules"))
    return join([_head(session, wanted, len(found)), *(sections or [empty])])


def _head(session: Session, wanted: Wanted, count: int) -> Html:
    """Title, the kinds as chips, and a field to search in."""
    say = session.say
    kinds = ["", *dict.fromkeys(card.kind for card in session.sources.rules)]

    def chip(kind: str) -> Html:
        query = {name: value for name, value in (("kind", kind), ("q", wanted.text)) if value}
        return html(
            '<a href="{h}"{c}>{t}</a>',
            h=session.link("/rules", **query),
            c=Html(' class="here" aria-current="true"') if kind == wanted.kind else "",
            t=_kind_said(session, kind) if kind else say("all"),
        )

    return html(
        '<div class="cw-title"><h1>{t}</h1><span>{n}</span><nav class="cw-periods" aria-label="{any}">{chips}</nav>'
        '<form class="cw-form cw-line" action="/rules" method="get" role="search">'
        '<input type="search" name="q" value="{q}" placeholder="{hint}" aria-label="{hint}" maxlength="200">'
        '<input type="hidden" name="kind" value="{k}"><input type="hidden" name="lang" value="{lang}">'
        '<button class="cw-act">{go}</button></form></div>',
        t=say("rules"),
        n=count,
        any=say("any_kind"),
        chips=join(chip(kind) for kind in kinds),
        q=wanted.text,
        hint=say("search_rules"),
        k=wanted.kind,
        lang=session.language,
        go=say("show"),
    )


def _kind_said(session: Session, name: str) -> str:
    kind = session.sources.kinds.get(name)
    if kind is not None:
        return kind.en if session.language == "en" else kind.zh
    return session.say({SERVER_KIND: "kind_server", CASE_KIND: "kind_case"}.get(name, name))


def _section(session: Session, stands: Standing, kind: str, cards: Sequence[RuleCard]) -> Html:
    """The rules of a kind, under its name and how many devices it has."""
    said = _kind_said(session, kind)
    devices = ""
    if kind in session.sources.kinds:
        devices = session.say("applies_to").replace("{n}", f"{stands.devices.get(kind, 0):,}")
    return html(
        '<section data-kind="{k}"><h2>{t}<small>{d}</small></h2><div class="cw-rulings">{cards}</div></section>',
        k=kind,
        t=said,
        d=devices,
        cards=join(_ruling(session, stands, card) for card in cards),
    )


def _ruling(session: Session, stands: Standing, card: RuleCard) -> Html:
    """One rule."""
    return html(
        '<article class="cw-panel cw-ruling" id="{id}" data-rule="{id}"><header><h3>{t}</h3>{name}'
        "<p>{open}</p></header>{levels}<dl>{facts}</dl></article>",
        id=card.id,
        t=session.rule(card.id),
        name=html("<code>{id}</code>", id=card.id) if session.rule(card.id) != card.id else Html(""),
        open=join(_open(session, stands, card, rule) for rule in card.raises),
        levels=join([*(_level(session, demand) for demand in card.demands), _silence(session, card)]),
        facts=join(
            html("<div><dt>{k}</dt><dd>{v}</dd></div>", k=session.say(k), v=v) for k, v in _facts(session, card)
        ),
    )


def _open(session: Session, stands: Standing, card: RuleCard, rule: str) -> Html:
    """How many alerts are open, as the way to them."""
    count, worst = stands.alerts.get(rule, (0, None))
    key = "open_silent" if rule.endswith(NO_DATA) and card.demands else "open_of_rule"
    said = session.say(key if count else f"{key}_none").replace("{n}", f"{count:,}")
    if worst is None and card.demands and rule != card.raises[0]:
        return Html("")
    return html(
        '<a class="cw-open {c}" href="{l}" data-open="{n}">{t}</a>',
        c=worst.word if worst is not None else "none",
        l=session.link("/alerts", rule=rule),
        n=count,
        t=said,
    )


def _level(session: Session, demand: Demand) -> Html:
    """A level: its colour, what it demands in words, and the condition as it is written."""
    parts = [html("<p>{t}</p>", t=said_in(demand.said, session.language))]
    if demand.when:
        parts.append(html("<code>{t}</code>", t=demand.when))
    if demand.for_ms:
        lasts = session.say("for_at_least").replace("{n}", span_said(demand.for_ms, session.language))
        parts.append(html('<p class="cw-lasts">{t}</p>', t=lasts))
    if demand.when:
        ends = said_in(demand.reset_said, session.language) or session.say("no_longer")
        told = session.say("ends_when").replace("{x}", ends)
        parts.append(html('<p class="cw-ends" title="{c}">{t}</p>', c=demand.reset, t=told))
    return _row(session, demand.severity, join(parts))


def _silence(session: Session, card: RuleCard) -> Html:
    """The rule about silence, as one more level."""
    if card.no_data_ms is None:
        return Html("")
    said = session.say("silent_for").replace("{n}", span_said(card.no_data_ms, session.language))
    return _row(session, card.no_data_severity, html("<p>{t}</p><code>{id}</code>", t=said, id=card.id + NO_DATA))


def _row(session: Session, severity: Severity, said: Html) -> Html:
    return html(
        '<div class="cw-level {s}"><b>{t}</b><div>{said}</div></div>',
        s=severity.word, t=session.say(severity.word), said=said,
    )  # fmt: skip


def span_said(span_ms: int, language: str) -> str:
    """A span in the largest unit it is whole in: 600000 is `10 分钟`, `10 min`."""
    for unit_ms, zh, en in _UNITS:
        if span_ms and span_ms % unit_ms == 0:
            return f"{span_ms // unit_ms} {en if language == 'en' else zh}"
    return f"{span_ms / 1000:g} {'s' if language == 'en' else '秒'}"


def _facts(session: Session, card: RuleCard) -> list[tuple[str, object]]:
    """(word, text) of what else there is to say of a rule."""
    facts: list[tuple[str, object]] = []
    if card.demands and card.origin in (Origin.DEFAULT, Origin.FILE):
        facts.append(("rule_hours", card.hours or session.say("always")))
        held = session.say("hold_default").replace("{n}", str(HOLD_INTERVALS))
        facts.append(("rule_hold", held if card.hold_ms is None else span_said(card.hold_ms, session.language)))
    if card.by_hand:
        facts.append(("rule_ends", session.say("ends_by_hand")))
    if message := said_in(card.message, session.language):
        facts.append(("rule_message", _filled(session, card.kind, message)))
    if card.runbook:
        link = html('<a href="{u}" target="_blank" rel="noopener noreferrer">{u}</a>', u=card.runbook)
        facts.append(("runbook", link))
    facts.append(("rule_source", _source(session, card)))
    return facts


def _filled(session: Session, kind_name: str, message: str) -> str:
    """A message with the names of what stands in its places."""
    kind = session.sources.kinds.get(kind_name)

    def name(found: re.Match[str]) -> str:
        field = found[1].removeprefix("profile.")
        quantity = kind.quantity(field) if kind is not None else None
        if quantity is not None:
            return session.say("place").replace("{x}", quantity.en if session.language == "en" else quantity.zh)
        said = session.say(f"place_{field}")
        return session.say("place").replace("{x}", field if said == f"place_{field}" else said)

    return _PLACE.sub(name, message).replace("{{", "{").replace("}}", "}")


def _source(session: Session, card: RuleCard) -> str:
    place = f" · {card.file}:{card.line}" if card.file else ""
    return session.say(f"source_{card.origin}") + place
