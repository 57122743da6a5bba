from dataclasses import dataclass, replace

from domain.scheduler.decide import Asked, decide
from domain.scheduler.follow_up import FollowUp
from domain.scheduler.model import Decision, DecisionRequest, RequestIdReused
from domain.scheduler.policy import Policy
from domain.scheduler.pools import Pools
from domain.scheduler.ports import DecisionLog, HotStates, HotView, PolicyBook
from domain.scheduler.together import Case, Together
from domain.scheduler.use_cases.recall import Recall
from domain.shared.caller import Caller
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class NextItems:
    """Decides what a learner should practise next; a repeat returns the same decision. While the cache knows the learner, nothing else is
    asked before the answer."""

    hot: HotStates
    recall: Recall
    pools: Pools
    decisions: DecisionLog
    policies: PolicyBook
    together: Together
    follow_up: FollowUp
    clock: Clock

    async def __call__(self, caller: Caller, request: DecisionRequest) -> Decision:
        view = await self.hot.read(caller.organization, request.learner, request.course, request.id)
        decision = view.decision or await self._decide(caller.organization, view, request)
        if not decision.answers(request):
            raise RequestIdReused(f"request_id {request.id} was used for another request")
        return decision

    async def _decide(self, organization: str, view: HotView, request: DecisionRequest) -> Decision:
        held = await self.pools.current(organization, request.course, view.publication)
        state = view.state or await self.recall(organization, request.learner)
        assignment = await self.policies.assigned(organization, request.course, request.learner)
        difficulties, now = held.difficulties, self.clock()

        def decision_by(policy: Policy, decision_id: str) -> Decision:
            return decide(held.pool, difficulties, state, policy, replace(request, id=decision_id), now)

        decision = await self.together(Case(held.pool, difficulties, assignment.serving, Asked(request, state, now)))
        # A cache that forgot the learner may have forgotten the decision, too; the durable log has not.
        log = self.decisions.keep if view.state else self.decisions.add
        kept = await log(organization, decision)
        if kept is decision:  # nobody was quicker with the same id
            self.follow_up(organization, assignment, decision, decision_by)
        return kept
