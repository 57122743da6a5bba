from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from domain.scheduler.model import LearnerUpdate, ProgressUpdate
from domain.scheduler.ports import HotStates, NewHistory, NewUnit


@dataclass(frozen=True, slots=True)
class ApplyUpdates:
    """Makes updates from the log durable, each once, in one transaction, and refreshes the hot states.

    The log has each learner's updates in order, so a gap means that some were lost to the dead letters: the rest count all the same.
    """

    new_unit: NewUnit
    hot: HotStates
    new_history: NewHistory

    async def __call__(self, organization: str, updates: Sequence[LearnerUpdate]) -> None:
        by_learner: defaultdict[str, list[LearnerUpdate]] = defaultdict(list)
        for update in updates:
            by_learner[update.learner].append(update)
        # First of all what states are made of: so a durable state can always be made again.
        async with self.new_history(organization) as history:
            await history.updates.add(updates)
            await history.commit()
        async with self.new_unit(organization) as unit:
            states = await unit.states.of(by_learner)
            after = {learner: states[learner].after(own) for learner, own in by_learner.items()}
            if changed := {learner: state for learner, state in after.items() if state is not states[learner]}:
                await unit.states.save(changed)
                await unit.difficulties.save(
                    {each.item: each.item_difficulty for each in updates if isinstance(each, ProgressUpdate)}
                )
                await unit.commit()
        # Also what did not change: who committed it may have died before the cache had it.
        await self.hot.keep(organization, after)
