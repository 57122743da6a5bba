"""Paths in memory: the same promises as the real store, for tests and trials."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from domain.paths.graph import CourseGraph
from domain.paths.model import (
    CourseNotPublished,
    LearnerMastery,
    Path,
    PathAdapted,
    PathAlreadyExists,
    PathNotFound,
    Revision,
)
from domain.paths.ports import CourseGraphs, EventOutbox, MasterySource, PathRepository, PathsUnit, RevisionRepository
from domain.shared.page import Page, PageRequest

Key = tuple[str, str]


@dataclass
class MemoryState:
    """One organization's paths by learner and id. Every value is immutable, so a copy of the containers is a snapshot."""

    paths: dict[Key, Path] = field(default_factory=dict)
    revisions: dict[Key, tuple[Revision, ...]] = field(default_factory=dict)
    events: tuple[PathAdapted, ...] = ()

    def snapshot(self) -> "MemoryState":
        return MemoryState(dict(self.paths), dict(self.revisions), self.events)


class MemoryPathsStore:
    """Every organization's paths; units on it run one at a time."""

    def __init__(self) -> None:
        self.states: defaultdict[str, MemoryState] = defaultdict(MemoryState)
        self.turn = asyncio.Lock()

    def unit(self, organization: str) -> "MemoryPathsUnit":
        return MemoryPathsUnit(self, organization)


class MemoryPaths(PathRepository):
    def __init__(self, state: MemoryState) -> None:
        self._state = state

    async def get(self, learner: str, path_id: str) -> Path:
        if (learner, path_id) not in self._state.paths:
            raise PathNotFound(f"no path {path_id} of {learner}")
        return self._state.paths[learner, path_id]

    async def hold(self, learner: str, path_id: str) -> Path:
        return await self.get(learner, path_id)

    async def hold_learner(self, learner: str) -> int:
        return len(await self.hold_of([learner]))

    async def hold_of(self, learners: Collection[str]) -> Sequence[Path]:
        return [each for each in self._sorted() if each.learner in learners and each.archived_at is None]

    async def add(self, path: Path) -> None:
        if (path.learner, path.id) in self._state.paths:
            raise PathAlreadyExists(f"there is a path {path.id} of {path.learner} already")
        await self.save(path)

    async def save(self, path: Path) -> None:
        self._state.paths[path.learner, path.id] = path

    async def page(self, request: PageRequest, learner: str | None, course: str | None, archived: bool) -> Page[Path]:
        found = [
            each
            for each in self._sorted()
            if learner in (None, each.learner) and course in (None, each.course) and (archived or each.archived_at is None)
        ]
        return _page(found, request)

    async def outdated(self, course: str, publication: int, request: PageRequest) -> Page[tuple[str, str]]:
        found = [
            each
            for each in self._sorted()
            if each.course == course and each.publication < publication and each.archived_at is None
        ]
        page = _page(found, request)
        return Page(tuple((each.learner, each.id) for each in page.elements), page.next)

    def _sorted(self) -> list[Path]:
        return [self._state.paths[key] for key in sorted(self._state.paths)]


class MemoryRevisions(RevisionRepository):
    def __init__(self, state: MemoryState) -> None:
        self._state = state

    async def add(self, revision: Revision) -> None:
        key = (revision.learner, revision.path)
        self._state.revisions[key] = (*self._state.revisions.get(key, ()), revision)

    async def page(self, learner: str, path_id: str, request: PageRequest) -> Page[Revision]:
        before = int(request.after[0]) if request.after else None
        found = [
            each for each in reversed(self._state.revisions.get((learner, path_id), ())) if before is None or each.number < before
        ]
        page = tuple(found[: request.size])
        return Page(page, (str(page[-1].number),) if len(found) > request.size else None)


class MemoryEvents(EventOutbox):
    def __init__(self, state: MemoryState) -> None:
        self._state = state

    async def add(self, event: PathAdapted) -> None:
        self._state.events = (*self._state.events, event)


class MemoryPathsUnit(PathsUnit):
    def __init__(self, store: MemoryPathsStore, organization: str) -> None:
        self._store = store
        self._organization = organization

    async def __aenter__(self) -> Self:
        await self._store.turn.acquire()
        self._state = self._store.states[self._organization].snapshot()
        self.paths = MemoryPaths(self._state)
        self.revisions = MemoryRevisions(self._state)
        self.events = MemoryEvents(self._state)
        return self

    async def commit(self) -> None:
        self._store.states[self._organization] = self._state

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._store.turn.release()


class MemoryGraphs(CourseGraphs):
    """Publications put here by hand, newest last."""

    def __init__(self) -> None:
        self._graphs: dict[tuple[str, str], CourseGraph] = {}

    def put(self, organization: str, graph: CourseGraph) -> None:
        self._graphs[organization, graph.course] = graph

    async def newest(self, organization: str, course: str, at_least: int = 0) -> CourseGraph:
        if (organization, course) not in self._graphs:
            raise CourseNotPublished(f"course {course} has no publication")
        return self._graphs[organization, course]


class MemoryMasteries(MasterySource):
    """Masteries put here by hand."""

    def __init__(self) -> None:
        self._masteries: dict[tuple[str, str], LearnerMastery] = {}

    def put(self, organization: str, learner: str, mastery: LearnerMastery) -> None:
        self._masteries[organization, learner] = mastery

    async def of(self, organization: str, learner: str) -> LearnerMastery:
        return self._masteries.get((organization, learner), LearnerMastery(0, {}))


def _page(found: Iterable[Path], request: PageRequest) -> Page[Path]:
    rest = [each for each in found if request.after is None or (each.learner, each.id) > request.after]
    page = tuple(rest[: request.size])
    return Page(page, (page[-1].learner, page[-1].id) if len(rest) > request.size else None)
