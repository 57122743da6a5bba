"""Kafka in: the catalog's publications, so that new items are at hand before learners ask."""

from collections.abc import Sequence
from typing import Protocol

from google.protobuf.message import DecodeError
from paideia.catalog.v1 import events_pb2

from domain.assessment.use_cases.learn_publication import LearnPublication
from domain.shared.errors import InvalidInput
from services.shared.names import id_in


class Message(Protocol):
    """A message of the log, as far as it matters here."""

    @property
    def organization(self) -> str: ...

    @property
    def value(self) -> bytes: ...


class PublicationConsumer:
    """Handles `catalog.changes`. Learning a publication twice, or an old one after a newer, changes nothing."""

    def __init__(self, learn: LearnPublication) -> None:
        self._learn = learn

    async def __call__(self, batch: Sequence[Message]) -> None:
        newest: dict[tuple[str, str], int] = {}
        for message in batch:
            course, number = _publication(message.value)
            place = (message.organization, course)
            newest[place] = max(number, newest.get(place, 0))
        for (organization, course), number in newest.items():
            await self._learn(organization, course, number)


def _publication(value: bytes) -> tuple[str, int]:
    try:
        event = events_pb2.CoursePublished.FromString(value)
    except DecodeError as error:
        raise InvalidInput.of("value", "must be a CoursePublished") from error
    return id_in(event.course, "courses", "course"), event.publication
