from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from domain.paths.adapting import measured, revised
from domain.paths.model import Cause, MasteryUpdate
from domain.paths.ports import NewPathsUnit
from domain.paths.use_cases.keeping import keep
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class ApplyUpdates:
    """Adapts learners' paths to what their attempts say of their mastery, each attempt once, in one transaction."""

    new_unit: NewPathsUnit
    clock: Clock

    async def __call__(self, organization: str, updates: Sequence[MasteryUpdate]) -> None:
        by_learner: defaultdict[str, list[MasteryUpdate]] = defaultdict(list)
        for update in updates:
            by_learner[update.learner].append(update)
        now = self.clock()
        async with self.new_unit(organization) as unit:
            for path in await unit.paths.hold_of(by_learner):
                after = measured(path, by_learner[path.learner], now)
                if after is not path:
                    await keep(unit, *revised(path, after, Cause.MASTERY, "Mastery changed", now))
            await unit.commit()
