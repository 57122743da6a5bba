from dataclasses import dataclass

from domain.catalog.graph import refuse_cycle
from domain.catalog.model import Skill, SkillChange, SkillNotFound, missing_skills, refuse
from domain.catalog.ports import NewCatalogUnit
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class UpdateSkill:
    new_unit: NewCatalogUnit

    async def __call__(self, caller: Caller, skill_id: str, change: SkillChange) -> Skill:
        async with self.new_unit(caller.organization) as unit:
            # Two changes that are harmless apart could close a cycle together, so they take turns.
            skills = dict(await unit.skills.hold_graph())
            if skill_id not in skills:
                raise SkillNotFound(f"no skill {skill_id}")
            skill = skills[skill_id] = skills[skill_id].changed(change)
            refuse(skill.faults())
            missing_skills(skill.prerequisites, skills)
            refuse_cycle({each.id: each.prerequisites for each in skills.values()}, "skill.prerequisites")
            await unit.skills.save(skill)
            await unit.commit()
        return skill
