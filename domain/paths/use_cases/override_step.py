from dataclasses import dataclass

from domain.paths.adapting import revised
from domain.paths.deciding import check_form, overridden, told, withdrawn
from domain.paths.model import Cause, Override, OverrideKind, Path
from domain.paths.planning import laid_out
from domain.paths.ports import CourseGraphs, MasterySource, NewPathsUnit
from domain.paths.use_cases.keeping import keep
from domain.shared.caller import Caller
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class OverrideCommand:
    """What somebody asks for: to set an override, or to withdraw it."""

    kind: OverrideKind
    skills: tuple[str, ...]
    note: str = ""
    withdraw: bool = False
    edition: int | None = None


@dataclass(frozen=True, slots=True)
class OverrideStep:
    """Sets or withdraws an override, and plans anew."""

    new_unit: NewPathsUnit
    graphs: CourseGraphs
    masteries: MasterySource
    clock: Clock

    async def __call__(self, caller: Caller, learner: str, path_id: str, command: OverrideCommand) -> Path:
        now = self.clock()
        override = Override(command.kind, command.skills, caller.user, now, command.note)
        check_form(override, command.withdraw)
        async with self.new_unit(caller.organization) as unit:
            course = (await unit.paths.get(learner, path_id)).course
        graph = await self.graphs.newest(caller.organization, course)
        mastery = await self.masteries.of(caller.organization, learner)
        async with self.new_unit(caller.organization) as unit:
            path = await unit.paths.hold(learner, path_id)
            path.check_changeable(command.edition)
            # On the publication that the override is about, which may be newer than the one the path was planned from.
            current = laid_out(path, graph, mastery, now.date())
            decided: Override | None = override
            if command.withdraw:
                after, decided = withdrawn(current, override, caller)
            else:
                after = overridden(current, override, caller, graph)
            if decided is None or after is current:
                return path
            after = laid_out(after, graph, mastery, now.date())
            lead = told(decided, command.withdraw, graph, caller.user)
            after, event = revised(path, after, Cause.OVERRIDDEN, lead, now, caller.user)
            await keep(unit, after, event)
            await unit.commit()
        return after
