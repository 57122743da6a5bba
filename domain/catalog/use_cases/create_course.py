from dataclasses import dataclass, replace

from domain.catalog.model import Course, missing_skills, refuse
from domain.catalog.ports import NewCatalogUnit
from domain.shared.caller import Caller
from domain.shared.clock import Clock
from domain.shared.plans import Quota, check_room


@dataclass(frozen=True, slots=True)
class CreateCourse:
    new_unit: NewCatalogUnit
    clock: Clock

    async def __call__(self, caller: Caller, course: Course) -> Course:
        refuse(course.faults())
        course = replace(course, created_at=self.clock())
        async with self.new_unit(caller.organization) as unit:
            missing_skills(course.skills, await unit.skills.find(course.skills))
            await unit.quotas.hold(Quota.COURSES)
            used = await unit.quotas.used(Quota.COURSES)
            await unit.courses.add(course)
            check_room(caller.plan, Quota.COURSES, used)
            await unit.commit()
        return course
