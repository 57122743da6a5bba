"""Brings the items in use up to date when a course has a new publication."""

from dataclasses import dataclass

from domain.assessment.ports import PublishedItems


@dataclass(frozen=True, slots=True)
class LearnPublication:
    items: PublishedItems

    async def __call__(self, organization: str, course: str, number: int) -> None:
        await self.items.refresh(organization, course, number)
