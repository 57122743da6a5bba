"""The catalog's events on the wire."""

from google.protobuf.timestamp_pb2 import Timestamp
from paideia.catalog.v1 import events_pb2

from domain.catalog.model import CoursePublished
from domain.shared.events import EventEnvelope
from domain.shared.ids import random_id
from domain.shared.trace import current_traceparent

TOPIC = "catalog.changes"


def envelope(organization: str, event: CoursePublished) -> EventEnvelope:
    course = f"courses/{event.course}"
    publish_time = Timestamp()
    publish_time.FromDatetime(event.published_at)
    payload = events_pb2.CoursePublished(course=course, publication=event.number, publish_time=publish_time)
    return EventEnvelope(
        id=random_id(),
        type=events_pb2.CoursePublished.DESCRIPTOR.full_name,
        topic=TOPIC,
        organization=organization,
        key=course,
        occurred_at=event.published_at,
        payload=payload.SerializeToString(),
        traceparent=current_traceparent.get(),
    )
