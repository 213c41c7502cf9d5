"""The HTTP side: API and console on one FastAPI app, served by uvicorn inside the server's own event loop."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from citywarden import __version__
from citywarden.alerts.receiver import QuietServer
from citywarden.model.errors import CitywardenError
from dashboards.api import mount_api
from dashboards.console import mount
from dashboards.sources import Sources

STOP_S = 3


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


@asynccontextmanager
async def serving(app: ASGIApp, listener: socket.socket, proxies: Sequence[str] = ()) -> AsyncIterator[None]:
    """Serve the app on the socket until the block ends; open connections get some seconds to finish.

    `proxies`: whose X-Forwarded-For and -Proto are believed, besides loopback's.
    """
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=STOP_S,
        ws_max_queue=64,
        forwarded_allow_ips=["127.0.0.1", "::1", *proxies],
    )
    server = QuietServer(config)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="http")
    try:
        while not server.started:
            if task.done():
                await task
                raise CitywardenError("the HTTP server did not start; its error stands above")
            await asyncio.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        await task
