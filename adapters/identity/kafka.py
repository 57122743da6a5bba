"""Identity's events as they go to the log."""

from collections.abc import Sequence
from datetime import datetime
from uuid import uuid4

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from paideia.identity.v1 import events_pb2 as pb

from domain.identity.events import (
    IdentityEvent,
    PlanChanged,
    PrivacyOrdered,
    SecurityNoticed,
    SessionRevoked,
    SightChanged,
    SigningKeyMade,
    TokenRevoked,
    UserCreated,
    UserDeactivated,
)
from domain.shared.events import EventEnvelope
from domain.shared.network import current_network
from domain.shared.trace import current_traceparent

TOPIC = "identity.events"
ORDERS = "privacy.orders"
# Every process reads TOPIC. Notices come with every sign-in and mean something to the audit log only.
NOTICES = "audit.acts"


def envelopes(events: Sequence[IdentityEvent], organization: str) -> list[EventEnvelope]:
    traceparent = current_traceparent.get()
    return [_envelope(event, organization, traceparent) for event in events]


def _envelope(event: IdentityEvent, organization: str, traceparent: str) -> EventEnvelope:
    message = _message(event, organization)
    return EventEnvelope(
        id=str(uuid4()),
        type=message.DESCRIPTOR.full_name,
        topic=_topic(event),
        organization=organization,
        key=_subject(event),
        occurred_at=event.at,
        payload=message.SerializeToString(),
        traceparent=traceparent,
    )


def _topic(event: IdentityEvent) -> str:
    match event:
        case PrivacyOrdered():
            return ORDERS
        case SecurityNoticed():
            return NOTICES
        case _:
            return TOPIC


def _subject(event: IdentityEvent) -> str:
    match event:
        case PrivacyOrdered():
            return f"privacyJobs/{event.job}"
        case SigningKeyMade():
            return f"signingKeys/{event.key}"
        case PlanChanged():
            return "plan"
        case _:
            return f"users/{event.user}"


def _message(event: IdentityEvent, organization: str) -> Message:
    at = _timestamp(event.at)
    if isinstance(event, SigningKeyMade):
        return pb.SigningKeyMade(signing_key=_subject(event), make_time=at, sign_time=_timestamp(event.signs_from))
    if isinstance(event, PlanChanged):
        return pb.OrganizationPlanChanged(
            organization=f"organizations/{organization}",
            change_time=at,
            plan=f"plans/{event.plan}",
            plan_before=f"plans/{event.before}",
        )
    user = f"users/{event.user}"
    match event:
        case UserCreated():
            return pb.UserCreated(user=user, create_time=at)
        case UserDeactivated():
            return pb.UserDeactivated(user=user, deactivate_time=at)
        case SessionRevoked():
            session = f"sessions/{event.session}" if event.session else ""
            return pb.SessionRevoked(user=user, revoke_time=at, session=session, network=current_network())
        case TokenRevoked():
            return pb.SessionRevoked(user=user, revoke_time=at, session=f"tokens/{event.token}", network=current_network())
        case SightChanged():
            return pb.SightChanged(user=user, change_time=at, organization=f"organizations/{organization}")
        case PrivacyOrdered():
            pseudonym = f"users/{event.pseudonym}" if event.pseudonym else ""
            return pb.PrivacyOrdered(
                privacy_job=f"privacyJobs/{event.job}", kind=event.kind, user=user, pseudonym=pseudonym, order_time=at
            )
        case SecurityNoticed():
            return pb.SecurityNoticed(user=user, notice_time=at, notice=event.notice, network=current_network())


def _timestamp(moment: datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(moment)
    return timestamp
