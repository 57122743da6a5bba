"""What a context hands to the host that runs it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import grpc

from services.shared.idempotency import RequestLedger

Job = Callable[[], Awaitable[None]]
"""Runs until cancelled: a consumer, for example."""


async def _nothing() -> None:
    return None


@dataclass(frozen=True)
class Context:
    """A context, built and ready to be served.

    `ready` raises when something the context depends on is away. With a `ledger`, the host remembers the answer to every `request_id`;
    a context without one is idempotent by the ids of what it keeps. For a context that `publishes`, the host runs its outbox relay.
    """

    name: str
    add_to_server: Callable[[grpc.aio.Server], None]
    ready: Callable[[], Awaitable[None]]
    jobs: Sequence[Job] = ()
    ledger: RequestLedger | None = None
    publishes: bool = False
    close: Callable[[], Awaitable[None]] = _nothing
