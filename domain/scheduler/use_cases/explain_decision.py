from dataclasses import dataclass

from domain.scheduler.explain import Audience, Explanation, explain
from domain.scheduler.model import AudienceForbidden, DecisionNotFound
from domain.scheduler.policies import PolicyNotFound
from domain.scheduler.policy import Policy
from domain.scheduler.ports import DecisionLog, PolicyBook
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class ExplainDecision:
    """Says in plain words why a decision chose what it chose. To a learner, others' decisions do not exist."""

    decisions: DecisionLog
    policies: PolicyBook

    async def __call__(self, caller: Caller, decision_id: str, audience: Audience) -> Explanation:
        if audience is not Audience.LEARNER and not caller.may_see_others():
            raise AudienceForbidden(f"an explanation for {audience} needs the role TEACHER or ADMIN")
        decision = await self.decisions.get(caller.organization, decision_id)
        if decision.learner != caller.user and not caller.may_see_others():
            raise DecisionNotFound(f"no decision {decision_id}")
        return explain(decision, audience, await self._policy_of(caller.organization, decision.policy_version))

    async def _policy_of(self, organization: str, version: str) -> Policy | None:
        try:
            return await self.policies.version(organization, version)
        except PolicyNotFound:  # the record alone explains most of it
            return None
