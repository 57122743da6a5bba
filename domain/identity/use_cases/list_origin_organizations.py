"""Whose pages are at an origin."""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.identity.people_settings import is_origin
from domain.identity.ports import NewPlatformUnit


@dataclass(frozen=True, slots=True)
class ListOriginOrganizations:
    """Returns the ids of the organizations that let pages of the origin use the API; none for what is no origin."""

    new_platform_unit: NewPlatformUnit

    async def __call__(self, origin: str) -> Sequence[str]:
        if not is_origin(origin):
            return []
        async with self.new_platform_unit() as unit:
            return await unit.origins.allowing(origin)
