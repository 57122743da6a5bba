"""The scheduler's gRPC face: messages in, use case, message out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from grpc.aio import ServicerContext
from paideia.scheduler.v1 import scheduler_service_pb2 as pb

from domain.scheduler.model import Decision, DecisionNotFound
from domain.scheduler.use_cases.explain_decision import ExplainDecision
from domain.scheduler.use_cases.get_decision import GetDecision
from domain.scheduler.use_cases.next_items import NextItems
from domain.scheduler.use_cases.observe import Observe
from domain.scheduler.use_cases.plan_goal import PlanGoal
from domain.scheduler.use_cases.replay_decision import ReplayDecision
from domain.shared.errors import InvalidInput
from services.scheduler import goal_messages, messages
from services.scheduler.policy_servicer import PolicyServicer, PolicyUseCases
from services.shared.call import caller, learners_seen

Call: TypeAlias = "ServicerContext[Any, Any]"
MOST_UPDATES = 1_000


@dataclass(frozen=True)
class SchedulerServicer(PolicyServicer):
    """`decision_message` is how a record travels; the event that carries it defines that."""

    next_items: NextItems
    observe: Observe
    get_decision: GetDecision
    explain_decision: ExplainDecision
    replay_decision: ReplayDecision
    plan_goal: PlanGoal
    decision_message: Callable[[Decision], pb.Decision]
    policies: PolicyUseCases

    async def NextItems(self, request: pb.NextItemsRequest, context: Call) -> pb.NextItemsResponse:
        decision = await self.next_items(caller(context), messages.decision_request(request))
        return messages.next_items_response(decision)

    async def Observe(self, request: pb.ObserveRequest, context: Call) -> pb.ObserveResponse:
        if not 1 <= len(request.updates) <= MOST_UPDATES:
            raise InvalidInput.of("updates", f"must be 1 to {MOST_UPDATES:,} updates")
        updates = [messages.update_in(each, f"updates[{number}]") for number, each in enumerate(request.updates)]
        await self.observe(caller(context), updates)
        return pb.ObserveResponse()

    async def GetDecision(self, request: pb.GetDecisionRequest, context: Call) -> pb.Decision:
        return self.decision_message(await self._shown(request.name, context))

    async def ExplainDecision(self, request: pb.ExplainDecisionRequest, context: Call) -> pb.Explanation:
        audience = messages.audience_in(request.audience)
        explanation = await self.explain_decision(caller(context), messages.decision_id_in(request.name), audience)
        await self._shown(request.name, context)
        return messages.explanation_message(explanation)

    async def ReplayDecision(self, request: pb.ReplayDecisionRequest, context: Call) -> pb.ReplayDecisionResponse:
        await self._shown(request.name, context)
        replay = await self.replay_decision(caller(context), messages.decision_id_in(request.name))
        return pb.ReplayDecisionResponse(
            replayed=self.decision_message(replay.decision), identical=replay.identical, difference=replay.difference
        )

    async def _shown(self, name: str, context: Call) -> Decision:
        """The decision, if it is about somebody whom the caller sees. Raises DecisionNotFound."""
        who, decision_id = caller(context), messages.decision_id_in(name)
        decision = await self.get_decision(who, decision_id)
        if decision.learner != who.user and (seen := await learners_seen(context)) is not None and decision.learner not in seen:
            raise DecisionNotFound(f"no decision {decision_id}")
        return decision

    async def PlanGoal(self, request: pb.PlanGoalRequest, context: Call) -> pb.GoalPlan:
        return goal_messages.plan_message(await self.plan_goal(caller(context), goal_messages.plan_request(request)))
