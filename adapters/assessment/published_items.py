"""The newest publications in the process's memory, in front of the catalog and of what is held in case the catalog is away."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import dataclass
from time import monotonic

import structlog

from domain.assessment.model.items import Item
from domain.assessment.model.responses import CourseNotPublished, ItemNotPublished
from domain.assessment.ports import CatalogContent, HeldItems, PublishedBatch, PublishedItems
from domain.shared.errors import LimitReached, NotFound, Unavailable

log = structlog.get_logger()

_BATCH = 200
_MOST_ITEMS = 20_000
_MOST_COURSES = 5_000

_Course = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Cached:
    publication: int
    item: Item


@dataclass(frozen=True, slots=True)
class _Known:
    """The newest publication of a course, and until when that needs no asking."""

    publication: int
    fresh_until: float


class CachedPublishedItems(PublishedItems):
    """Asks the catalog at most every `fresh_seconds` for each course in use, and for each item once a publication.

    However many learners ask for the same item at once, the catalog is asked once. When the catalog is away, the newest revision
    held is served: a learner goes on practising while authors cannot publish.
    """

    def __init__(
        self,
        catalog: CatalogContent,
        held: HeldItems,
        fresh_seconds: float = 2.0,
        most_items: int = _MOST_ITEMS,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._catalog = catalog
        self._held = held
        self._fresh_seconds = fresh_seconds
        self._most_items = most_items
        self._now = now
        self._items: OrderedDict[tuple[_Course, str], _Cached] = OrderedDict()
        self._courses: OrderedDict[_Course, _Known] = OrderedDict()
        self._pulls: dict[tuple[_Course, str], asyncio.Task[Item]] = {}

    async def get(self, organization: str, course: str, item: str) -> Item:
        key = ((organization, course), item)
        known, cached = self._courses.get(key[0]), self._items.get(key)
        if known and cached and cached.publication >= known.publication and self._now() < known.fresh_until:
            self._items.move_to_end(key)
            return cached.item
        if (pull := self._pulls.get(key)) is None:
            # A task of its own: the first to ask may give up while others still wait.
            pull = self._pulls[key] = asyncio.create_task(self._pull(*key), context=Context())
            pull.add_done_callback(lambda done: self._pulled(key, done))
        return await asyncio.shield(pull)

    def _pulled(self, key: tuple[_Course, str], done: "asyncio.Task[Item]") -> None:
        del self._pulls[key]
        if not done.cancelled():
            done.exception()  # whoever still waits gets it; that nobody does is no fault

    async def _pull(self, course: _Course, item: str) -> Item:
        try:
            batch = await self._catalog.published(*course, [item])
        except (Unavailable, LimitReached) as error:
            return await self._fallback(course, item, error)
        except CourseNotPublished:
            self._courses.pop(course, None)
            raise
        await self._learn(course, [item], batch)
        if not batch.items:
            raise ItemNotPublished(f"item {item} is not in the newest publication of course {course[1]}")
        return batch.items[0]

    async def _fallback(self, course: _Course, item: str, error: Exception) -> Item:
        log.warning("the catalog is away; an item is served as last known", organization=course[0], course=course[1], item=item)
        if (cached := self._items.get((course, item))) is None:
            if (newest := await self._held.newest(*course, item)) is None:
                raise error
            cached = _Cached(*newest)
            self._cache(course, item, cached)
        return cached.item

    async def refresh(self, organization: str, course: str, number: int) -> None:
        place = (organization, course)
        known = self._courses.get(place)
        if known is None or known.publication < number:
            self._courses.pop(place, None)  # whoever asks meanwhile asks the catalog
        held = await self._held.of_course(organization, course, before=number)
        for start in range(0, len(held), _BATCH):
            asked = held[start : start + _BATCH]
            try:
                batch = await self._catalog.published(organization, course, asked)
            except NotFound:  # the course is gone; the next learner who asks is told
                return
            await self._learn(place, asked, batch)

    async def _learn(self, course: _Course, asked: Sequence[str], batch: PublishedBatch) -> None:
        items = {each.id: each for each in batch.items}
        if any(self._is_news(course, each, items.get(each), batch.number) for each in asked):
            # Held before it is served: a response finds its explanation by the revision it answered.
            await self._held.hold(*course, asked, batch)
        known = self._courses.get(course)
        self._know(course, max(batch.number, known.publication if known else 0))
        for each in asked:
            if each in items:
                self._cache(course, each, _Cached(batch.number, items[each]))
            else:
                self._items.pop((course, each), None)

    def _is_news(self, course: _Course, name: str, item: Item | None, number: int) -> bool:
        cached = self._items.get((course, name))
        return cached is None or item is None or cached.publication < number

    def _know(self, course: _Course, publication: int) -> None:
        self._courses[course] = _Known(publication, self._now() + self._fresh_seconds)
        self._courses.move_to_end(course)
        if len(self._courses) > _MOST_COURSES:
            self._courses.popitem(last=False)

    def _cache(self, course: _Course, item: str, cached: _Cached) -> None:
        self._items[(course, item)] = cached
        self._items.move_to_end((course, item))
        if len(self._items) > self._most_items:
            self._items.popitem(last=False)
