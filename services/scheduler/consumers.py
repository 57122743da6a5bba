"""What the scheduler takes from the log."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from paideia.progress.v1.events_pb2 import ProgressUpdated

from domain.scheduler.model import LearnerUpdate
from domain.scheduler.use_cases.apply_updates import ApplyUpdates
from services.scheduler.messages import update_in
from services.shared.log import LogMessage

PROGRESS_UPDATES = "progress.updates"


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
