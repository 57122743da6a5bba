"""Receipts as messages."""

from collections.abc import Sequence

from paideia.ingestion.v1.ingestion_service_pb2 import RefusedEvent

from domain.ingestion.model import Refusal


def refused_messages(refused: Sequence[Refusal]) -> list[RefusedEvent]:
    return [RefusedEvent(index=each.index, id=each.id, field=each.field, description=each.description) for each in refused]
