"""One running Grafana, asked through grafana-client; what it refuses becomes one clear error."""

from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import urlsplit

from grafana_client import GrafanaApi
from grafana_client.client import GrafanaException
from requests import RequestException

from citywarden.model.errors import CitywardenError
from dashboards.grafana.names import DATASOURCE
from dashboards.grafana.panels import Json

ANSWER_S = 20.0
MOST = 5000
"""Boards that a search lists; Grafana's own limit."""

T = TypeVar("T")


class GrafanaRefused(CitywardenError):
    """Grafana cannot be reached, or will not do what was asked; the message says what to do."""


class Grafana:
    """A Grafana as a context manager. `token`: of a service account; "" asks as nobody.

    Calls block. Every one raises GrafanaRefused; what reads gives None where there is nothing.
    """

    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip("/")
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise GrafanaRefused(f"[grafana] url is {url!r}, expected http://host:port or https://host")
        below = parts.path.strip("/")
        self._api = GrafanaApi(
            token or None,
            protocol=parts.scheme,
            host=f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname,
            port=parts.port,
            url_path_prefix=f"{below}/" if below else "",
            timeout=ANSWER_S,
            user_agent="citywarden",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._api.client.s.close()

    def folders(self) -> frozenset[str]:
        """Uids of the folders. Asked by its uid, one that is missing may be answered with 403."""
        return _uids(self._find(self._api.folder.get_all_folders))

    def boards(self, tag: str) -> frozenset[str]:
        """Uids of the boards with that tag."""
        search = self._api.search.search_dashboards
        return _uids(self._find(lambda: search(type_="dash-db", tag=tag, limit=MOST)))

    def board(self, uid: str) -> Json | None:
        """`dashboard` and `meta` of the board with that uid."""
        return _object(self._find(lambda: self._api.dashboard.get_dashboard(uid)))

    def playlists(self) -> list[Json]:
        """Every playlist, without its items."""
        found = self._find(lambda: self._api.client.GET("/playlists"))
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

    def playlist(self, uid: str) -> Json | None:
        """A playlist with its items."""
        return _object(self._find(lambda: self._api.client.GET(f"/playlists/{uid}")))

    def make_folder(self, uid: str, title: str) -> None:
        self._ask(lambda: self._api.folder.create_folder(title, uid))

    def write_board(self, body: Json) -> None:
        """`body`: `dashboard`, `folderUid` and what goes with them."""
        self._ask(lambda: self._api.dashboard.update_dashboard(body))

    def write_playlist(self, body: Json, uid: str = "") -> None:
        """A new playlist, or the one with that uid anew."""
        client = self._api.client
        self._ask(lambda: client.PUT(f"/playlists/{uid}", json=body) if uid else client.POST("/playlists", json=body))

    def health(self) -> str:
        """Grafana's words about the boards' data source when it reaches it."""
        answer = self._find(lambda: self._api.datasource.health(DATASOURCE))
        if answer is None:
            what = "provision deploy/grafana/provisioning/datasources/influxdb.yaml"
            raise GrafanaRefused(f"Grafana at {self.url} has no data source {DATASOURCE}: {what}")
        found = _object(answer) or {}
        if found.get("status") != "OK":
            raise GrafanaRefused(f"Grafana at {self.url} says of its data source: {found.get('message') or found}")
        return str(found.get("message") or "the data source answers")

    def _find(self, call: Callable[[], T]) -> T | None:
        return self._attempt(call, absent=True)

    def _ask(self, call: Callable[[], T]) -> None:
        self._attempt(call, absent=False)

    def _attempt(self, call: Callable[[], T], absent: bool) -> T | None:
        try:
            return call()
        except GrafanaException as error:
            code = int(error.status_code)
            if code == 404 and absent:
                return None
            if code in (401, 403):
                what = "set [grafana] token to that of a service account with the role Editor"
                raise GrafanaRefused(f"Grafana at {self.url} answers {code}: {what}") from error
            raise GrafanaRefused(f"Grafana at {self.url} answers {code}: {_words(error)}") from error
        except RequestException as error:
            raise GrafanaRefused(f"Grafana at {self.url} cannot be reached: {_plainly(error)}") from error


def _uids(answer: object) -> frozenset[str]:
    return (
        frozenset(str(one.get("uid")) for one in answer if isinstance(one, dict))
        if isinstance(answer, list)
        else frozenset()
    )


def _object(answer: object) -> Json | None:
    return answer if isinstance(answer, dict) else None


def _words(error: GrafanaException) -> str:
    said = error.response.get("message") if isinstance(error.response, dict) else error.response
    return " ".join(str(said or error.message).split())[:300]


def _plainly(error: RequestException) -> str:
    """The cause under the layers of connection pools."""
    cause: BaseException = error
    while (below := cause.__cause__ or cause.__context__) is not None:
        cause = below
    return str(cause) or type(cause).__name__
