"""What the catalog tells of courses, for the contexts that follow it."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from google.protobuf.message import DecodeError
from paideia.catalog.v1.events_pb2 import CoursePublished

from domain.shared.errors import InvalidInput
from services.shared.log import LogMessage
from services.shared.names import id_in

CATALOG_CHANGES = "catalog.changes"


@dataclass(frozen=True, slots=True)
class Publications:
    """Handles `catalog.changes`: has the newest publication of each course in a batch followed, by organization, course and number. To follow
    one twice, or an old one after a newer, must change nothing."""

    follow: Callable[[str, str, int], Awaitable[object]]

    async def __call__(self, batch: Sequence[LogMessage]) -> None:
        """Raises InvalidInput for a batch with a message that is no publication."""
        newest: defaultdict[tuple[str, str], int] = defaultdict(int)
        for message in batch:
            course, number = _publication(message.value)
            place = (message.organization, course)
            newest[place] = max(newest[place], number)
        for (organization, course), number in newest.items():
            await self.follow(organization, course, number)


def _publication(value: bytes) -> tuple[str, int]:
    try:
        event = CoursePublished.FromString(value)
    except DecodeError as error:
        raise InvalidInput.of("value", "must be a CoursePublished") from error
    return id_in(event.course, "courses", "course"), event.publication
