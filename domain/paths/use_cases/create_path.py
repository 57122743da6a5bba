from dataclasses import dataclass, replace

from domain.paths.adapting import revised
from domain.paths.deciding import founded, unknown_goals
from domain.paths.model import MOST_ACTIVE, Cause, Path, TooManyPaths, refuse
from domain.paths.planning import laid_out
from domain.paths.ports import CourseGraphs, MasterySource, NewPathsUnit
from domain.paths.use_cases.keeping import record
from domain.shared.caller import Caller
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class CreatePath:
    new_unit: NewPathsUnit
    graphs: CourseGraphs
    masteries: MasterySource
    clock: Clock

    async def __call__(self, caller: Caller, path: Path) -> Path:
        """`path` has its learner, id, course, goal, title and learner_may_skip; the rest comes from here."""
        now = self.clock()
        refuse(path.faults(now.date()))
        path = founded(replace(path, creator=caller.user, created_at=now), caller)
        graph = await self.graphs.newest(caller.organization, path.course)
        refuse(unknown_goals(path.goal, graph))
        path = laid_out(path, graph, await self.masteries.of(caller.organization, path.learner), now.date())
        path, created = revised(None, path, Cause.CREATED, f"{caller.user} created the path", now, caller.user)
        async with self.new_unit(caller.organization) as unit:
            if await unit.paths.hold_learner(path.learner) >= MOST_ACTIVE:
                raise TooManyPaths(f"{path.learner} has {MOST_ACTIVE} paths: archive one first")
            await unit.paths.add(path)
            await record(unit, created)
            await unit.commit()
        return path
