from dataclasses import dataclass

from domain.paths.adapting import revised
from domain.paths.deciding import changed, unknown_goals
from domain.paths.model import Cause, Path, PathChange, refuse
from domain.paths.planning import laid_out
from domain.paths.ports import CourseGraphs, MasterySource, NewPathsUnit
from domain.paths.use_cases.keeping import keep
from domain.shared.caller import Caller
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class UpdatePath:
    """Changes the goal, the date or the minutes, and plans anew."""

    new_unit: NewPathsUnit
    graphs: CourseGraphs
    masteries: MasterySource
    clock: Clock

    async def __call__(self, caller: Caller, learner: str, path_id: str, change: PathChange, edition: int | None) -> Path:
        now = self.clock()
        async with self.new_unit(caller.organization) as unit:
            course = (await unit.paths.get(learner, path_id)).course
        graph = await self.graphs.newest(caller.organization, course)
        mastery = await self.masteries.of(caller.organization, learner)
        async with self.new_unit(caller.organization) as unit:
            path = await unit.paths.hold(learner, path_id)
            path.check_changeable(edition)
            after = changed(path, change, caller)
            fields = change.fields()
            # A date that has passed meanwhile does not keep anybody from changing something else.
            refuse([each for each in after.faults(now.date()) if each.field.removeprefix("path.") in fields])
            refuse(unknown_goals(after.goal, graph) if change.skills is not None else [])
            after = laid_out(after, graph, mastery, now.date())
            lead = f"{caller.user} changed {', '.join(sorted(fields))}"
            after, event = revised(path, after, Cause.UPDATED, lead, now, caller.user)
            await keep(unit, after, event)
            await unit.commit()
        return after
