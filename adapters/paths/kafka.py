"""The event of paths on the wire."""

from google.protobuf.timestamp_pb2 import Timestamp
from paideia.paths.v1 import events_pb2

from domain.paths.model import PathAdapted, StepStatus
from domain.shared.events import EventEnvelope
from domain.shared.ids import random_id
from domain.shared.trace import current_traceparent

TOPIC = "paths.changes"


def envelope(organization: str, event: PathAdapted) -> EventEnvelope:
    path, revision = event.path, event.revision
    revision_time = Timestamp()
    revision_time.FromDatetime(revision.at)
    payload = events_pb2.PathAdapted(
        path=path.name,
        course=f"courses/{path.course}",
        revision=revision.number,
        cause=f"REVISION_CAUSE_{revision.cause}",
        reason=revision.reason,
        user=f"users/{revision.by}" if revision.by else "",
        state=f"PATH_STATE_{path.state}",
        verdict=f"VERDICT_{path.feasibility.verdict}",
        steps_left=sum(each.left for each in path.steps),
        steps_done=sum(each.status is StepStatus.DONE for each in path.steps),
        revision_time=revision_time,
    )
    return EventEnvelope(
        id=random_id(),
        type=events_pb2.PathAdapted.DESCRIPTOR.full_name,
        topic=TOPIC,
        organization=organization,
        key=f"learners/{path.learner}",
        occurred_at=revision.at,
        payload=payload.SerializeToString(),
        traceparent=current_traceparent.get(),
    )
