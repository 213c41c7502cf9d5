"""The record of changes, with filters, for administrators."""

from datetime import datetime, timedelta, tzinfo

from nicegui import ui

from citywarden.model.access import AuditEntry, AuditQuery, Chain
from citywarden.model.identity import Role
from citywarden.model.page import Page
from dashboards.api.rights import identity_of
from dashboards.console.broadcast import Broadcast
from dashboards.console.markup import Html, html, table
from dashboards.console.session import Session, begin
from dashboards.sources import Sources

PAGE = 100
ACTIONS = ("login", "logout", "user", "token", "alert", "silence", "delivery", "device", "case", "command", "target",
           "claim", "cert", "backup", "audit")  # fmt: skip
Asked = tuple[str, str, str, str, str, str]
"""by, action, first day, last day, cursor, check: as they stand in the address."""


def query_of(asked: Asked, zone: tzinfo) -> AuditQuery:
    """What the address asks for; a day that is none is left out."""
    by, action, since, until, cursor, _ = asked
    return AuditQuery(
        _day_ms(since, zone), _day_ms(until, zone, 1), by.strip() or None, action.strip() or None, None, PAGE,
        cursor or None,
    )  # fmt: skip


def _day_ms(text: str, zone: tzinfo, later: int = 0) -> int | None:
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=zone) + timedelta(days=later)
    except ValueError:
        return None
    return int(day.timestamp() * 1000)


async def audit_page(sources: Sources, broadcast: Broadcast, asked: Asked, lang: str | None = None) -> None:
    """Build the page of the record for one browser."""
    who = identity_of(ui.context.client.request)
    with ui.element("main").classes("cw-page"):
        session = begin(sources, broadcast, "admin_audit", lang)
        content = ui.html(sanitize=False).classes("cw-body")
    if sources.access is None or not who.may(Role.ADMINISTRATOR):
        content.set_content(html('<p class="cw-empty">{t}</p>', t=session.say("not_allowed_here")))
        return
    page = await sources.access.find(who, query_of(asked, sources.timezone))
    chain = await sources.access.verify() if asked[5] else None

    def draw() -> None:
        content.set_content(html("{h}{b}", h=_head(session, asked, chain), b=_body(session, asked, page)))

    draw()
    session.redraw.append(draw)


def _head(session: Session, asked: Asked, chain: Chain | None) -> Html:
    say = session.say
    by, action, since, until, _, _ = asked
    options = Html("").join(
        html('<option value="{a}"{s}>{t}</option>', a=a, s=Html(" selected") if a == action else Html(""),
             t=a or say("any_action"))
        for a in ("", *ACTIONS, *(() if action in ("", *ACTIONS) else (action,)))
    )  # fmt: skip
    query = query_of(asked, session.sources.timezone)
    asked_for = {"by": query.by, "action": query.action, "since": query.since_ms, "until": query.until_ms}
    wanted = {name: str(value) for name, value in asked_for.items() if value}
    shown = {name: value for name, value in zip(("by", "action", "since", "until"), asked, strict=False) if value}
    return html(
        '<div class="cw-title"><h1>{t}</h1>{whole}'
        '<div class="cw-exports"><a href="{csv}" download>{ct}</a></div></div>'
        '<form class="cw-sift" method="get" action="/admin/audit"><input type="hidden" name="lang" value="{lang}">'
        '<input name="by" value="{by}" placeholder="{byt}" aria-label="{byt}">'
        '<select name="action" aria-label="{at}">{options}</select>'
        '<input type="date" name="since" value="{since}"><span>–</span>'
        '<input type="date" name="until" value="{until}"><button class="cw-button">{go}</button></form>',
        t=say("admin_audit"), whole=_whole(session, chain, shown),
        csv=session.link("/api/v1/audit.csv", **wanted), ct=say("csv_all"), lang=session.language, by=by,
        byt=say("who_did"), at=say("audit_action"), options=Html(options), since=since, until=until, go=say("filter"),
    )  # fmt: skip


def _whole(session: Session, chain: Chain | None, shown: dict[str, str]) -> Html:
    """Whether the chain is whole, or the way to find out."""
    if chain is None:
        link = session.link("/admin/audit", **shown, check="1")
        return html('<span><a href="{l}">{t}</a></span>', l=link, t=session.say("check_chain"))
    key, n = ("chain_ok", chain.entries) if chain.broken is None else ("chain_broken", chain.broken)
    if chain.broken is None and chain.lost is not None:
        key, n = "chain_lost", chain.lost.number
    tone = "good" if chain.whole else "red"
    told = f"{chain.number}:{chain.head}" if chain.whole and chain.entries else ""
    return html('<span class="{c}" title="{h}">{t}</span>', c=tone, h=told,
                t=session.say(key).replace("{n}", str(n)))  # fmt: skip


def _body(session: Session, asked: Asked, page: Page[AuditEntry]) -> Html:
    say, zone = session.say, session.sources.timezone
    if not page.items:
        return html('<p class="cw-empty">{t}</p>', t=say("nothing_recorded"))
    rows = [
        [
            entry.number,
            f"{datetime.fromtimestamp(entry.note.at_ms / 1000, zone):%Y-%m-%d %H:%M:%S}",
            html("{b}<small>{s}</small>", b=entry.note.by or "–", s=entry.note.source),
            html('<span class="{c}">{a}</span>', c="red" if entry.note.action.endswith(".failed") else "accent",
                 a=entry.note.action),
            entry.note.subject,
            entry.note.detail,
            entry.note.tenant or "–",
            html('<code title="{d}">{s}</code>', d=entry.digest, s=entry.digest[:10]),
        ]
        for entry in page.items
    ]  # fmt: skip
    heads = [
        "#",
        *(say(k) for k in ("when", "who_did", "audit_action", "subject", "audit_detail", "tenant")),
        "SHA-256",
    ]
    by, action, since, until, _, _ = asked
    more = Html("")
    if page.next:
        link = session.link("/admin/audit", by=by, action=action, since=since, until=until, cursor=page.next)
        more = html('<p class="cw-ways"><a class="cw-button" href="{l}">{t}</a></p>', l=link, t=say("older_entries"))
    return html('<section class="cw-panel cw-record">{t}</section>{m}', t=table(heads, rows, (0,)), m=more)
