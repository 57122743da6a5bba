from collections.abc import Sequence
from dataclasses import dataclass, replace

from domain.catalog.graph import refuse_cycle
from domain.catalog.model import Skill, SkillAlreadyExists, missing_skills, refuse, repeated_ids
from domain.catalog.ports import NewCatalogUnit
from domain.shared.caller import Caller
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class CreateSkills:
    """Creates skills, all or none; they may be prerequisites of each other in any order."""

    new_unit: NewCatalogUnit
    clock: Clock

    async def __call__(
        self, caller: Caller, skills: Sequence[Skill], paths: Sequence[str], skip_existing: bool = False
    ) -> list[Skill]:
        """`paths` come before the fields of each skill in faults. With `skip_existing` those that exist are returned as they are."""
        refuse([fault for each, at in zip(skills, paths, strict=True) for fault in each.faults(at)])
        refuse(repeated_ids([each.id for each in skills], lambda index: f"{paths[index]}skill_id"))
        # Nothing that exists can need a skill that does not: a cycle could only lie among the new ones.
        new = {each.id: replace(each, created_at=self.clock()) for each in skills}
        async with self.new_unit(caller.organization) as unit:
            there = await unit.skills.find({*new, *(before for each in skills for before in each.prerequisites)})
            if taken := sorted(new.keys() & there) if not skip_existing else []:
                raise SkillAlreadyExists(f"there is a skill {', '.join(taken[:20])} already")
            refuse_cycle(
                {each.id: each.prerequisites for each in skills if each.id not in there},
                f"{paths[0]}skill.prerequisites" if len(paths) == 1 else "requests",
            )
            missing_skills((before for each in skills for before in each.prerequisites), {*there, *new})
            added = await unit.skills.add([each for each in new.values() if each.id not in there])
            there = await unit.skills.find(new.keys())
            if not skip_existing and len(added) < len(new):  # somebody was quicker
                raise SkillAlreadyExists(f"there is a skill {', '.join(sorted(new.keys() - added)[:20])} already")
            await unit.commit()
        return [there[each.id] for each in skills]
