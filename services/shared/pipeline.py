"""What surrounds every rpc: trace, token, authorization rule, deadline, idempotency, error mapping, metrics and one log line.

Each method's handler is wrapped once, when its service registers; a call then runs through plain function calls, because grpcio's
interceptors would cost more than many a handler.
"""

from __future__ import annotations  # grpcio's classes are generic in their stubs only

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any, Protocol

import grpc
import structlog
from google.protobuf.message import DecodeError, Message
from paideia.audit.v1.events_pb2 import ActRecorded
from prometheus_client import Counter, Histogram

from domain.shared.acts import ActInProgress, act_in_progress
from domain.shared.caller import Caller, Role
from domain.shared.clock import system_clock
from domain.shared.errors import DomainError, InvalidInput, LimitReached, Unauthenticated
from domain.shared.ids import canonical_uuid
from domain.shared.network import current_forwarded_for, current_network
from domain.shared.trace import current_traceparent, trace_id
from services.shared.acts import (
    PLATFORM,
    REFUSED,
    SUCCEEDED,
    ActSink,
    NobodyListens,
    Watch,
    actor_of,
    claimed,
    envelope_of,
)
from services.shared.call import current_caller, current_sights
from services.shared.errors import LONGEST_MESSAGE, code_of, trailers_of
from services.shared.idempotency import LedgerEntry, RequestLedger, fingerprint_of, first_part_of
from services.shared.rules import MissingRule, OutOfReach, Rule
from services.shared.sights import EverybodyTeachesEverybody, Sights
from services.shared.tracing import NoCollector, Tracer

log = structlog.get_logger()

calls_total = Counter("paideia_rpc_calls_total", "Finished calls", ["method", "code"])
call_seconds = Histogram(
    "paideia_rpc_seconds",
    "Time from the first byte of the request to the last of the answer",
    ["method"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)

# A call with less time left than this cannot be answered in time: refusing it at once leaves the time to others.
_LEAST_SECONDS = 0.005
_NOT_ITS_TOKEN = Unauthenticated("the service token is not that of the workload whose certificate the call came with")
_REFUSALS = (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED)
_NO_TOKEN = Unauthenticated("send an access token as 'Authorization: Bearer ...'; sign in at POST /v1/sessions:signIn")


class Verifier(Protocol):
    async def verify(self, token: str) -> Caller:
        """Returns who the token speaks for. Raises Unauthenticated."""


@dataclass(frozen=True, slots=True)
class _Malformed:
    """Stands for a request that is not valid protobuf (or not valid UTF-8), until the handler refuses it."""

    reason: str


class Pipeline:
    """Surrounds the services that register through it."""

    def __init__(
        self,
        verifier: Verifier,
        rules: dict[str, Rule],
        ledgers: dict[str, RequestLedger] | None = None,
        fingerprint_key: bytes = b"",
        tracer: Tracer = NoCollector(),  # noqa: B008  # it has no state
        sights: Sights = EverybodyTeachesEverybody(),  # noqa: B008  # nor has this
        workload_of: Callable[[Any], str] | None = None,
        watches: Mapping[str, Watch] | None = None,
        acts: ActSink = NobodyListens(),  # noqa: B008  # nor has this
    ) -> None:
        """`rules` are by full method name; `ledgers` by full service name, for services that remember answers: bodies are compared by
        a fingerprint under `fingerprint_key`. `sights` tell whose work a teacher or a guardian sees. Where processes speak mutual TLS,
        `workload_of` names the workload that a call's certificate is for: a service token is good only from the one it names. `watches`, by full
        method name, say what the audit log is told of; what no transaction carries goes to `acts`."""
        self._watches = watches or {}
        self._acts = acts
        self._workload_of = workload_of
        self._sights = sights
        self._verifier = verifier
        self._rules = rules
        self._ledgers = ledgers or {}
        self._fingerprint_key = fingerprint_key
        self._tracer = tracer

    def around(self, server: grpc.aio.Server) -> SurroundedServer:
        """Returns what stands for the server when services register."""
        return SurroundedServer(server, self._wrapped)

    def _wrapped(self, service: str, name: str, handler: grpc.RpcMethodHandler[Any, Any]) -> grpc.RpcMethodHandler[Any, Any]:
        method = f"/{service}/{name}"
        if (rule := self._rules.get(method)) is None:
            raise MissingRule(f"{method} has no authorization rule")
        call = _Call(
            method,
            rule,
            self._verifier,
            self._ledgers.get(service),
            self._fingerprint_key,
            self._tracer,
            self._sights,
            self._workload_of,
            self._watches.get(method),
            self._acts,
        )
        deserialize = _tolerant(handler.request_deserializer)
        if handler.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(
                call.unary(handler.unary_unary, handler.response_serializer), deserialize, None
            )
        if handler.stream_stream is not None:
            return grpc.stream_stream_rpc_method_handler(
                call.stream(handler.stream_stream), deserialize, handler.response_serializer
            )
        raise TypeError(f"{method}: only unary and bidirectional rpcs are served")


class SurroundedServer:
    """Registers services with every handler wrapped, and notes their names. A service registers under its generated
    `add_..._to_server`, or not at all."""

    def __init__(self, server: grpc.aio.Server, wrap: Callable[[str, str, Any], grpc.RpcMethodHandler[Any, Any]]) -> None:
        self._server = server
        self._wrap = wrap
        self.names: set[str] = set()

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """The generated code calls this with what it then registers by name, which is where it is wrapped."""

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, grpc.RpcMethodHandler[Any, Any]]) -> None:
        wrapped = {name: self._wrap(service, name, handler) for name, handler in handlers.items()}
        # Not as registered methods: grpcio would wait for each of them with a task of its own, and look at all these tasks at every call.
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, wrapped),))
        self.names.add(service)


