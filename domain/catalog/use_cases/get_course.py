from dataclasses import dataclass

from domain.catalog.model import Course
from domain.catalog.ports import NewCatalogUnit
from domain.catalog.use_cases.audience import sees_drafts
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class GetCourse:
    new_unit: NewCatalogUnit

    async def __call__(self, caller: Caller, course_id: str) -> Course:
        async with self.new_unit(caller.organization) as unit:
            course = await unit.courses.get(course_id)
        return course if sees_drafts(caller) else course.as_published()
