from dataclasses import dataclass

from domain.progress.model import Attempt
from domain.progress.ports import NewUnit
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class GetAttempt:
    """One counted answer of a learner."""

    new_unit: NewUnit

    async def __call__(self, caller: Caller, learner: str, attempt_id: str) -> Attempt:
        """Raises AttemptNotFound."""
        async with self.new_unit(caller.organization) as unit:
            return await unit.records.attempt(learner, attempt_id)
