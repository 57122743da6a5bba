"""Batches of learning events, and the rules as what examines them."""

from collections.abc import Iterable

from paideia.ingestion.v1.events_pb2 import LearningEvent
from paideia.ingestion.v1.ingestion_service_pb2 import IngestEventsRequest

from domain.ingestion.rules import Fault, examine


def batch(events: Iterable[LearningEvent]) -> IngestEventsRequest:
    return IngestEventsRequest(events=events)


def by_rules(batch: IngestEventsRequest, latest: float) -> list[LearningEvent | Fault]:
    return [examine(each, latest) for each in batch.events]
