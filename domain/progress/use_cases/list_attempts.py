from dataclasses import dataclass

from domain.progress.model import Attempt
from domain.progress.ports import NewUnit
from domain.shared.caller import Caller
from domain.shared.page import Page, PageRequest


@dataclass(frozen=True, slots=True)
class ListAttempts:
    """Attempts by learner and in the order they were counted; None stands for every learner's, and for any course."""

    new_unit: NewUnit

    async def __call__(self, caller: Caller, learner: str | None, course: str | None, request: PageRequest) -> Page[Attempt]:
        async with self.new_unit(caller.organization) as unit:
            return await unit.records.attempts(learner, course, request)
