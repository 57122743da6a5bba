"""Calls to other contexts: channels, service tokens, deadlines, retries, and their refusals as typed errors again."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar, cast

import grpc
import orjson
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from adapters.shared.mesh import MeshCertificates, server_name
from adapters.shared.renewed_channel import RenewedChannel
from adapters.shared.service_tokens import sign_service_token
from domain.shared.errors import (
    AlreadyExists,
    Conflict,
    DomainError,
    FieldViolation,
    Forbidden,
    InvalidInput,
    LimitReached,
    NotAllowedNow,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from domain.shared.trace import current_traceparent

Stub = TypeVar("Stub")
Answer = TypeVar("Answer")
Metadata = tuple[tuple[str, str], ...]

_KINDS: dict[grpc.StatusCode, type[DomainError]] = {
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExists,
    grpc.StatusCode.FAILED_PRECONDITION: NotAllowedNow,
    grpc.StatusCode.ABORTED: Conflict,
    grpc.StatusCode.PERMISSION_DENIED: Forbidden,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
}
_AWAY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)
_TOKEN_SECONDS = 240

# A call that never reached a handler is repeated with jittered back-off; the throttle is the retry budget of the channel.
_SERVICE_CONFIG = orjson.dumps(
    {
        "methodConfig": [
            {
                "name": [{}],
                "retryPolicy": {
                    "maxAttempts": 3,
                    "initialBackoff": "0.05s",
                    "maxBackoff": "0.5s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ],
        "retryThrottling": {"maxTokens": 20, "tokenRatio": 0.2},
    }
).decode()
_OPTIONS = (
    ("grpc.service_config", _SERVICE_CONFIG),
    ("grpc.enable_retries", 1),
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.keepalive_time_ms", 30_000),
)


class Breaker:
    """Stops calling a target that keeps failing, and lets one call in every `cool_off` seconds find out whether it is back."""

    def __init__(self, failures: int = 5, cool_off: float = 1.0, now: Callable[[], float] = time.monotonic) -> None:
        self._limit = failures
        self._cool_off = cool_off
        self._now = now
        self._failed = 0
        self._probe_at = 0.0

    @property
    def tripped(self) -> bool:
        """Whether the target was away when it was last called."""
        return self._failed >= self._limit

    def check(self) -> None:
        """Raises Unavailable while the target is given a rest; otherwise the caller must call it, for no other will."""
        if self.tripped:
            if self._now() < self._probe_at:
                raise Unavailable("the service is away", timedelta(seconds=self._cool_off))
            self._probe_at = self._now() + self._cool_off

    def succeeded(self) -> None:
        self._failed = 0

    def failed(self) -> None:
        self._failed += 1
        self._probe_at = self._now() + self._cool_off


class Channels:
    """The channels to other contexts, opened when first used; `caller` is the workload that calls. With `mesh` they are mutual TLS."""

    def __init__(
        self,
        targets: Mapping[str, str],
        mesh_key: bytes,
        caller: str,
        clock: Callable[[], datetime],
        mesh: MeshCertificates | None = None,
    ) -> None:
        self._mesh = mesh
        self._targets = targets
        self._mesh_key = mesh_key
        self._caller = caller
        self._clock = clock
        self._channels: dict[str, RenewedChannel] = {}
        self._stubs: dict[tuple[object, str], Any] = {}
        self._breakers: dict[str, Breaker] = {}
        self._tokens: dict[str, tuple[float, str]] = {}

    def stub(self, stub_class: Callable[[grpc.aio.Channel], Stub], context: str) -> Stub:
        """Returns a stub on the channel to a context. Raises KeyError naming a context whose address is not set."""
        if (stub_class, context) not in self._stubs:
            if context not in self._channels:
                self._channels[context] = RenewedChannel(partial(self._open, context, self._targets[context]))
            # What stands for the channel has all that a stub asks of one.
            self._stubs[stub_class, context] = stub_class(cast(grpc.aio.Channel, self._channels[context]))
        stub: Stub = self._stubs[stub_class, context]
        return stub

    async def renew(self) -> None:
        """Opens every channel anew, with the certificates that are there now; no call is lost."""
        for channel in self._channels.values():
            channel.renew()

    def _open(self, context: str, target: str) -> grpc.aio.Channel:
        if self._mesh is None:
            return grpc.aio.insecure_channel(target, options=_OPTIONS)
        return grpc.aio.secure_channel(target, self._mesh.channel_credentials(), options=(*_OPTIONS, server_name(context)))

    def metadata(self, organization: str) -> Metadata:
        """Returns what authenticates a call for an organization and carries the trace on."""
        now = time.monotonic()
        expires, token = self._tokens.get(organization, (0.0, ""))
        if expires < now:
            token = sign_service_token(self._mesh_key, self._caller, organization, self._clock())
            if len(self._tokens) > 10_000:
                self._tokens.clear()
            self._tokens[organization] = (now + _TOKEN_SECONDS, token)
        trace = current_traceparent.get()
        authorization = ("authorization", f"Bearer {token}")
        return (authorization, ("traceparent", trace)) if trace else (authorization,)

    async def call(
        self,
        context: str,
        method: Callable[..., Awaitable[Answer]],
        request: Message,
        organization: str,
        timeout: float = 5.0,
    ) -> Answer:
        """Calls a stub's method for an organization: deadline, circuit breaker, and DomainError instead of AioRpcError."""
        breaker = self._breakers.setdefault(context, Breaker())
        breaker.check()
        try:
            answer = await method(request, metadata=self.metadata(organization), timeout=timeout)
        except grpc.aio.AioRpcError as error:
            if error.code() in _AWAY:
                breaker.failed()
            else:
                breaker.succeeded()
            raise domain_error(error) from error
        breaker.succeeded()
        return answer

    async def close(self) -> None:
        for channel in list(self._channels.values()):  # a call in flight may still open one
            await channel.close(grace=1)


