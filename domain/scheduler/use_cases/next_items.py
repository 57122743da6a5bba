from dataclasses import dataclass

from domain.scheduler.decide import decide
from domain.scheduler.model import Decision, DecisionRequest, RequestIdReused
from domain.scheduler.policy import Policy
from domain.scheduler.pools import Pools
from domain.scheduler.ports import DecisionLog, HotStates
from domain.scheduler.use_cases.recall import Recall
from domain.shared.caller import Caller
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class NextItems:
    """Decides what a learner should practise next; the decision is durable before it is answered, and a repeat returns it."""

    hot: HotStates
    recall: Recall
    pools: Pools
    decisions: DecisionLog
    policy: Policy
    clock: Clock

    async def __call__(self, caller: Caller, request: DecisionRequest) -> Decision:
        view = await self.hot.read(caller.organization, request.learner, request.course)
        held = await self.pools.current(caller.organization, request.course, view.publication)
        state = view.state or await self.recall(caller.organization, request.learner)
        decision = decide(held.pool, held.difficulties, state, self.policy, request, self.clock())
        kept = await self.decisions.add(caller.organization, decision)
        if not kept.answers(request):
            raise RequestIdReused(f"request_id {request.id} was used for another request")
        return kept
