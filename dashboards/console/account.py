"""One's own account: who one is, the password, and where one is logged in."""

from nicegui import ui

from citywarden.model.access import SessionNote
from citywarden.model.identity import Role
from dashboards.api.rights import identity_of, visit_of
from dashboards.console.broadcast import Broadcast
from dashboards.console.markup import Html, html, join, table
from dashboards.console.moments import moment
from dashboards.console.session import Session, begin
from dashboards.sources import Sources


async def account_page(sources: Sources, broadcast: Broadcast, lang: str | None = None) -> None:
    """Build the account page for one browser."""
    request = ui.context.client.request
    who, visit = identity_of(request), visit_of(request)
    notes = await sources.access.sessions(who.name) if sources.access is not None and visit is not None else ()
    with ui.element("main").classes("cw-page"):
        session = begin(sources, broadcast, "account", lang)
        content = ui.html(sanitize=False).classes("cw-body")

    def draw() -> None:
        if visit is None:
            local = html('<p class="cw-empty">{t}</p>', t=session.say("local_login"))
            content.set_content(html("{a}{l}", a=_administration(session), l=local))
            return
        head = html(
            '<div class="cw-title"><h1>{n}</h1><span>{r} · {t}</span></div>{ways}',
            n=who.name,
            r=session.say(f"role_{who.role.value}"),
            t=" · ".join(
                filter(
                    None,
                    (who.tenant or f"{session.say('tenant')}: {session.say('every_tenant')}", session.named(who.unit)),
                )
            ),
            ways=_ways(session, visit.csrf),
        )
        content.set_content(
            html(
                "{h}{a}{s}",
                h=head,
                a=_administration(session),
                s=_sessions(session, list(notes), visit.session, visit.csrf),
            )
        )

    draw()
    session.redraw.append(draw)


def _administration(session: Session) -> Html:
    """The ways that only administrators have."""
    if session.sources.access is None or not session.who.may(Role.ADMINISTRATOR):
        return Html("")
    links = (
        html('<a class="cw-button" href="{h}">{t}</a>', h=session.link(path), t=session.say(key))
        for path, key in (("/admin/users", "admin_users"), ("/admin/audit", "admin_audit"))
    )
    return html('<div class="cw-ways">{links}</div>', links=join(links))


def _ways(session: Session, csrf: str) -> Html:
    return html(
        '<div class="cw-ways"><a class="cw-button" href="{p}">{pt}</a>{out}{everywhere}</div>',
        p=session.link("/password", next=session.link("/account")),
        pt=session.say("change_password"),
        out=_form(session, "/logout", csrf, {}, session.say("sign_out")),
        everywhere=_form(session, "/logout", csrf, {"everywhere": "1"}, session.say("sign_out_everywhere")),
    )


def _form(session: Session, path: str, csrf: str, fields: dict[str, str], text: str) -> Html:
    """A button that is a form of its own."""
    hidden = Html("").join(
        html('<input type="hidden" name="{n}" value="{v}">', n=n, v=v) for n, v in {"csrf": csrf, **fields}.items()
    )
    return html(
        '<form method="post" action="{a}">{h}<button class="cw-button quiet">{t}</button></form>',
        a=session.link(path),
        h=Html(hidden),
        t=text,
    )


def _sessions(session: Session, notes: list[SessionNote], mine: str, csrf: str) -> Html:
    say, zone = session.say, session.sources.timezone
    rows: list[list[object]] = []
    for note in notes:
        here = mine.startswith(note.id)
        last: object = html('<b class="good">{t}</b>', t=say("this_session"))
        if not here:
            last = _form(session, "/account/end", csrf, {"session": note.id}, say("end_session"))
        rows.append([note.address, browser_of(note.agent), moment(note.created_ms, zone), moment(note.seen_ms, zone),
                     moment(note.expires_ms, zone), last])  # fmt: skip
    heads = [say(key) for key in ("login_address", "browser", "began", "last_seen", "expires")]
    return html(
        '<section class="cw-panel"><p class="cw-h">{t}</p>{b}</section>',
        t=say("sessions"),
        b=table([*heads, ""], rows),
    )


def browser_of(agent: str) -> str:
    """The browser and its system, as far as its own words tell."""
    browsers = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"),
                ("Safari/", "Safari"))  # fmt: skip
    systems = (("Android", "Android"), ("iPhone", "iOS"), ("iPad", "iOS"), ("Windows", "Windows"),
               ("Mac OS", "macOS"), ("Linux", "Linux"))  # fmt: skip
    found = [next((name for mark, name in marks if mark in agent), "") for marks in (browsers, systems)]
    return " · ".join(filter(None, found)) or agent[:40] or "–"