def domain_error(error: grpc.aio.AioRpcError) -> Exception:
    """Returns the refusal that a server sent, typed as it was raised there, or the error itself if it was none."""
    code, message = error.code(), error.details() or ""
    details = _details(error)
    if code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.OUT_OF_RANGE):
        bad = details.get(error_details_pb2.BadRequest.DESCRIPTOR.full_name)
        found = bad.field_violations if isinstance(bad, error_details_pb2.BadRequest) else ()
        return InvalidInput([FieldViolation(each.field, each.description) for each in found] or [FieldViolation("", message)])
    if code in _AWAY or code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        retry = details.get(error_details_pb2.RetryInfo.DESCRIPTOR.full_name)
        delay = retry.retry_delay.ToTimedelta() if isinstance(retry, error_details_pb2.RetryInfo) else timedelta(seconds=1)
        kind = LimitReached if code is grpc.StatusCode.RESOURCE_EXHAUSTED else Unavailable
        return kind(message, delay)
    if code not in _KINDS:
        return error
    typed = _KINDS[code](message)
    info = details.get(error_details_pb2.ErrorInfo.DESCRIPTOR.full_name)
    if isinstance(info, error_details_pb2.ErrorInfo):
        typed.reason = info.reason
    return typed


def _details(error: grpc.aio.AioRpcError) -> dict[str, Message]:
    trailing: Sequence[tuple[str, Any]] = tuple(error.trailing_metadata() or ())
    encoded = next((value for key, value in trailing if key == "grpc-status-details-bin"), b"")
    unpacked: dict[str, Message] = {}
    for packed in status_pb2.Status.FromString(encoded).details:
        for kind in (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, error_details_pb2.RetryInfo):
            if packed.Is(kind.DESCRIPTOR):
                message = kind()
                packed.Unpack(message)
                unpacked[kind.DESCRIPTOR.full_name] = message
    return unpacked
