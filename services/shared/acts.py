"""What of each call the audit log is told: acts that change something with their change, the rest through a bounded buffer.

Recorded are: every change that is not a learner's own work; refusals of callers that may not, or that did not prove who they are; and reading
of other people's data by whoever administers. docs/audit.md tells it to auditors.
"""

import asyncio
import hmac
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import Protocol

import structlog
from google.api import annotations_pb2
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from paideia.audit.v1.events_pb2 import ActRecorded
from paideia.auth.v1 import rule_pb2
from prometheus_client import Counter

from domain.shared.caller import Caller, Role
from domain.shared.clock import Clock
from domain.shared.errors import Unavailable
from domain.shared.events import EventEnvelope
from domain.shared.ids import random_id
from domain.shared.trace import current_traceparent

log = structlog.get_logger()

TOPIC = "audit.acts"
PLATFORM = "-"
"""Whose act it is when no organization is known."""
SUCCEEDED, REFUSED = "SUCCEEDED", "REFUSED"

_MOST_KINDS = 1_000
_FLUSH_SECONDS = 0.5
_NAME = re.compile(r"[A-Za-z0-9._~/-]{1,300}")
_VARIABLE = re.compile(r"\{([a-z_.]+)=")
_ORGANIZATION = re.compile(r"(?:organizations/)?([A-Za-z0-9][A-Za-z0-9._~-]{0,127})")
_ADMINISTRATION = frozenset({Role.ADMIN, Role.OPERATOR})

noted = Counter("paideia_audit_acts_total", "Acts by how they went on their way to the audit log", ["way"])


@dataclass(frozen=True, slots=True)
class Watch:
    """What the audit log wants to know of one rpc. `collection` is what it creates in, for requests that name no resource."""

    act: str
    changes: bool
    personal: bool
    name_path: tuple[str, ...] = ()
    collection: str = ""
    id_field: str = ""

    def target(self, request: Message) -> str:
        """The name of what the request is about, as far as it says."""
        if self.name_path:
            name = str(reduce(getattr, self.name_path, request))
        elif self.id_field:
            name = f"{self.collection}/{getattr(request, self.id_field)}"
        else:
            return self.collection
        return name if _NAME.fullmatch(name) else ""

    def reads_of(self, caller: Caller) -> bool:
        """Whether it is to be recorded that this caller read."""
        return self.personal and not _ADMINISTRATION.isdisjoint(caller.roles)


def watch_of(method: MethodDescriptor) -> Watch:
    rule: rule_pb2.Rule = method.GetOptions().Extensions[rule_pb2.rule]  # type: ignore[index]  # the stub types it as a descriptor
    http = method.GetOptions().Extensions[annotations_pb2.http]
    path = http.get or http.post or http.patch or http.put or http.delete
    variable = _VARIABLE.search(path)
    first = path.removeprefix("/v1/").partition("/")[0].partition(":")[0] if path else ""
    fields = method.input_type.fields_by_name
    made = method.name.removeprefix("Create")
    id_field = re.sub(r"(?<!^)(?=[A-Z])", "_", made).lower() + "_id"
    return Watch(
        act=f"{method.full_name.split('.')[1]}.{method.name}",
        changes="request_id" in fields and not rule.own and rule_pb2.ROLE_PUBLIC not in rule.allow,
        personal=rule.personal,
        name_path=tuple(variable[1].split(".")) if variable else (),
        collection=first,
        id_field=id_field if made != method.name and id_field in fields else "",
    )


def watches_of(service: ServiceDescriptor) -> dict[str, Watch]:
    """What is wanted of every rpc, by its full method name."""
    return {f"/{service.full_name}/{method.name}": watch_of(method) for method in service.methods}


class ActSink(Protocol):
    def note(self, act: ActRecorded, organization: str) -> None:
        """Has an act recorded that no transaction carries, as well as can be. Never blocks."""


class NobodyListens:
    """For a process without an audit log."""

    def note(self, act: ActRecorded, organization: str) -> None:
        return None


class BufferedActs:
    """Brings acts to the log twice a second. Those alike become one that counts them; beyond a thousand kinds at a time, the rest are one,
    so that a flood of refusals costs a bounded amount of everything. While the log is away, what has been noted waits."""

    def __init__(self, send: Callable[[Sequence[EventEnvelope]], Awaitable[None]], clock: Clock) -> None:
        self._send = send
        self._clock = clock
        self._waiting: dict[tuple[str, ...], tuple[EventEnvelope, ActRecorded]] = {}
        self._under_way: list[EventEnvelope] = []

    def note(self, act: ActRecorded, organization: str) -> None:
        key: tuple[str, ...] = (organization, act.actor, act.act, act.target, act.outcome, act.reason, act.address)
        if key not in self._waiting and len(self._waiting) >= _MOST_KINDS:
            act, organization = ActRecorded(act="audit.Overflow", outcome=REFUSED, count=act.count), PLATFORM
            key = (PLATFORM, act.act)
        if (known := self._waiting.get(key)) is not None:
            known[1].count += act.count or 1
            return
        act.count = act.count or 1
        self._waiting[key] = envelope_of(act, organization, self._clock()), act

    async def run(self) -> None:
        """Runs until cancelled, and then sends what is left."""
        try:
            while True:
                await asyncio.sleep(_FLUSH_SECONDS)
                await self.flush()
        finally:
            await self.flush()

    async def flush(self) -> None:
        """Sends what did not get through before what was noted since: part of it may have arrived, and its ids make it count once."""
        while self._under_way or self._waiting:
            if not self._under_way:
                self._under_way = [_with_payload(envelope, act) for envelope, act in self._waiting.values()]
                self._waiting = {}
            try:
                await self._send(self._under_way)
            except Unavailable as error:
                log.warning("the log is away; acts wait", waiting=len(self._under_way) + len(self._waiting), error=error.message)
                return
            noted.labels("buffered").inc(len(self._under_way))
            self._under_way = []


def envelope_of(act: ActRecorded, organization: str, now: datetime) -> EventEnvelope:
    occurred = Timestamp()
    occurred.FromDatetime(now)
    act.occur_time.CopyFrom(occurred)
    return EventEnvelope(
        id=random_id(),
        type=ActRecorded.DESCRIPTOR.full_name,
        topic=TOPIC,
        organization=organization,
        key="acts",
        occurred_at=now,
        payload=act.SerializeToString(),
        traceparent=current_traceparent.get(),
    )


def _with_payload(envelope: EventEnvelope, act: ActRecorded) -> EventEnvelope:
    return EventEnvelope(
        envelope.id,
        envelope.type,
        envelope.topic,
        envelope.organization,
        envelope.key,
        envelope.occurred_at,
        act.SerializeToString(),
        envelope.traceparent,
    )


def actor_of(caller: Caller) -> str:
    return f"{'services' if Role.SERVICE in caller.roles else 'users'}/{caller.user}"


def claimed(request: object, key: bytes) -> tuple[str, str]:
    """Returns the organization and the actor that a request without a token claims: a login as a keyed hash, because people type passwords
    into the wrong field."""
    organization = _ORGANIZATION.fullmatch(str(getattr(request, "organization", "")))
    login = str(getattr(request, "login", "") or getattr(request, "email", ""))
    where = organization[1] if organization else PLATFORM
    if not login:
        return where, ""
    return where, f"claims/{hmac.digest(key, f'{where}/{login.casefold()}'.encode(), 'sha256').hex()[:24]}"
