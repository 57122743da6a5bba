"""Signed heads on the wire."""

from datetime import datetime

from paideia.audit.v1 import events_pb2

from domain.audit.model import Head
from domain.shared.events import EventEnvelope
from domain.shared.ids import random_id

TOPIC = "audit.heads"


def envelope(organization: str, head: Head, at: datetime) -> EventEnvelope:
    payload = events_pb2.HeadSigned(sequence=head.sequence, signature=head.signature)
    return EventEnvelope(
        id=random_id(),
        type=events_pb2.HeadSigned.DESCRIPTOR.full_name,
        topic=TOPIC,
        organization=organization,
        key="heads",
        occurred_at=at,
        payload=payload.SerializeToString(),
    )
