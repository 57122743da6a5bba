"""What ingestion needs."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from domain.ingestion.shape import LearningEvent

Event_contra = TypeVar("Event_contra", bound=LearningEvent, contravariant=True)


class EventLog(Protocol[Event_contra]):
    """Keeps events for ever, each learner's in order."""

    async def append(self, organization: str, events: Sequence[Event_contra]) -> None:
        """Returns when the log has all of them. Raises Unavailable otherwise; some may be in it then. Batches never mix."""
