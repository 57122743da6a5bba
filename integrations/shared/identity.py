"""Calls to identity, and its refusals as they can be shown to people."""

import asyncio
import ipaddress
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from paideia.identity.v1.identity_service_pb2_grpc import IdentityServiceStub
from starlette.requests import Request

_SECONDS = 10.0
_LOOK_SECONDS = 1.0
_MESH_NAME = "identity.mesh.paideia"
_Version = tuple[tuple[int, int], ...]
_OPTIONS = (("grpc.max_reconnect_backoff_ms", 2_000), ("grpc.initial_reconnect_backoff_ms", 100))


@dataclass
class Refusal(Exception):
    """What identity refused, and why. `fields` are the sentences about each field of the request."""

    code: grpc.StatusCode
    message: str
    reason: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    retry_after: float = 1.0
    """Seconds, for what is refused for now only."""

    def __str__(self) -> str:
        return self.message


class RenewedStub:
    """Stands for an IdentityServiceStub. New certificates in the folder are used by the calls that come after."""

    def __init__(self, target: str, mesh: Path | None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._target = target
        self._files = [mesh / name for name in ("ca.crt", "tls.key", "tls.crt")] if mesh else []
        self._monotonic = monotonic
        self._looked_at = 0.0
        self._version: _Version = ()
        self._channel: grpc.aio.Channel | None = None
        self._stub: Any = None
        self._closing: set[asyncio.Task[None]] = set()

    def __getattr__(self, rpc: str) -> Any:
        if rpc.startswith("_"):
            raise AttributeError(rpc)
        if self._stub is None or self._changed():
            self._renew()
        return getattr(self._stub, rpc)

    async def close(self) -> None:
        for closing in self._closing:
            closing.cancel()
        if self._channel is not None:
            await self._channel.close(grace=1)

    def _renew(self) -> None:
        try:
            channel = self._open()
        except OSError:
            if self._stub is None:
                raise
            return  # looked at again: what there is still serves
        old, self._channel, self._stub = self._channel, channel, IdentityServiceStub(channel)
        if old is not None:
            # No call outlives its deadline, so those in flight end on the channel that they began on.
            closing = asyncio.get_running_loop().create_task(old.close(grace=_SECONDS))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    def _open(self) -> grpc.aio.Channel:
        if not self._files:
            return grpc.aio.insecure_channel(self._target, options=_OPTIONS)
        authorities, key, chain = self._read()
        credentials = grpc.ssl_channel_credentials(authorities, key, chain)
        return grpc.aio.secure_channel(
            self._target, credentials, options=(*_OPTIONS, ("grpc.ssl_target_name_override", _MESH_NAME))
        )

    def _read(self) -> tuple[bytes, ...]:
        """Returns the three files as they belong together: again when they were exchanged meanwhile. Raises OSError."""
        while True:
            version = self._current()
            found = tuple(each.read_bytes() for each in self._files)
            if self._current() == version:
                self._version = version
                return found

    def _current(self) -> _Version:
        return tuple((found.st_ino, found.st_mtime_ns) for found in (each.stat() for each in self._files))

    def _changed(self) -> bool:
        now = self._monotonic()
        if not self._files or now - self._looked_at < _LOOK_SECONDS:
            return False
        self._looked_at = now
        try:
            return self._current() != self._version
        except OSError:
            return False


class Identity:
    """Identity's rpcs for the request of a client: with a deadline, a request id where one is wanted, and Refusal for a refusal."""

    def __init__(self, request: Request) -> None:
        self._stub = request.app.state.identity
        self._network = _network_of(request)

    async def call(self, rpc: str, request: Message, token: str = "", user_agent: str = "") -> Any:
        """Calls as the bearer of the token, or as nobody. Raises Refusal."""
        if "request_id" in request.DESCRIPTOR.fields_by_name and not getattr(request, "request_id"):  # noqa: B009  # not every message has one
            setattr(request, "request_id", str(uuid4()))  # noqa: B010
        metadata = [("authorization", f"Bearer {token}")] if token else []
        if user_agent.isascii() and user_agent.isprintable():
            metadata.append(("paideia-user-agent", user_agent[:512]))
        if self._network:
            metadata.append(("x-forwarded-for", self._network))
        try:
            return await getattr(self._stub, rpc)(request, metadata=metadata, timeout=_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise _refusal(error) from error


def _network_of(request: Request) -> str:
    """The first address of the client's network, for the audit log; the edge has put the client's own at the end. Empty if it has not."""
    try:
        address = ipaddress.ip_address(request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip())
    except ValueError:
        return ""
    return str(ipaddress.ip_network((address, 24 if address.version == 4 else 48), strict=False).network_address)


def _refusal(error: grpc.aio.AioRpcError) -> Refusal:
    trailing: Any = tuple(error.trailing_metadata() or ())
    encoded = next((value for key, value in trailing if key == "grpc-status-details-bin"), b"")
    refusal = Refusal(error.code(), error.details() or "")
    for packed in status_pb2.Status.FromString(encoded).details:
        info, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
        if packed.Is(info.DESCRIPTOR):
            packed.Unpack(info)
            refusal.reason = info.reason
        elif packed.Is(bad.DESCRIPTOR):
            packed.Unpack(bad)
            refusal.fields = {each.field: each.description for each in bad.field_violations}
        elif packed.Is(retry.DESCRIPTOR):
            packed.Unpack(retry)
            refusal.retry_after = retry.retry_delay.ToTimedelta().total_seconds()
    return refusal
