from dataclasses import dataclass

from domain.scheduler.model import Decision
from domain.scheduler.ports import DecisionLog
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class GetDecision:
    """Returns the record of a decision."""

    decisions: DecisionLog

    async def __call__(self, caller: Caller, decision_id: str) -> Decision:
        return await self.decisions.get(caller.organization, decision_id)
