"""The API as an application of its own, set into another one under its paths.

app --- /api, /healthz, /metrics ---> the API's own app: own errors, own OpenAPI document
    --- everything else ------------> as before
"""

import logging

from fastapi import Depends, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from starlette.datastructures import URLPath
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import ASGIApp, Receive, Scope, Send

from citywarden import __version__
from dashboards.api.access import access
from dashboards.api.bulk import bulk
from dashboards.api.caseevidence import evidence
from dashboards.api.cases import cases
from dashboards.api.commands import commands
from dashboards.api.deliveries import deliveries
from dashboards.api.dispatch import dispatch
from dashboards.api.enrolment import claims, enrolment
from dashboards.api.handling import handling
from dashboards.api.problems import MEDIA_TYPE, OTHER_SITE, Problem, Refused, handle_problems
from dashboards.api.rights import identity_of
from dashboards.api.rules import rules
from dashboards.api.server import server
from dashboards.api.things import things
from dashboards.api.work import work
from dashboards.scoping import narrowed
from dashboards.sources import Sources

OPENAPI_PATH = "/api/v1/openapi.json"
TENANTS = 200
"""APIs held ready at most, besides that of those who see every tenant."""
_OWN_PATHS = ("/healthz", "/metrics", "/api")

log = logging.getLogger(__name__)


def mount_api(app: FastAPI, sources: Sources) -> None:
    """Serve the API from `app` under /api, /healthz and /metrics; nothing else of `app` changes."""
    app.router.routes.insert(0, _Apart(sources))


def build_api(sources: Sources) -> FastAPI:
    """The API alone. Its documentation pages would load scripts from elsewhere, so there is the document only."""
    api = FastAPI(
        title="Citywarden",
        version=__version__,
        summary="Devices, readings, alerts and judged work of a city",
        openapi_url=OPENAPI_PATH,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[Depends(_refuse_other_sites)],
    )
    handle_problems(api)
    if sources.dispatch is not None:
        api.include_router(bulk(sources, sources.dispatch))
        api.include_router(handling(sources, sources.dispatch))
        api.include_router(deliveries(sources, sources.dispatch))
    if sources.cases is not None:
        api.include_router(cases(sources, sources.cases))
        api.include_router(evidence(sources, sources.cases))
    if sources.access is not None:
        api.include_router(access(sources.access))
    if sources.enrolment is not None:
        api.include_router(enrolment(sources, sources.enrolment))
    if sources.commands is not None:
        api.include_router(commands(sources, sources.commands))
    if sources.claims is not None:
        api.include_router(claims(sources, sources.claims))
    for router in (things(sources), dispatch(sources), work(sources), rules(sources), server(sources)):
        api.include_router(router)
    api.openapi = lambda: _document(api)  # type: ignore[method-assign]
    return api


class _Apart(BaseRoute):
    """A route to other applications, which see the paths as they are: the API over what the tenant of the asker has."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._apps: dict[str | None, ASGIApp] = {None: build_api(sources)}

    def _api(self, tenant: str | None) -> ASGIApp:
        """One application a tenant, so that no route can reach past its sources."""
        if tenant is not None and tenant not in self._apps:
            if len(self._apps) > TENANTS:
                self._apps = {None: self._apps[None]}
            self._apps[tenant] = build_api(narrowed(self._sources, tenant))
        return self._apps[tenant]

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        path = str(scope.get("path", ""))
        own = scope["type"] == "http" and any(path == own or path.startswith(f"{own}/") for own in _OWN_PATHS)
        return (Match.FULL if own else Match.NONE), {}

    def url_path_for(self, name: str, /, **path_params: object) -> URLPath:
        raise NoMatchFound(name, path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._api(identity_of(HTTPConnection(scope)).tenant)(scope, receive, send)
        except Exception:
            log.exception("%s %s failed", scope["method"], scope["path"])


async def _refuse_other_sites(request: Request) -> None:
    """A page of another site, open in a user's browser, must not act on alerts here."""
    origin = request.headers.get("origin")
    if request.method not in ("GET", "HEAD") and origin and origin.partition("://")[2] != request.headers.get("host"):
        raise Refused(403, *OTHER_SITE)


def _document(api: FastAPI) -> dict[str, object]:
    """The OpenAPI document; errors are problem documents, whatever the framework says by default."""
    if api.openapi_schema is None:
        document = get_openapi(
            title=api.title, version=api.version, summary=api.summary, routes=api.routes, tags=api.openapi_tags
        )
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for framework in ("HTTPValidationError", "ValidationError"):
            schemas.pop(framework, None)
        problem_schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(problem_schema.pop("$defs", {}))
        schemas["Problem"] = problem_schema
        content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        for path in document["paths"].values():
            for operation in path.values():
                told = {status: r for status, r in operation["responses"].items() if status.startswith("2")}
                told["default"] = {"description": "Any error, as a problem document (RFC 9457)", "content": content}
                operation["responses"] = told
        api.openapi_schema = document
    return api.openapi_schema
