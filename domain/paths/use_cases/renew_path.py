from dataclasses import dataclass

from domain.paths.adapting import revised
from domain.paths.graph import CourseGraph
from domain.paths.model import Cause, LearnerMastery, Path
from domain.paths.planning import laid_out, replanned
from domain.paths.ports import CourseGraphs, MasterySource, NewPathsUnit
from domain.paths.use_cases.keeping import keep
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class RenewPath:
    """Plans a path anew from the newest publication and mastery, unless that was done since. Raises what their sources raise."""

    new_unit: NewPathsUnit
    graphs: CourseGraphs
    masteries: MasterySource
    clock: Clock

    async def __call__(self, organization: str, learner: str, path_id: str, course: str, publication: int = 0) -> Path:
        """A `publication` renews a path that was planned from an earlier one; without, one that was planned on an earlier day."""
        graph = await self.graphs.newest(organization, course, publication)
        return await self._renew(organization, learner, path_id, (graph, await self.masteries.of(organization, learner)))

    async def dates(self, organization: str, learner: str, path_id: str) -> Path:
        """Plans anew from what the path knows: the sources are not asked."""
        return await self._renew(organization, learner, path_id, None)

    async def _renew(
        self, organization: str, learner: str, path_id: str, news: tuple[CourseGraph, LearnerMastery] | None
    ) -> Path:
        now = self.clock()
        async with self.new_unit(organization) as unit:
            path = await unit.paths.hold(learner, path_id)
            published = news is not None and path.publication < news[0].number
            if path.archived_at is not None or (path.planned_on >= now.date() and not published):
                return path
            renewed = laid_out(path, *news, now.date()) if news else replanned(path, now.date())
            lead = f"The course was published anew (publication {renewed.publication})" if published else "A new day"
            renewed, event = revised(path, renewed, Cause.PUBLICATION if published else Cause.DAY, lead, now)
            await keep(unit, renewed, event)
            await unit.commit()
        return renewed
