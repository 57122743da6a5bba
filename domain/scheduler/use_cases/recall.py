from dataclasses import dataclass

from domain.scheduler.ports import HotStates, NewUnit
from domain.scheduler.state import LearnerState


@dataclass(frozen=True, slots=True)
class Recall:
    """Reads a learner's durable state and makes it hot."""

    new_unit: NewUnit
    hot: HotStates

    async def __call__(self, organization: str, learner: str) -> LearnerState:
        async with self.new_unit(organization) as unit:
            states = await unit.states.of([learner])
        await self.hot.keep(organization, states)
        return states[learner]
