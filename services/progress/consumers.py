"""Progress's ear on the log."""

from collections.abc import Sequence
from typing import Protocol

from google.protobuf.message import DecodeError
from paideia.ingestion.v1.events_pb2 import LearningEvent

from domain.progress.model import Verdict
from domain.shared.errors import InvalidInput
from services.progress.group_commit import Record
from services.progress.recording import record_events
from services.shared.log import LogMessage

TOPICS = ("user.attempts",)


class Message(LogMessage, Protocol):
    """What is read of a message of the log."""

    @property
    def traceparent(self) -> str: ...


class CountAttempts:
    """Counts the attempts of a batch of messages, each exactly once, however often it comes and whichever way it came first."""

    def __init__(self, record: Record) -> None:
        self._record = record

    async def __call__(self, messages: Sequence[Message]) -> None:
        """Raises InvalidInput when one of them can never be counted, after the others were; it is for the dead letters."""
        faults: list[str] = []
        by_organization: dict[str, list[tuple[LearningEvent, str]]] = {}
        for message in messages:
            try:
                event = LearningEvent.FromString(message.value)
            except DecodeError:
                faults.append("the value is no LearningEvent")
                continue
            if message.organization:
                by_organization.setdefault(message.organization, []).append((event, message.traceparent))
            else:
                faults.append("the header ce_organization is missing")
        for organization, events in by_organization.items():
            outcomes = await record_events(self._record, organization, events)
            faults += [each.reason for each in outcomes if each.verdict in (Verdict.CONFLICT, Verdict.REFUSED)]
        if faults:
            raise InvalidInput.of("event", faults[0])
