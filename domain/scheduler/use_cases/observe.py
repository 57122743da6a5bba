from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from domain.scheduler.model import LearnerUpdate
from domain.scheduler.ports import HotStates
from domain.scheduler.state import LearnerState
from domain.scheduler.use_cases.recall import Recall
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class Observe:
    """Puts updates into the hot states at once, each only right after the one before it; the log makes them durable.

    What comes after a gap is left to the log, which delivers everything in order, repairs of which nobody told here included.
    """

    hot: HotStates
    recall: Recall

    async def __call__(self, caller: Caller, updates: Sequence[LearnerUpdate]) -> None:
        by_learner = {
            learner: sorted(own, key=lambda each: each.version)
            for learner, own in groupby(sorted(updates, key=lambda each: each.learner), lambda each: each.learner)
        }
        known = await self.hot.states(caller.organization, list(by_learner))
        changed: dict[str, LearnerState] = {}
        for learner, own in by_learner.items():
            state = known.get(learner)
            if state is None or own[0].sequence > state.sequence + 1:  # forgotten, or left behind: what is durable may be further
                state = await self.recall(caller.organization, learner)
            after = state.after(state.following(own))
            if after is not state:
                changed[learner] = after
        await self.hot.keep(caller.organization, changed)
