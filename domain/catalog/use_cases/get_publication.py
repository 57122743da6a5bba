from dataclasses import dataclass

from domain.catalog.model import Publication
from domain.catalog.ports import NewCatalogUnit
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class GetPublication:
    """Returns the newest publication of a course."""

    new_unit: NewCatalogUnit

    async def __call__(self, caller: Caller, course_id: str) -> Publication:
        async with self.new_unit(caller.organization) as unit:
            return await unit.publications.newest(course_id)
