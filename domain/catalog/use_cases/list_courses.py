from dataclasses import dataclass

from domain.catalog.model import Course
from domain.catalog.ports import NewCatalogUnit
from domain.catalog.use_cases.audience import sees_drafts
from domain.shared.caller import Caller
from domain.shared.page import Page, PageRequest


@dataclass(frozen=True, slots=True)
class ListCourses:
    new_unit: NewCatalogUnit

    async def __call__(self, caller: Caller, request: PageRequest) -> Page[Course]:
        drafts = sees_drafts(caller)
        async with self.new_unit(caller.organization) as unit:
            page = await unit.courses.page(request, published_only=not drafts)
        return page if drafts else Page(tuple(each.as_published() for each in page.elements), page.next)
