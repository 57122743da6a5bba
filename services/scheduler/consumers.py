"""What the scheduler takes from the log."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from paideia.catalog.v1.events_pb2 import CoursePublished
from paideia.progress.v1.events_pb2 import ProgressUpdated

from domain.scheduler.model import LearnerUpdate
from domain.scheduler.use_cases.apply_updates import ApplyUpdates
from domain.scheduler.use_cases.renew_pool import RenewPool
from services.scheduler.messages import update_in
from services.shared.names import id_in

PROGRESS_UPDATES = "progress.updates"
CATALOG_CHANGES = "catalog.changes"


class LogMessage(Protocol):
    @property
    def organization(self) -> str: ...

    @property
    def value(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class ProgressUpdates:
    """Applies a batch of updates, one transaction an organization. A message that is none fails its batch, which is then halved."""

    apply_updates: ApplyUpdates

    async def __call__(self, batch: Sequence[LogMessage]) -> None:
        by_organization: defaultdict[str, list[LearnerUpdate]] = defaultdict(list)
        for message in batch:
            by_organization[message.organization].append(update_in(ProgressUpdated.FromString(message.value), ""))
        for organization, updates in by_organization.items():
            await self.apply_updates(organization, updates)


@dataclass(frozen=True, slots=True)
class CatalogChanges:
    """Takes over the newest publication of each course in the batch."""

    renew_pool: RenewPool

    async def __call__(self, batch: Sequence[LogMessage]) -> None:
        newest: defaultdict[tuple[str, str], int] = defaultdict(int)
        for message in batch:
            event = CoursePublished.FromString(message.value)
            key = (message.organization, id_in(event.course, "courses", "course"))
            newest[key] = max(newest[key], event.publication)
        for (organization, course), number in newest.items():
            await self.renew_pool(organization, course, number)
