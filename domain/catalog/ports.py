"""What the catalog needs of the world."""

from collections.abc import Callable, Collection, Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self

from domain.catalog.model import (
    Course,
    CoursePublished,
    Item,
    ItemFault,
    Publication,
    PublishedItem,
    Skill,
)
from domain.shared.page import Page, PageRequest
from domain.shared.plans import Quota


class SkillRepository(Protocol):
    """The skills of one organization."""

    async def get(self, skill_id: str) -> Skill:
        """Raises SkillNotFound."""
        ...

    async def find(self, skill_ids: Collection[str]) -> Mapping[str, Skill]:
        """Returns those that are there, by id."""
        ...

    async def add(self, skills: Sequence[Skill]) -> frozenset[str]:
        """Adds those whose id is free and returns the ids added."""
        ...

    async def save(self, skill: Skill) -> None:
        """Replaces a skill that is there."""
        ...

    async def hold_graph(self) -> Mapping[str, Skill]:
        """Returns every skill by id; until the unit ends no other unit gets past this call."""
        ...

    async def with_ancestors(self, skill_ids: Collection[str]) -> Mapping[str, Skill]:
        """Returns the skills and all that come before them, however far, by id."""
        ...

    async def page(self, request: PageRequest) -> Page[Skill]:
        """Returns skills ordered by id."""
        ...


class ItemRepository(Protocol):
    """The items of one organization; every revision is kept."""

    async def get(self, item_id: str) -> Item:
        """Returns the current revision, or raises ItemNotFound."""
        ...

    async def find(self, item_ids: Collection[str]) -> Mapping[str, Item]:
        """Returns the current revisions of those that are there, by id."""
        ...

    async def add(self, items: Sequence[Item]) -> frozenset[str]:
        """Adds those whose id is free and returns the ids added."""
        ...

    async def save(self, item: Item) -> None:
        """Makes it the current revision; raises ItemChangedMeanwhile unless it follows the current one."""
        ...

    async def pool(self, skill_ids: Collection[str]) -> Sequence[PublishedItem]:
        """Returns the current revision of every item whose skills are all among these."""
        ...

    async def page(self, request: PageRequest, skill_id: str | None) -> Page[Item]:
        """Returns current revisions ordered by id; with `skill_id` only of items that practise it."""
        ...


class CourseRepository(Protocol):
    """The courses of one organization."""

    async def get(self, course_id: str) -> Course:
        """Raises CourseNotFound."""
        ...

    async def hold(self, course_id: str) -> Course:
        """As get(); until the unit ends no other unit gets past this call for the course."""
        ...

    async def add(self, course: Course) -> None:
        """Raises CourseAlreadyExists."""
        ...

    async def save(self, course: Course) -> None:
        """Replaces the draft's fields of a course that is there."""
        ...

    async def page(self, request: PageRequest, published_only: bool) -> Page[Course]:
        """Returns courses ordered by id."""
        ...


class QuotaCounter(Protocol):
    """How many items and courses one organization has."""

    async def hold(self, quota: Quota) -> None:
        """Waits until nobody else is adding what the quota counts, and keeps others from it until the unit ends; before anything is added."""

    async def used(self, quota: Quota) -> int: ...


class PublicationRepository(Protocol):
    """What was published in one organization; never changed."""

    async def add(self, publication: Publication) -> None:
        """Adds it and makes it the newest of its course."""
        ...

    async def newest(self, course_id: str) -> Publication:
        """Raises CourseNotPublished."""
        ...

    async def items(self, course_id: str, item_ids: Collection[str]) -> tuple[int, Sequence[Item]]:
        """Returns the number of the newest publication and those of the items that are in it, as pinned, ordered by id.

        Raises CourseNotPublished.
        """
        ...


class EventOutbox(Protocol):
    """Takes what happened, to be published if the unit commits."""

    async def add(self, event: CoursePublished) -> None: ...


class CatalogUnit(Protocol):
    """One transaction; leaving it without commit() undoes it."""

    skills: SkillRepository
    items: ItemRepository
    courses: CourseRepository
    publications: PublicationRepository
    quotas: QuotaCounter
    events: EventOutbox

    async def commit(self) -> None: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


NewCatalogUnit = Callable[[str], CatalogUnit]
"""Returns a unit for an organization's id."""


class ItemChecker(Protocol):
    """Knows what can be served and graded."""

    async def faults(self, organization: str, items: Sequence[Item]) -> Sequence[ItemFault]:
        """Returns everything wrong with the content of up to 500 items. Raises Unavailable if it cannot tell now."""
        ...
