"""Receipts as messages."""

from collections.abc import Sequence
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration
from paideia.ingestion.v1.ingestion_service_pb2 import RefusedEvent

from domain.ingestion.model import Refusal


def refused_messages(refused: Sequence[Refusal]) -> list[RefusedEvent]:
    return [RefusedEvent(index=each.index, id=each.id, field=each.field, description=each.description) for each in refused]


def correction_message(correction: timedelta) -> Duration | None:
    """Returns None, an absent field, when nothing was corrected."""
    if not correction:
        return None
    message = Duration()
    message.FromTimedelta(correction)
    return message
