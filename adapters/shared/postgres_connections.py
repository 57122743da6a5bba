"""Connections to PostgreSQL that notice when the network under them has died, on both of its sides.

A network that swallows everything ends no connection. Without limits the client waits for answers that never come, one dead connection of
its pool after another, and the server keeps the locks of transactions whose clients are gone. So

- a host that acknowledges nothing ends the connection, by TCP's own limits, which a proxy defeats that acknowledges what it swallows;
- a command that has no answer in time ends its connection, and with it all others of the pool that were opened before: they share its network;
- the server ends sessions that are silent within a transaction, statements that outlive their client, and connections that nobody acknowledges.

Together they bound how long after the network is back nothing works: by the time of a command and the consumer's longest pause.
"""

import asyncio
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import asyncpg
from sqlalchemy import event
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

CONNECT_SECONDS = 5.0
"""To open a connection, or to wait for one of the pool."""
POOL_COMMAND_SECONDS = 10.0
"""The longest that a statement of the hot contexts may take: they find rows by key."""
ENGINE_COMMAND_SECONDS = 15.0
"""The same for the others, which publish whole courses."""
REPORT_COMMAND_SECONDS = 30.0
"""The same where reports are computed anew from all that happened."""
_IDLE_IN_TRANSACTION_SECONDS = 10
_GOODBYE_SECONDS = 0.2
_KEEPALIVE = {socket.TCP_KEEPIDLE: 4, socket.TCP_KEEPINTVL: 2, socket.TCP_KEEPCNT: 2}
"""A silent connection is asked after 4 seconds, and dead after two questions without an answer: after 8 at most."""
_UNACKNOWLEDGED_MILLISECONDS = 8_000


class Connection(asyncpg.Connection):  # type: ignore[misc]
    """A connection that notices silence, and is closed at once when nobody answers its goodbye: pools close the dead ones in turn."""

    def __init__(self, protocol: object, transport: asyncio.Transport, *rest: Any) -> None:
        super().__init__(protocol, transport, *rest)
        notice_silence(transport.get_extra_info("socket"))

    async def close(self, *, timeout: float | None = None) -> None:
        with suppress(TimeoutError):
            await super().close(timeout=_GOODBYE_SECONDS)


def notice_silence(connected: socket.socket) -> None:
    """Has TCP end the connection when the other host acknowledges nothing for 8 seconds; Unix sockets have nothing to lose on the way."""
    if connected.family not in (socket.AF_INET, socket.AF_INET6):
        return
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEPALIVE.items():
        connected.setsockopt(socket.IPPROTO_TCP, option, value)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED_MILLISECONDS)


def session_settings(command_seconds: float) -> Mapping[str, str]:
    """What the server is told about a session, in PostgreSQL's own units."""
    return {
        # Longer than the client waits: it is for statements whose client is gone and whose cancellation was swallowed.
        "statement_timeout": f"{round(command_seconds * 1000) + 1000}ms",
        "idle_in_transaction_session_timeout": f"{_IDLE_IN_TRANSACTION_SECONDS}s",
        "client_connection_check_interval": "5s",
        "tcp_keepalives_idle": "10",
        "tcp_keepalives_interval": "5",
        "tcp_keepalives_count": "3",
        "tcp_user_timeout": "15000",
    }


async def open_pool(dsn: str, size: int, command_seconds: float = POOL_COMMAND_SECONDS) -> asyncpg.Pool:
    """Returns a pool of raw connections for AsyncpgUnit; it connects when first used, so that services start in any order."""
    return await asyncpg.create_pool(
        dsn,
        min_size=0,
        max_size=size,
        connection_class=Connection,
        timeout=CONNECT_SECONDS,
        command_timeout=command_seconds,
        server_settings=dict(session_settings(command_seconds)),
        # Every transaction binds its own tenant and ends it, so a connection carries nothing to reset.
        reset=_no_reset,
    )


def open_engine(dsn: str | URL, size: int, command_seconds: float = ENGINE_COMMAND_SECONDS, **more: Any) -> AsyncEngine:
    """Returns SQLAlchemy's engine; it connects when first used. `dsn` names asyncpg as its driver, or no driver."""
    url = dsn.replace("postgresql://", "postgresql+asyncpg://", 1) if isinstance(dsn, str) else dsn
    engine = create_async_engine(
        url,
        pool_size=size,
        max_overflow=0,
        pool_timeout=CONNECT_SECONDS,
        connect_args={
            "connection_class": Connection,
            "timeout": CONNECT_SECONDS,
            "command_timeout": command_seconds,
            "server_settings": dict(session_settings(command_seconds)),
        },
        **more,
    )
    event.listen(engine.sync_engine, "handle_error", _silence_is_a_disconnect)
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    return engine


def _refuse_closed(connection: Any, record: object, proxy: object) -> None:
    """Has a connection that the server has ended meanwhile replaced, and all that the pool opened before, instead of failing its next user."""
    if connection.driver_connection.is_closed():
        raise InvalidatePoolError


def _silence_is_a_disconnect(context: ExceptionContext) -> None:
    """Has the connection, and all that the pool opened before, replaced."""
    if isinstance(context.original_exception, TimeoutError):
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = True


async def _no_reset(connection: asyncpg.Connection) -> None:
    return None
