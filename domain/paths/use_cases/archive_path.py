from dataclasses import dataclass, replace

from domain.paths.adapting import revised
from domain.paths.model import Cause, Path, SetByTeacher, teaches
from domain.paths.ports import NewPathsUnit
from domain.paths.use_cases.keeping import keep
from domain.shared.caller import Caller
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class ArchivePath:
    new_unit: NewPathsUnit
    clock: Clock

    async def __call__(self, caller: Caller, learner: str, path_id: str, edition: int | None) -> Path:
        now = self.clock()
        async with self.new_unit(caller.organization) as unit:
            path = await unit.paths.hold(learner, path_id)
            if not teaches(caller) and path.creator != caller.user:
                raise SetByTeacher(f"the path was created by {path.creator}, who can archive it")
            if path.archived_at is not None:
                return path
            path.check_changeable(edition)
            archived = replace(path, archived_at=now)
            archived, event = revised(path, archived, Cause.ARCHIVED, f"{caller.user} archived the path", now, caller.user)
            await keep(unit, archived, event)
            await unit.commit()
        return archived
