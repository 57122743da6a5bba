import asyncio
from dataclasses import dataclass

from domain.scheduler.goal import MINUTES_PER_ITEM
from domain.scheduler.goal_plan import GoalPlan, plan
from domain.scheduler.model import Goal
from domain.scheduler.pools import Pools
from domain.scheduler.ports import HotStates, PolicyBook
from domain.scheduler.use_cases.recall import Recall
from domain.shared.caller import Caller
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class GoalRequest:
    """What is to be planned for."""

    learner: str
    course: str
    goal: Goal
    minutes_per_item: float = MINUTES_PER_ITEM


@dataclass(frozen=True, slots=True)
class PlanGoal:
    """Projects a learner's way to a goal by what is known of the learner now; nothing is kept."""

    hot: HotStates
    recall: Recall
    pools: Pools
    policies: PolicyBook
    clock: Clock

    async def __call__(self, caller: Caller, request: GoalRequest) -> GoalPlan:
        known = await self.hot.states(caller.organization, [request.learner])
        state = known.get(request.learner) or await self.recall(caller.organization, request.learner)
        held = await self.pools.current(caller.organization, request.course, None)
        assignment = await self.policies.assigned(caller.organization, request.course, request.learner)
        return await asyncio.to_thread(
            plan, held.pool, state, assignment.serving, request.goal, self.clock(), request.minutes_per_item
        )