def _tolerant(deserialize: Any) -> Callable[[bytes], Message | _Malformed]:
    def attempt(data: bytes) -> Message | _Malformed:
        try:
            message: Message = deserialize(data)
            return message
        except DecodeError:
            return _Malformed("must be valid protobuf with valid UTF-8 texts")

    return attempt


class _Call:
    """One method's surroundings."""

    def __init__(
        self,
        method: str,
        rule: Rule,
        verifier: Verifier,
        ledger: RequestLedger | None,
        fingerprint_key: bytes,
        tracer: Tracer,
        sights: Sights,
        workload_of: Callable[[Any], str] | None,
        watch: Watch | None,
        acts: ActSink,
    ) -> None:
        self._watch = watch
        self._watched = watch is not None and (watch.changes or watch.personal)
        self._acts = acts
        self._workload_of = workload_of
        self._sights = sights
        self._method = method
        self._rule = rule
        self._verifier = verifier
        self._ledger = ledger
        self._fingerprint_key = fingerprint_key
        self._tracer = tracer
        self._seconds = call_seconds.labels(method)
        self._ok = calls_total.labels(method, "OK")

    def unary(self, behave: Any, serialize: Any) -> Any:
        async def serve(request: Message, context: Any) -> bytes:
            async def act() -> bytes:
                if (learner := self._check(request)) is not None:
                    await self._check_sight(learner)
                if self._watched:
                    self._begin(request, context)
                if self._ledger is not None and (request_id := getattr(request, "request_id", None)) is not None:
                    answer: bytes = await self._once(self._ledger, request_id, request, behave, context, serialize)
                else:
                    answer = serialize(await behave(request, context))
                if self._watched:
                    self._end(request, context)
                return answer

            return await self._surrounded(context, act, request)  # type: ignore[no-any-return]

        return serve

    def stream(self, behave: Any) -> Any:
        async def serve(requests: AsyncIterator[Message], context: Any) -> None:
            async def checked() -> AsyncIterator[Message]:
                async for request in requests:
                    if (learner := self._check(request)) is not None:
                        await self._check_sight(learner)
                    yield request

            async def act() -> None:
                async for answer in behave(checked(), context):
                    await context.write(answer)

            await self._surrounded(context, act, None)

        return serve

    def _check(self, request: Message) -> str | None:
        """Returns the learner that only the caller's sight can admit, None when the call may go on."""
        if isinstance(request, _Malformed):
            raise InvalidInput.of("request", request.reason)
        return None if self._rule.public else self._rule.other_learner(current_caller.get(), request)

    async def _check_sight(self, learner: str) -> None:
        caller = current_caller.get()
        self._rule.check_sight(caller, learner, await self._sights.of(caller.organization, caller.user))

    def _begin(self, request: Message, context: Any) -> None:
        """Has whoever commits a change record who makes it."""
        if self._watch is not None and self._watch.changes and Role.SERVICE not in (caller := current_caller.get()).roles:
            act = self._act(request, context, caller, SUCCEEDED)
            act_in_progress.set(ActInProgress(envelope_of(act, caller.organization, system_clock())))

    def _end(self, request: Message, context: Any) -> None:
        """Notes what no transaction carried: who read others' data, and changes of contexts without an outbox."""
        caller = current_caller.get()
        if (progress := act_in_progress.get()) is not None and not progress.recorded:
            self._acts.note(ActRecorded.FromString(progress.envelope.payload), caller.organization)
        if self._watch is not None and self._watch.reads_of(caller):
            self._acts.note(self._act(request, context, caller, SUCCEEDED, "READ"), caller.organization)

    def _refused(self, error: DomainError, request: Message | None, context: Any, caller: Caller | None) -> None:
        known = None if isinstance(request, _Malformed) else request
        if caller is not None:
            self._acts.note(self._act(known, context, caller, REFUSED, error.reason), caller.organization)
        elif self._watch is not None:
            # Nothing of what a stranger sends is written down but whom they claim to be.
            organization, actor = claimed(known, self._fingerprint_key) if self._rule.public else (PLATFORM, "")
            act = ActRecorded(act=self._watch.act, actor=actor, outcome=REFUSED, reason=error.reason, address=current_network())
            self._acts.note(act, organization)

    def _act(self, request: Message | None, context: Any, caller: Caller, outcome: str, reason: str = "") -> ActRecorded:
        return ActRecorded(
            act=self._watch.act if self._watch else self._method,
            actor=actor_of(caller),
            target=self._watch.target(request) if self._watch and request is not None else "",
            outcome=outcome,
            reason=reason,
            address=current_network(),
        )

    def _is_refusal(self, error: DomainError, code: grpc.StatusCode) -> bool:
        return code in _REFUSALS or isinstance(error, OutOfReach) or (self._rule.public and isinstance(error, LimitReached))

    async def _surrounded(self, context: Any, act: Callable[[], Awaitable[Any]], request: Message | None) -> Any:
        start = perf_counter()
        token = traceparent = forwarded_for = ""
        for key, value in context.invocation_metadata():
            if key == "authorization":
                token = value
            elif key == "traceparent":
                traceparent = value
            elif key == "x-forwarded-for":
                forwarded_for = value
        current_forwarded_for.set(forwarded_for)
        span = self._tracer.start(self._method, traceparent)
        current_traceparent.set(span.traceparent)
        code = grpc.StatusCode.OK
        caller: Caller | None = None
        try:
            remaining = context.time_remaining()
            if remaining is not None and remaining < _LEAST_SECONDS:
                code = grpc.StatusCode.DEADLINE_EXCEEDED
                await context.abort(code, "the call arrived with too little time left to answer it")
            if not self._rule.public:
                if token[:7].lower() != "bearer ":
                    raise _NO_TOKEN
                caller = await self._verifier.verify(token[7:])
                if self._workload_of is not None and Role.SERVICE in caller.roles and self._workload_of(context) != caller.user:
                    raise _NOT_ITS_TOKEN
                self._rule.check_roles(caller)
                current_caller.set(caller)
                current_sights.set(self._sights)
            return await act()
        except DomainError as error:
            code = code_of(error)
            if self._is_refusal(error, code):
                self._refused(error, request, context, caller)
            await context.abort(code, error.message[:LONGEST_MESSAGE], trailers_of(error))
        except (asyncio.CancelledError, grpc.aio.AbortError):
            if code is grpc.StatusCode.OK:
                code = grpc.StatusCode.CANCELLED
            raise
        except Exception:
            code = grpc.StatusCode.INTERNAL
            trace = trace_id(current_traceparent.get())
            log.exception("a call failed for a fault of ours", method=self._method, trace_id=trace)
            await context.abort(code, f"something went wrong here; it is on record under trace {trace}")
        finally:
            seconds = perf_counter() - start
            span.end(code.name)
            self._seconds.observe(seconds)
            (self._ok if code is grpc.StatusCode.OK else calls_total.labels(self._method, code.name)).inc()
            # What contexts ask each other is many times what people do, and is counted above.
            quiet = caller is not None and Role.SERVICE in caller.roles and code is grpc.StatusCode.OK
            (log.debug if quiet else log.info)(
                "call",
                method=self._method,
                code=code.name,
                ms=round(seconds * 1000, 2),
                trace_id=trace_id(current_traceparent.get()),
                organization=caller.organization if caller else "",
            )

    async def _once(
        self, ledger: RequestLedger, request_id: str, request: Message, behave: Any, context: Any, serialize: Any
    ) -> bytes:
        organization = current_caller.get().organization
        fingerprint = fingerprint_of(request, self._fingerprint_key)
        open_entry = partial(ledger.entry, organization, self._method, canonical_uuid(request_id, "request_id"), fingerprint)
        act: Callable[[], Awaitable[Any]] = partial(behave, request, context)
        if (first_part := first_part_of(behave)) is not None:
            if (known := await self._known(open_entry)) is not None:
                return known
            try:
                act = await first_part(request, context)
            except DomainError:
                # Another of the same id may have done it meanwhile, which this one then was refused for.
                if (known := await self._known(open_entry)) is not None:
                    return known
                raise
        async with open_entry() as entry:
            if entry.answer is not None:
                act_in_progress.set(None)  # it was done, and recorded, when it was asked for first
                return entry.answer
            answer: bytes = serialize(await act())
            await entry.remember(answer)
            return answer

    @staticmethod
    async def _known(open_entry: Callable[[], AbstractAsyncContextManager[LedgerEntry]]) -> bytes | None:
        async with open_entry() as entry:
            if entry.answer is not None:
                act_in_progress.set(None)
            return entry.answer
