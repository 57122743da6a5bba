"""A channel whose connection can be exchanged under the stubs that use it, such as after a change of certificates."""

from __future__ import annotations  # grpcio's classes are generic in their stubs only

import asyncio
from collections.abc import Callable
from typing import Any

import grpc

_HANDOVER_SECONDS = 5.0
"""A call that was made a moment before the exchange has begun by then."""
_GRACE_SECONDS = 60.0


class RenewedChannel:
    """Stands for a `grpc.aio.Channel` where stubs are made. Calls in flight at an exchange end on the channel they began on."""

    def __init__(self, open_channel: Callable[[], grpc.aio.Channel]) -> None:
        self._open = open_channel
        self._channel = open_channel()
        self._closing: set[asyncio.Task[None]] = set()

    def unary_unary(self, *arguments: Any, **options: Any) -> Callable[..., Any]:
        return self._method("unary_unary", arguments, options)

    def unary_stream(self, *arguments: Any, **options: Any) -> Callable[..., Any]:
        return self._method("unary_stream", arguments, options)

    def stream_unary(self, *arguments: Any, **options: Any) -> Callable[..., Any]:
        return self._method("stream_unary", arguments, options)

    def stream_stream(self, *arguments: Any, **options: Any) -> Callable[..., Any]:
        return self._method("stream_stream", arguments, options)

    def renew(self) -> None:
        """Sends what comes from now on over a new channel, and closes the old one when its calls have ended."""
        old, self._channel = self._channel, self._open()
        closing = asyncio.create_task(_close_later(old))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def close(self, grace: float | None = None) -> None:
        for closing in self._closing:
            closing.cancel()
        await self._channel.close(grace)

    def _method(self, kind: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Callable[..., Any]:
        made_on = self._channel
        method = getattr(made_on, kind)(*arguments, **options)

        def call(*call_arguments: Any, **call_options: Any) -> Any:
            nonlocal made_on, method
            if made_on is not self._channel:
                made_on = self._channel
                method = getattr(made_on, kind)(*arguments, **options)
            return method(*call_arguments, **call_options)

        return call


async def _close_later(channel: grpc.aio.Channel) -> None:
    try:
        await asyncio.sleep(_HANDOVER_SECONDS)
    finally:
        await channel.close(_GRACE_SECONDS)
