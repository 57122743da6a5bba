from dataclasses import dataclass

from domain.paths.ports import NewPathsUnit
from domain.paths.use_cases.renew_path import RenewPath
from domain.shared.page import PageRequest

_PAGE = 200


@dataclass(frozen=True, slots=True)
class FollowPublication:
    """Plans the paths of a course anew when it is published anew, each in a transaction of its own; a repeat goes on where it stopped."""

    new_unit: NewPathsUnit
    renew: RenewPath

    async def __call__(self, organization: str, course: str, number: int) -> None:
        request: PageRequest | None = PageRequest(_PAGE)
        while request is not None:
            async with self.new_unit(organization) as unit:
                page = await unit.paths.outdated(course, number, request)
            for learner, path_id in page.elements:
                await self.renew(organization, learner, path_id, course, number)
            request = PageRequest(_PAGE, page.next) if page.next else None
