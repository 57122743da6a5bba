"""The process that serves every face: one ASGI application, one server."""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

import uvicorn
from prometheus_client import generate_latest
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from integrations.shared.browser import Browsers
from integrations.shared.identity import RenewedStub
from integrations.shared.settings import Settings, WrongSetting

FACES = ("pages", "oidc", "oauth", "scim")
"""Each `integrations/<face>/routes.py` has `routes`; handlers find `identity` (a stub), `public_url` and `browsers` in `app.state`."""

_GRACE_SECONDS = 10


def application(identity: Any, browsers: Browsers, public_url: str, faces: Sequence[str] = FACES) -> Starlette:
    """`identity` is a stub of IdentityService. Tests give one of their own."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        if isinstance(identity, RenewedStub):
            await identity.close()

    routes: list[BaseRoute] = [Route("/healthz", _healthy), Route("/metrics", _metrics)]
    for face in faces:
        routes += import_module(f"integrations.{face}.routes").routes
    app = Starlette(routes=routes, lifespan=lifespan)
    app.state.identity = identity
    app.state.browsers = browsers
    app.state.public_url = public_url
    return app


def main() -> None:
    try:
        settings = Settings.read()
    except WrongSetting as error:
        sys.exit(str(error))
    redis = Redis.from_url(settings.redis_url, socket_timeout=2.0, socket_connect_timeout=2.0)
    app = application(
        RenewedStub(settings.identity, settings.mesh),
        Browsers(redis, settings.pages_key, secure=settings.secure),
        settings.public_url,
    )
    host, _, port = settings.listen.rpartition(":")
    uvicorn.run(
        app,
        host=host,
        port=int(port),
        loop="uvloop",
        # Paths may hold what nobody else is to read: the edge writes the access log, without queries.
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        timeout_keep_alive=75,
        h11_max_incomplete_event_size=64 * 1024,
    )


async def _healthy(request: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _metrics(request: Request) -> Response:
    return Response(generate_latest(), media_type="text/plain; version=0.0.4")
