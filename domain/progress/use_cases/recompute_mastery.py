from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from domain.progress.model import Ability, Attempt, LearnerState, Mastery, MasteryRecomputed
from domain.progress.ports import NewUnit, ProgressUnit
from domain.progress.recomputation import Difference, Order, Recomputation
from domain.progress.standing import mastery
from domain.progress.versions import ModelVersions
from domain.psychometrics.response_model import ItemEvidence
from domain.shared.caller import Caller
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class Recomputed:
    """What recomputing a learner found: `mastery` is the recomputed one, `repaired` says whether anything was changed."""

    mastery: Mastery
    without_evidence: int
    difference_count: int
    differences: Sequence[Difference]
    repaired: bool


@dataclass(frozen=True, slots=True)
class RecomputeMastery:
    """Rebuilds a learner's state from the log of attempts, and repairs what differs unless it shall only look.

    The learner goes on answering while the attempts that were there at the beginning are read; an answer waits only for those that came
    meanwhile to be read, and for the repair.
    """

    new_unit: NewUnit
    models: ModelVersions
    clock: Clock

    async def __call__(self, caller: Caller, learner: str, order: Order, validate_only: bool = False) -> Recomputed:
        """Raises ModelVersionNotFound if an attempt was counted by a version that is not here."""
        async with self.new_unit(caller.organization) as unit:
            records = unit.records
            await records.recompute_alone(learner)
            known = await records.learner(learner)
            reordered = {Order.AS_IT_STANDS: known.reordered, Order.COUNTED: 0, Order.OCCURRED: known.attempt_count}[order]
            found = Recomputation(self.models, known, reordered)
            await _take(found, unit, records.log(learner, 0, reordered, by_occurrence=True), validate_only)
            await _take(found, unit, records.log(learner, reordered, known.attempt_count), validate_only)
            stored = await records.learner(learner, hold=True)
            await _take(found, unit, records.log(learner, max(reordered, known.attempt_count), None), validate_only)
            state = found.compared(stored)
            repair = found.repairable and not validate_only
            if repair:
                await records.repair(state)
                if found.newest:
                    await unit.events.add([await self._event(unit, state, found.newest)])
                await unit.commit()
        now = mastery(self.models.live, state if repair or validate_only else stored, self.clock())
        return Recomputed(now, found.without_evidence, found.difference_count, found.differences, repair)

    async def _event(self, unit: ProgressUnit, state: LearnerState, newest: Attempt) -> MasteryRecomputed:
        item = newest.answer.item
        evidence = (await unit.records.items([item])).get(item, ItemEvidence())
        return MasteryRecomputed(
            newest,
            state.revision,
            tuple([state.skills[each].mastery for each in sorted(state.skills)]),
            tuple([Ability.of(each, state.courses[each].ability) for each in sorted(state.courses)]),
            self.models.live.response.difficulty(evidence),
        )


async def _take(found: Recomputation, unit: ProgressUnit, log: AsyncIterator[Sequence[Attempt]], validate_only: bool) -> None:
    async for attempts in log:
        unknown = {each.answer.item for each in attempts if each.evidence is None}
        corrected = found.take(attempts, await unit.records.items(unknown) if unknown else {})
        if corrected and not validate_only:
            await unit.records.correct(corrected)
