"""The HTTP side: API and console on one FastAPI app, served by uvicorn inside the server's own event loop."""

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from citywarden import __version__
from citywarden.alerts.receiver import QuietServer
from citywarden.model.errors import CitywardenError
from citywarden.sections import Settings
from citywarden.serve.wicket import DEFAULT, Bounded, Bounds, wicket_of
from dashboards.api import mount_api
from dashboards.console import mount
from dashboards.sources import Sources

STOP_S = 3
RENEW_S = 60.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files of a server's certificate, with its chain, and of its key."""

    cert_file: Path
    key_file: Path

    def changed_ns(self) -> tuple[int, int]:
        return self.cert_file.stat().st_mtime_ns, self.key_file.stat().st_mtime_ns


def certificate_of(settings: Settings) -> Certificate | None:
    """The configured certificate; None: plain HTTP."""
    cert_file, key_file = settings.api.cert_file, settings.api.key_file
    return None if cert_file is None or key_file is None else Certificate(cert_file, key_file)


def application(sources: Sources, storage_secret: str) -> FastAPI:
    """API, console, health and metrics on one app."""
    app = FastAPI(title="Citywarden", version=__version__, docs_url=None, redoc_url=None)
    mount_api(app, sources)
    mount(app, sources, storage_secret=storage_secret)
    return app


def bind(listen: str) -> socket.socket:
    """A listening socket for `host:port` (port 0: any free one). Raises CitywardenError when it is taken."""
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, int(port)))
    except OSError as error:
        listener.close()
        raise CitywardenError(f"cannot listen on {listen}: {error.strerror}; choose another with --port") from None
    return listener


def url_of(listener: socket.socket, tls: Certificate | None) -> str:
    """The address that a browser on this machine opens."""
    host, port = listener.getsockname()[:2]
    return f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


@asynccontextmanager
async def serving(
    app: ASGIApp,
    listener: socket.socket,
    proxies: Sequence[str] = (),
    tls: Certificate | None = None,
    bounds: Bounds = DEFAULT,
) -> AsyncIterator[None]:
    """Serve the app on the socket until the block ends; open connections get some seconds to finish.

    `proxies`: whose X-Forwarded-For and -Proto are believed, besides loopback's. `tls` None: plain HTTP. Raises
    CitywardenError for a certificate that cannot be used.
    """
    config = uvicorn.Config(
        Bounded(app, bounds),
        http=wicket_of(bounds),
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=STOP_S,
        ws_max_queue=64,
        ws_max_size=bounds.body_bytes,
        forwarded_allow_ips=["127.0.0.1", "::1", *proxies],
        ssl_certfile=None if tls is None else tls.cert_file,
        ssl_keyfile=None if tls is None else tls.key_file,
    )
    try:
        config.load()
    except OSError as error:
        files = "" if tls is None else f"{tls.cert_file}, {tls.key_file}: "
        raise CitywardenError(f"the certificate cannot be used: {files}{error.strerror or error}") from None
    server = QuietServer(config)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="http")
    renewing = None if tls is None else asyncio.create_task(renew(tls, config.ssl), name="certificate")
    try:
        while not server.started:
            if task.done():
                await task
                raise CitywardenError("the HTTP server did not start; its error stands above")
            await asyncio.sleep(0.01)
        yield
    finally:
        if renewing is not None:
            renewing.cancel()
        server.should_exit = True
        await task


async def renew(tls: Certificate, context: ssl.SSLContext | None, every_s: float = RENEW_S) -> None:
    """Until cancelled: new connections get the certificate that is in the files now, renewed or not."""
    seen = tls.changed_ns()
    while context is not None:
        await asyncio.sleep(every_s)
        try:
            now = tls.changed_ns()
            if now != seen:
                context.load_cert_chain(tls.cert_file, tls.key_file)
                seen = now
        except OSError as error:
            _log.warning("the renewed certificate cannot be used, the old one stays: %s", error)
