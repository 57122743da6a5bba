"""What the audit log takes from the log: acts as they are, and what identity says has happened."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from paideia.audit.v1.events_pb2 import ActRecorded
from paideia.identity.v1 import events_pb2 as identity

from domain.audit.model import Act, Outcome
from domain.audit.use_cases.record_acts import RecordActs
from domain.shared.trace import trace_id
from services.shared.log import LogMessage

ACTS = "audit.acts"
IDENTITY_EVENTS = "identity.events"

_TOLD_OTHERWISE = {identity.SightChanged.DESCRIPTOR.full_name}
"""Follows from an act of somebody's, which is recorded itself."""
_TRIED = ("_REPLAYED", "_REUSED", "_COPIED")
_OF_THE_USER = ("SIGNED_IN", "SIGN_IN_CHALLENGED")


class Event(LogMessage, Protocol):
    """An event with all that its act is made of."""

    @property
    def event_id(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def traceparent(self) -> str: ...
    @property
    def sent_at(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Acts:
    """Records a batch, one transaction an organization. A message that is none fails its batch, which is then halved.

    Then it rests for so many seconds: what comes meanwhile is the next batch, with one transaction and one signature for all of it.
    """

    record_acts: RecordActs
    rest: float = 0.0

    async def __call__(self, batch: Sequence[Event]) -> None:
        by_organization: defaultdict[str, list[Act]] = defaultdict(list)
        for message in batch:
            if message.type not in _TOLD_OTHERWISE:
                by_organization[message.organization].append(act_in(message))
        for organization, acts in by_organization.items():
            await self.record_acts(organization, acts)
        await asyncio.sleep(self.rest)


def act_in(message: Event) -> Act:
    """Returns the act that a message tells of. Raises ValueError or DecodeError if it tells of none."""
    if message.type == ActRecorded.DESCRIPTOR.full_name:
        event = ActRecorded.FromString(message.value)
        return Act(
            message.event_id,
            event.occur_time.ToDatetime(UTC),
            event.actor,
            event.act,
            event.target,
            Outcome(event.outcome),
            event.reason,
            event.address,
            trace_id(message.traceparent),
            event.count or 1,
        )
    return _happened(message)


def _happened(message: Event) -> Act:
    """An event of identity, of whatever type: types that come later are recorded by their name."""
    kind = descriptor_pool.Default().FindMessageTypeByName(message.type)
    event: Message = message_factory.GetMessageClass(kind).FromString(message.value)
    notice = getattr(event, "notice", "")
    user = getattr(event, "user", "")
    name = "".join(word.title() for word in notice.split("_")) if notice else kind.name
    outcome = Outcome.SUCCEEDED
    if notice.endswith(_TRIED):
        outcome = Outcome.REFUSED
    elif notice == "SIGN_IN_CHALLENGED":
        outcome = Outcome.CHALLENGED
    return Act(
        message.event_id,
        _time_of(event) or datetime.fromtimestamp(message.sent_at, UTC),
        user if notice in _OF_THE_USER else "",
        f"identity.{name}",
        user or getattr(event, "signing_key", "") or getattr(event, "plan", ""),
        outcome,
        reason=getattr(event, "session", ""),
        address=getattr(event, "network", ""),
        trace_id=trace_id(message.traceparent),
    )


def _time_of(event: Message) -> datetime | None:
    times = [value for _, value in event.ListFields() if isinstance(value, Timestamp)]
    return times[0].ToDatetime(UTC) if times else None
