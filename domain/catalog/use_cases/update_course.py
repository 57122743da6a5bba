from dataclasses import dataclass

from domain.catalog.model import Course, CourseChange, missing_skills, refuse
from domain.catalog.ports import NewCatalogUnit
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class UpdateCourse:
    """Changes the draft of a course; learners see it with the next publication."""

    new_unit: NewCatalogUnit

    async def __call__(self, caller: Caller, course_id: str, change: CourseChange) -> Course:
        async with self.new_unit(caller.organization) as unit:
            course = (await unit.courses.hold(course_id)).changed(change)
            refuse(course.faults())
            missing_skills(course.skills, await unit.skills.find(course.skills))
            await unit.courses.save(course)
            await unit.commit()
        return course
