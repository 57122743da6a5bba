"""Identity's events as they go to the log."""

from collections.abc import Sequence
from uuid import uuid4

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from paideia.identity.v1 import events_pb2 as pb

from domain.identity.events import IdentityEvent, SecurityNoticed, SessionRevoked, SightChanged, UserCreated, UserDeactivated
from domain.shared.events import EventEnvelope
from domain.shared.trace import current_traceparent

TOPIC = "identity.events"


def envelopes(events: Sequence[IdentityEvent], organization: str) -> list[EventEnvelope]:
    traceparent = current_traceparent.get()
    return [_envelope(event, organization, traceparent) for event in events]


def _envelope(event: IdentityEvent, organization: str, traceparent: str) -> EventEnvelope:
    message = _message(event, organization)
    return EventEnvelope(
        id=str(uuid4()),
        type=message.DESCRIPTOR.full_name,
        topic=TOPIC,
        organization=organization,
        key=f"users/{event.user}",
        occurred_at=event.at,
        payload=message.SerializeToString(),
        traceparent=traceparent,
    )


def _message(event: IdentityEvent, organization: str) -> Message:
    user, at = f"users/{event.user}", Timestamp()
    at.FromDatetime(event.at)
    match event:
        case UserCreated():
            return pb.UserCreated(user=user, create_time=at)
        case UserDeactivated():
            return pb.UserDeactivated(user=user, deactivate_time=at)
        case SessionRevoked():
            return pb.SessionRevoked(user=user, revoke_time=at, session=f"sessions/{event.session}" if event.session else "")
        case SightChanged():
            return pb.SightChanged(user=user, change_time=at, organization=f"organizations/{organization}")
        case SecurityNoticed():
            return pb.SecurityNoticed(user=user, notice_time=at, notice=event.notice)
