"""The compiled pools of this process, each of the newest publication known."""

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from domain.scheduler.decide import Difficulties
from domain.scheduler.difficulties import DifficultyChain
from domain.scheduler.model import Publication
from domain.scheduler.pool import Pool, compiled
from domain.scheduler.ports import HotStates, NewHistory, NewUnit, PublicationSource
from domain.shared.clock import Clock

MOST_POOLS = 128
# Difficulties drift slowly: a decision may know those of a few seconds ago.
REFRESH = timedelta(seconds=15)
# How often the catalog is asked for the newest number of a course in use: the event that tells of a publication may be late or lost.
ASK_AGAIN = timedelta(seconds=5)
# How long this process trusts what it holds when the cache cannot say which publication is the newest.
TRUST = timedelta(seconds=3)


@dataclass(slots=True)
class HeldPool:
    """A pool with what changes beside it: when its difficulties were read, when the catalog was asked for a newer one, and when which
    number was looked for last."""

    pool: Pool
    chain: DifficultyChain
    difficulties: Difficulties
    refreshed_at: datetime
    asked_at: datetime
    checked_at: datetime
    looked_for: int = 0

    def serves(self, known_number: int | None, now: datetime) -> bool:
        """Whether it may be served without a look at the stores. A number that could not be found is looked for again after a while."""
        if known_number is not None and self.pool.number >= known_number:
            return True
        return now - self.checked_at <= TRUST and (known_number or 0) <= self.looked_for


@dataclass(slots=True)
class Pools:
    """Loads from the unit what this process does not hold, and from the catalog what the unit does not; each once at a time."""

    new_unit: NewUnit
    source: PublicationSource
    hot: HotStates
    clock: Clock
    new_history: NewHistory
    _held: OrderedDict[tuple[str, str], HeldPool] = field(default_factory=OrderedDict)
    _loading: dict[tuple[str, str], "asyncio.Task[HeldPool]"] = field(default_factory=dict)
    _background: set["asyncio.Task[None]"] = field(default_factory=set)

    async def current(self, organization: str, course: str, known_number: int | None) -> HeldPool:
        """Returns the pool of the newest publication; `known_number` is what the cache says it is, None if it does not.

        Raises CourseNotPublished, or Unavailable when it must be pulled and cannot.
        """
        key = (organization, course)
        held = self._held.get(key)
        now = self.clock()
        if held is None or not held.serves(known_number, now):
            held = await self._single_flight(key, known_number or 1)
        elif len(self._held) > 1:
            self._held.move_to_end(key)
        if now - held.refreshed_at > REFRESH:
            held.refreshed_at = now  # at once, so that only one request starts it
            self._later(self._refresh(organization, held))
        if now - held.asked_at > ASK_AGAIN:
            held.asked_at = now
            self._later(self._ask(key, held.pool.number))
        return held

    async def renew(self, organization: str, course: str, number: int) -> None:
        """Takes note that a publication was made: pulls it, keeps it, and tells every process through the cache."""
        await self._single_flight((organization, course), number)

    async def _single_flight(self, key: tuple[str, str], at_least: int) -> HeldPool:
        task = self._loading.get(key)
        if task is None:
            task = self._loading[key] = asyncio.create_task(self._load(*key, at_least))
            task.add_done_callback(lambda _: self._loading.pop(key, None))
        held = await asyncio.shield(task)
        # Whoever asked before may have asked for less.
        return held if held.pool.number >= at_least else await self._load(*key, at_least)

    async def _load(self, organization: str, course: str, at_least: int) -> HeldPool:
        async with self.new_unit(organization) as unit:
            number = await unit.publications.newest_number(course)
        held = self._held.get((organization, course))
        if number < at_least:
            publication = await self._pull(organization, course)
            held = await self._compile(organization, publication)
        elif held is None or held.pool.number < number:
            async with self.new_unit(organization) as unit:
                stored = await unit.publications.newest(course)
            held = await self._compile(organization, stored or await self._pull(organization, course))
        held.checked_at, held.looked_for = self.clock(), at_least
        self._held[organization, course] = held
        while len(self._held) > MOST_POOLS:
            self._held.popitem(last=False)
        await self.hot.keep_publication(organization, course, held.pool.number)
        return held

    async def _pull(self, organization: str, course: str) -> Publication:
        publication = await self.source.newest(organization, course)
        async with self.new_unit(organization) as unit:
            await unit.publications.save(publication)
            await unit.commit()
        return publication

    async def _compile(self, organization: str, publication: Publication) -> HeldPool:
        # Thousands of items take a moment to compile; other requests go on meanwhile.
        pool = await asyncio.to_thread(compiled, publication)
        now = self.clock()
        held = HeldPool(pool, DifficultyChain(), Difficulties.unknown(pool), refreshed_at=now, asked_at=now, checked_at=now)
        await self._refresh(organization, held)
        return held

    async def _refresh(self, organization: str, held: HeldPool) -> None:
        async with self.new_unit(organization) as unit:
            known = await unit.difficulties.of(held.pool.items)
        course = held.pool.course
        async with self.new_history(organization) as history:
            held.chain = held.chain.after(await history.epochs.between(course, held.chain.number))
            following = held.chain.following(known)
            # Whose number another process took meanwhile is made again at the next refresh.
            if following and await history.epochs.add(course, following):
                await history.commit()
                held.chain = held.chain.after([following])
        held.difficulties = held.chain.of(held.pool)

    async def _ask(self, key: tuple[str, str], known: int) -> None:
        if (number := await self.source.newest_number(*key)) > known:
            await self._single_flight(key, number)

    def _later(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._background.discard(task)
        # What is held serves until the next attempt; the error is taken so that nobody reports it as forgotten.
        if not task.cancelled():
            task.exception()
