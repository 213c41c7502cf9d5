"""Login, logout and change of password: plain pages that need no script, and their forms."""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, urlencode

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from citywarden.model.access import Denied, TooOften
from citywarden.model.errors import CitywardenError, NotFound
from dashboards.api.cookies import clear_session, set_session
from dashboards.api.rights import visit_of
from dashboards.console import palette
from dashboards.console.forms import STYLE, field, form_page, hidden
from dashboards.console.markup import Html, html
from dashboards.console.words import language_of, other, word
from dashboards.gate import Access
from dashboards.sources import Sources

LOGIN_COOKIE = "cw_form"
"""Holds what the login form repeats: there is no session yet that could."""
LONGEST_FORM = 16_384
MINUTES = 30


@dataclass(frozen=True, slots=True)
class Gateway:
    """The pages before the pages."""

    sources: Sources
    access: Access

    def login_page(self, request: Request, error: str = "", status: int = 200, name: str = "") -> Response:
        """The form; `next` of the address says where to go then."""
        language = self._language(request)
        token = request.cookies.get(LOGIN_COOKIE) or secrets.token_urlsafe(24)
        back = way_back(request.query_params.get("next"))
        body = html(
            '<form method="post" action="{a}" novalidate>{h}{n}{p}{e}<button type="submit">{s}</button></form>',
            a="/login?" + urlencode({"next": back, "lang": language}),
            h=hidden("csrf", form_token(token)),
            n=field("name", word("user_name", language), "username", value=name),
            p=field("password", word("password", language), "current-password", "password"),
            e=_error(error),
            s=word("sign_in", language),
        )
        answer = self._page(request, "sign_in", body, {"next": back}, status)
        answer.set_cookie(
            LOGIN_COOKIE, token, max_age=MINUTES * 60, httponly=True, samesite="strict",
            secure=request.url.scheme == "https", path="/login",
        )  # fmt: skip
        return answer

    async def login(self, request: Request) -> Response:
        """Let somebody in whose name and password fit."""
        language, form = self._language(request), await form_of(request)
        name, token = form.get("name", ""), request.cookies.get(LOGIN_COOKIE, "")
        if not token or not secrets.compare_digest(form.get("csrf", ""), form_token(token)):
            return self.login_page(request, word("form_expired", language), 403, name)
        if lacks := _lacking(form, {"name": "user_name", "password": "password"}, language):
            return self.login_page(request, lacks, 422, name)
        address = request.client.host if request.client else ""
        try:
            user, cookie = await self.access.login(
                name, form.get("password", ""), address, request.headers.get("user-agent", "")
            )
        except Denied:
            return self.login_page(request, word("wrong_login", language), 401, name)
        except TooOften as error:
            said = word("too_often", language).replace("{n}", str(error.retry_after_s))
            answer = self.login_page(request, said, 429, name)
            answer.headers["retry-after"] = str(error.retry_after_s)
            return answer
        back = way_back(request.query_params.get("next"))
        answer = _go(f"/password?{urlencode({'next': back, 'lang': language})}" if user.must_change else back)
        set_session(answer, cookie, request.url.scheme == "https")
        answer.delete_cookie(LOGIN_COOKIE, path="/login")
        return answer

    async def logout(self, request: Request) -> Response:
        """End the session, or with `everywhere` all of the user."""
        visit, form = visit_of(request), await form_of(request)
        if visit is not None:
            if not secrets.compare_digest(form.get("csrf", ""), visit.csrf):
                return HTMLResponse(word("form_expired", self._language(request)), 403)
            await self.access.logout(visit, form.get("everywhere") == "1")
        answer = _go(f"/login?{urlencode({'lang': self._language(request)})}")
        clear_session(answer)
        return answer

    def password_page(self, request: Request, error: str = "", status: int = 200) -> Response:
        """The form to change one's own password."""
        visit, language = visit_of(request), self._language(request)
        if visit is None:
            return _go("/")
        back = way_back(request.query_params.get("next"))
        first = f"{word('must_change', language)} " if visit.user.must_change else ""
        said = first + word("password_rule", language)
        leave = Html("") if visit.user.must_change else html('<a class="quiet" href="/account">{t}</a>',
                                                             t=word("cancel", language))  # fmt: skip
        body = html(
            '<p class="hint">{said}</p><form method="post" action="{a}" novalidate>{h}{u}{o}{n}{r}{e}'
            '<button type="submit">{s}</button>{leave}</form>',
            said=said,
            a="/password?" + urlencode({"next": back, "lang": language}),
            h=hidden("csrf", visit.csrf),
            u=html('<input type="text" name="username" autocomplete="username" value="{n}" hidden>', n=visit.user.name),
            o=field("old", word("old_password", language), "current-password", "password"),
            n=field("new", word("new_password", language), "new-password", "password"),
            r=field("again", word("repeat_password", language), "new-password", "password"),
            e=_error(error),
            s=word("change_password", language),
            leave=leave,
        )
        return self._page(request, "change_password", body, {"next": back}, status)

    async def change_password(self, request: Request) -> Response:
        """Take the new password, and end the other sessions."""
        visit, language, form = visit_of(request), self._language(request), await form_of(request)
        if visit is None:
            return _go("/")
        if not secrets.compare_digest(form.get("csrf", ""), visit.csrf):
            return self.password_page(request, word("form_expired", language), 403)
        if lacks := _lacking(form, {"old": "old_password", "new": "new_password"}, language):
            return self.password_page(request, lacks, 422)
        if form.get("new") != form.get("again"):
            return self.password_page(request, word("not_the_same", language), 422)
        try:
            await self.access.change_password(visit, form.get("old", ""), form.get("new", ""))
        except Denied:
            return self.password_page(request, word("wrong_password", language), 401)
        except TooOften as error:
            said = word("too_often", language).replace("{n}", str(error.retry_after_s))
            return self.password_page(request, said, 429)
        except CitywardenError as error:
            return self.password_page(request, f"{error.said(language)} ({word('password_rule', language)})", 422)
        return _go(way_back(request.query_params.get("next")))

    async def end_session(self, request: Request) -> Response:
        """End another session of one's own."""
        visit, form = visit_of(request), await form_of(request)
        if visit is None or not secrets.compare_digest(form.get("csrf", ""), visit.csrf):
            return HTMLResponse(word("form_expired", self._language(request)), 403)
        with suppress(NotFound):
            await self.access.end_session(visit, form.get("session", ""))
        return _go(f"/account?{urlencode({'lang': self._language(request)})}")

    def _language(self, request: Request) -> str:
        return language_of(request.query_params.get("lang"), self.sources.language)

    def _page(self, request: Request, title: str, body: Html, query: Mapping[str, str], status: int) -> HTMLResponse:
        language = self._language(request)
        name = self.sources.districts.get("name_zh" if language == "zh-CN" else "name_en")
        switch = f"{request.url.path}?{urlencode({**query, 'lang': other(language)})}"
        page = form_page(
            language, str(name or word("operations", language)), word(title, language), body,
            (switch, word("language", language)),
        )  # fmt: skip
        headers = {"content-security-policy": CSP, "cache-control": "no-store"}
        return HTMLResponse(page, status, headers)


