"""Errors as RFC 9457 problem documents: every one of them, none with a stack trace."""

import logging
import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from citywarden.model.access import Denied, Forbidden, TooOften
from citywarden.model.errors import CitywardenError, NotFound, Unavailable
from dashboards.api.mistakes import Mistake, mistake_of, told

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 5.0
"""Suggested to clients where the part that is unavailable names no time of its own."""

OTHER_SITE = ("requests that change something must not come from another site", "修改请求不能来自其他网站")
"""Said to a page of another site."""

log = logging.getLogger(__name__)


class Problem(BaseModel):
    """RFC 9457. `errors` names everything that is wrong with a request, not only the first."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    errors: list[Mistake] | None = None


class BadQuestion(Exception):
    """A parameter is well-formed but cannot be answered; becomes 422. `zh`: `what` in Chinese."""

    def __init__(self, where: str, what: str, zh: str = "") -> None:
        super().__init__(what)
        self._place, self._what, self._zh = where.split("."), what, zh

    def said(self, language: str) -> Mistake:
        """What is wrong, in a language."""
        own = self._zh if language.startswith("zh") and self._zh else self._what
        return told(self._place, own, language)


class Refused(HTTPException):
    """An answer without an error of ours behind it, in English and Chinese."""

    def __init__(self, status: int, what: str, zh: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, what, headers)
        self.zh = zh


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **more: object) -> JSONResponse:
    """A problem document as response."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    return JSONResponse(body, status, headers, MEDIA_TYPE)


def handle_problems(app: FastAPI) -> None:
    """Answer every error of the app with a problem document."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(BadQuestion, _bad_question)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(CitywardenError, _ours)
    app.add_exception_handler(Exception, _unforeseen)


def _mistakes(mistakes: Sequence[Mistake], language: str) -> JSONResponse:
    detail = ("；" if language == "zh-CN" else "; ").join(m.what for m in mistakes)
    return problem(422, detail, _spoken(language), errors=[m.model_dump() for m in mistakes])


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    language = wanted_by(request)
    return _mistakes([mistake_of(e, language) for e in error.errors()], language)


async def _bad_question(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, BadQuestion)
    language = wanted_by(request)
    return _mistakes([error.said(language)], language)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    detail, language = str(error.detail), wanted_by(request)
    if isinstance(error, Refused) and language == "zh-CN":
        return problem(error.status_code, error.zh, {**(error.headers or {}), **_spoken(language)})
    if detail == HTTPStatus(error.status_code).phrase:
        detail = f"{request.method} {request.url.path}"
    return problem(error.status_code, detail, error.headers)


async def _ours(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, CitywardenError)
    status, headers = 409, dict[str, str]()
    if isinstance(error, NotFound):
        status = 404
    elif isinstance(error, Unavailable):
        status, headers = 503, {"Retry-After": str(math.ceil(error.retry_after_s or RETRY_AFTER_S))}
    elif isinstance(error, Denied):
        status = 401
    elif isinstance(error, Forbidden):
        status = 403
    elif isinstance(error, TooOften):
        status, headers = 429, {"Retry-After": str(error.retry_after_s)}
    language = wanted_by(request)
    said = error.said(language)
    return problem(status, said, {**headers, **_spoken(language if said != str(error) else "en")})


def _spoken(language: str) -> dict[str, str]:
    return {"Content-Language": language, "Vary": "Accept-Language"}


def wanted_by(request: HTTPConnection) -> str:
    """The language that a request's answer is to be in."""
    return language_of(request.headers.get("accept-language", ""))


def language_of(accepted: str) -> str:
    """`zh-CN` where a request's Accept-Language wants Chinese more than English, else `en`."""
    best, chosen = 0.0, "en"
    for part in accepted.split(",")[:50]:
        name, _, quality = part.partition(";q=")
        try:
            wanted = float(quality or 1)
        except ValueError:
            continue
        word = name.strip().lower().partition("-")[0]
        if word in ("zh", "en") and wanted > best:
            best, chosen = wanted, "zh-CN" if word == "zh" else "en"
    return chosen


async def _unforeseen(request: Request, _error: Exception) -> JSONResponse:
    return problem(500, f"{request.method} {request.url.path} failed; the server's log says why")
