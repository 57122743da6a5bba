from dataclasses import dataclass

from domain.catalog.model import Course, CoursePublished
from domain.catalog.ports import NewCatalogUnit
from domain.shared.caller import Caller
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class PublishCourse:
    """Pins the course's skills and the current revisions of its items as its next publication."""

    new_unit: NewCatalogUnit
    clock: Clock

    async def __call__(self, caller: Caller, course_id: str) -> Course:
        async with self.new_unit(caller.organization) as unit:
            course = await unit.courses.hold(course_id)
            graph = await unit.skills.with_ancestors(course.skills)
            publication = course.publish(graph, await unit.items.pool(course.skills), self.clock())
            await unit.publications.add(publication)
            await unit.events.add(CoursePublished(course.id, publication.number, publication.published_at))
            course = await unit.courses.get(course_id)
            await unit.commit()
        return course
