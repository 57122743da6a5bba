import asyncio
from dataclasses import dataclass

from domain.scheduler.ports import DecisionLog, NewHistory, PolicyBook
from domain.scheduler.replay import Inputs, Replay, must_be_replayable, replay
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class ReplayDecision:
    """Makes a decision again from what is stored and compares it with its record."""

    decisions: DecisionLog
    new_history: NewHistory
    policies: PolicyBook

    async def __call__(self, caller: Caller, decision_id: str) -> Replay:
        record = await self.decisions.get(caller.organization, decision_id)
        must_be_replayable(record)
        policy = await self.policies.version(caller.organization, record.policy_version)
        async with self.new_history(caller.organization) as history:
            publication = await history.publications.numbered(record.course, record.publication)
            updates = await history.updates.of(record.learner, record.learner_sequence)
            epochs = await history.epochs.between(record.course, 0, record.difficulty_epoch)
        # A learner with very many attempts takes a moment; other requests go on meanwhile.
        return await asyncio.to_thread(replay, record, Inputs(publication, updates, epochs, policy))
