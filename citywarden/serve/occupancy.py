"""Who has the configured address: nobody, the server on this data folder, or something else."""

import httpx

from citywarden.model.errors import CitywardenError
from citywarden.sections import Settings
from citywarden.serve.folder import held
from citywarden.serve.http import bind, certificate_of

ANSWER_S = 3.0
_OURS = {"ok", "components", "figures"}


def occupant(settings: Settings) -> str:
    """In words, when the address is free or our own server's. Raises CitywardenError when something else has it."""
    listen = settings.api.listen
    try:
        bind(listen).close()
    except CitywardenError as error:
        if not _is_citywarden(settings):
            raise
        if not held(settings.data):
            raise CitywardenError(f"{error} (a Citywarden on another data folder runs there)") from None
        return f"this server is running on {listen}"
    return f"{listen} is free"


def _is_citywarden(settings: Settings) -> bool:
    """Whether what listens there answers as a Citywarden does, well or not."""
    host, _, port = settings.api.listen.rpartition(":")
    near = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]", "::": "[::1]"}.get(host, host)  # noqa: S104 (asks, binds nothing)
    scheme = "http" if certificate_of(settings) is None else "https"
    url = f"{scheme}://{near}:{port}/healthz"
    try:  # nothing secret is sent, and the certificate need not name this address
        answer = httpx.get(url, timeout=ANSWER_S, verify=False, trust_env=False)  # noqa: S501
        said = answer.json()
    except (httpx.HTTPError, ValueError):
        return False
    return isinstance(said, dict) and said.keys() >= _OURS