def add_gateway(app: FastAPI, sources: Sources, access: Access) -> None:
    """Add /login, /logout, /password and the forms of /account."""
    gateway = Gateway(sources, access)

    @app.get("/login", include_in_schema=False)
    async def login_page(request: Request) -> Response:
        return gateway.login_page(request)

    @app.post("/login", include_in_schema=False)
    async def login(request: Request) -> Response:
        return await gateway.login(request)

    @app.post("/logout", include_in_schema=False)
    async def logout(request: Request) -> Response:
        return await gateway.logout(request)

    @app.post("/account/end", include_in_schema=False)
    async def end_session(request: Request) -> Response:
        return await gateway.end_session(request)

    @app.get("/password", include_in_schema=False)
    async def password_page(request: Request) -> Response:
        return gateway.password_page(request)

    @app.post("/password", include_in_schema=False)
    async def password(request: Request) -> Response:
        return await gateway.change_password(request)


def form_token(cookie: str) -> str:
    """What the login form carries beside its cookie."""
    return hashlib.sha256(b"login form of " + cookie.encode()).hexdigest()[:32]


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form, the first value of each; a form that is too long has none."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LONGEST_FORM:
            return {}
    return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace"), max_num_fields=20).items()}


def way_back(wanted: str | None) -> str:
    """Where to go then: a path of ours, nothing else."""
    plain = (wanted or "").strip()
    ours = plain.startswith("/") and not plain.startswith(("//", "/\\", "/login")) and "\\" not in plain
    return quote(plain, safe="/?&=%#:@!$'()*+,;~-._") if ours else "/"


def _lacking(form: Mapping[str, str], labels: Mapping[str, str], language: str) -> str:
    """Which field is empty, "" for none. The browser would say so in its own language."""
    empty = next((word(label, language) for name, label in labels.items() if not form.get(name, "").strip()), "")
    return f"{empty}{'：' if language == 'zh-CN' else ': '}{word('v_missing', language)}" if empty else ""


def _error(text: str) -> Html:
    return html('<p class="error" role="alert">{t}</p>', t=text) if text else Html("")


def _go(path: str) -> Response:
    return RedirectResponse(path, 303)


_DIGEST = base64.b64encode(hashlib.sha256((palette.variables() + STYLE).encode()).digest()).decode()
CSP = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
"""These pages have one style sheet and no script."""
