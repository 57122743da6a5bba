"""The catalog in memory: the same promises as the real store, for tests and trials."""

import asyncio
import copy
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self, TypeVar

from domain.catalog.model import (
    Course,
    CourseAlreadyExists,
    CourseNotFound,
    CourseNotPublished,
    CoursePublished,
    Edition,
    Item,
    ItemChangedMeanwhile,
    ItemNotFound,
    Publication,
    PublishedItem,
    Skill,
    SkillNotFound,
)
from domain.catalog.ports import (
    CatalogUnit,
    CourseRepository,
    EventOutbox,
    ItemRepository,
    PublicationRepository,
    QuotaCounter,
    SkillRepository,
)
from domain.shared.page import Page, PageRequest
from domain.shared.plans import Quota


@dataclass
class MemoryState:
    """One organization's catalog. Every value is immutable, so a copy of the containers is a snapshot."""

    skills: dict[str, Skill] = field(default_factory=dict)
    items: dict[str, Item] = field(default_factory=dict)
    revisions: dict[tuple[str, int], Item] = field(default_factory=dict)
    courses: dict[str, Course] = field(default_factory=dict)
    publications: dict[str, tuple[Publication, ...]] = field(default_factory=dict)
    events: tuple[CoursePublished, ...] = ()

    def snapshot(self) -> "MemoryState":
        return MemoryState(*(copy.copy(getattr(self, name)) for name in self.__dataclass_fields__))


class MemoryCatalog:
    """Every organization's catalog; units on it run one at a time."""

    def __init__(self) -> None:
        self.states: dict[str, MemoryState] = defaultdict(MemoryState)
        self.turn = asyncio.Lock()

    def unit(self, organization: str) -> "MemoryCatalogUnit":
        return MemoryCatalogUnit(self, organization)


class MemorySkills(SkillRepository):
    def __init__(self, state: MemoryState) -> None:
        self._state = state

    async def get(self, skill_id: str) -> Skill:
        if skill_id not in self._state.skills:
            raise SkillNotFound(f"no skill {skill_id}")
        return self._state.skills[skill_id]

    async def find(self, skill_ids: Collection[str]) -> Mapping[str, Skill]:
        return _those_there(self._state.skills, skill_ids)

    async def add(self, skills: Sequence[Skill]) -> frozenset[str]:
        new = {each.id: each for each in skills if each.id not in self._state.skills}
        self._state.skills.update(new)
        return frozenset(new)

    async def save(self, skill: Skill) -> None:
        self._state.skills[skill.id] = skill

    async def hold_graph(self) -> Mapping[str, Skill]:
        return dict(self._state.skills)

    async def with_ancestors(self, skill_ids: Collection[str]) -> Mapping[str, Skill]:
        found: dict[str, Skill] = {}
        waiting = list(skill_ids)
        while waiting:
            skill = self._state.skills.get(waiting.pop())
            if skill and skill.id not in found:
                found[skill.id] = skill
                waiting.extend(skill.prerequisites)
        return found

    async def page(self, request: PageRequest) -> Page[Skill]:
        return _page(self._state.skills.values(), request)


class MemoryItems(ItemRepository):
    def __init__(self, state: MemoryState) -> None:
        self._state = state

    async def get(self, item_id: str) -> Item:
        if item_id not in self._state.items:
            raise ItemNotFound(f"no item {item_id}")
        return self._state.items[item_id]

    async def find(self, item_ids: Collection[str]) -> Mapping[str, Item]:
        return _those_there(self._state.items, item_ids)

    async def add(self, items: Sequence[Item]) -> frozenset[str]:
        new = [each for each in items if each.id not in self._state.items]
        for each in new:
            self._keep(each)
        return frozenset(each.id for each in new)

    async def save(self, item: Item) -> None:
        current = self._state.items.get(item.id)
        if current is None or current.revision != item.revision - 1:
            raise ItemChangedMeanwhile(f"item {item.id} got another revision meanwhile")
        self._keep(item)

    def _keep(self, item: Item) -> None:
        self._state.items[item.id] = self._state.revisions[item.id, item.revision] = item

    async def pool(self, skill_ids: Collection[str]) -> Sequence[PublishedItem]:
        inside = [each for each in self._state.items.values() if set(each.skills) <= set(skill_ids)]
        return [PublishedItem(each.id, each.revision, each.skills) for each in sorted(inside, key=lambda item: item.id)]

    async def page(self, request: PageRequest, skill_id: str | None) -> Page[Item]:
        return _page((each for each in self._state.items.values() if skill_id in (None, *each.skills)), request)


class MemoryQuotaCounter(QuotaCounter):
    def __init__(self, state: MemoryState) -> None:
        self._state = state

    async def hold(self, quota: Quota) -> None:
        """Units take turns."""

    async def used(self, quota: Quota) -> int:
        return len(self._state.courses if quota is Quota.COURSES else self._state.items)


class MemoryCourses(CourseRepository):
    def __init__(self, state: MemoryState) -> None:
        self._state = state

    async def get(self, course_id: str) -> Course:
        if course_id not in self._state.courses:
            raise CourseNotFound(f"no course {course_id}")
        return self._state.courses[course_id]

    async def hold(self, course_id: str) -> Course:
        return await self.get(course_id)

    async def add(self, course: Course) -> None:
        if course.id in self._state.courses:
            raise CourseAlreadyExists(f"there is a course {course.id} already")
        self._state.courses[course.id] = course

    async def save(self, course: Course) -> None:
        edition = self._state.courses[course.id].edition
        self._state.courses[course.id] = replace(course, edition=edition)

    async def page(self, request: PageRequest, published_only: bool) -> Page[Course]:
        return _page((each for each in self._state.courses.values() if each.edition or not published_only), request)


class MemoryPublications(PublicationRepository):
    def __init__(self, state: MemoryState) -> None:
        self._state = state

    async def add(self, publication: Publication) -> None:
        course = self._state.courses[publication.course]
        earlier = self._state.publications.get(course.id, ())
        self._state.publications[course.id] = (*earlier, publication)
        edition = Edition(
            number=publication.number,
            published_at=publication.published_at,
            title=publication.title,
            description=publication.description,
            skills=tuple(each.id for each in publication.skills),
            item_count=len(publication.items),
            fingerprint=publication.fingerprint(),
        )
        self._state.courses[course.id] = replace(course, edition=edition)

    async def newest(self, course_id: str) -> Publication:
        if course_id not in self._state.publications:
            raise CourseNotPublished(f"course {course_id} has no publication")
        return self._state.publications[course_id][-1]

    async def items(self, course_id: str, item_ids: Collection[str]) -> tuple[int, Sequence[Item]]:
        publication = await self.newest(course_id)
        wanted = set(item_ids)
        return publication.number, [
            self._state.revisions[each.id, each.revision] for each in publication.items if each.id in wanted
        ]


class MemoryEvents(EventOutbox):
    def __init__(self, state: MemoryState) -> None:
        self._state = state

    async def add(self, event: CoursePublished) -> None:
        self._state.events = (*self._state.events, event)


class MemoryCatalogUnit(CatalogUnit):
    def __init__(self, catalog: MemoryCatalog, organization: str) -> None:
        self._catalog = catalog
        self._organization = organization

    async def __aenter__(self) -> Self:
        await self._catalog.turn.acquire()
        self._state = self._catalog.states[self._organization].snapshot()
        self.skills = MemorySkills(self._state)
        self.items = MemoryItems(self._state)
        self.courses = MemoryCourses(self._state)
        self.publications = MemoryPublications(self._state)
        self.quotas = MemoryQuotaCounter(self._state)
        self.events = MemoryEvents(self._state)
        return self

    async def commit(self) -> None:
        self._catalog.states[self._organization] = self._state

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._catalog.turn.release()


Value = TypeVar("Value")
Listed = TypeVar("Listed", Skill, Item, Course)


def _those_there(all_of_them: Mapping[str, Value], ids: Collection[str]) -> dict[str, Value]:
    return {each: all_of_them[each] for each in ids if each in all_of_them}


def _page(elements: Iterable[Listed], request: PageRequest) -> Page[Listed]:
    after = request.after[0] if request.after else ""
    rest = sorted((each for each in elements if each.id > after), key=lambda element: element.id)
    page = tuple(rest[: request.size])
    return Page(page, (page[-1].id,) if len(rest) > request.size else None)
