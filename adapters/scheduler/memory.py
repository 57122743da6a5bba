"""The scheduler's ports in memory, for tests and simulations. A unit sees and changes its organization's rows only."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Self, TypeVar

from domain.scheduler.model import CourseNotPublished, Decision, DecisionNotFound, Publication
from domain.scheduler.ports import (
    DecisionLog,
    DifficultyRepository,
    HotStates,
    HotView,
    PublicationRepository,
    PublicationSource,
    SchedulerUnit,
    StateRepository,
)
from domain.scheduler.state import LearnerState

Key = TypeVar("Key")


@dataclass
class _Rows:
    states: dict[str, LearnerState] = field(default_factory=dict)
    difficulties: dict[str, float] = field(default_factory=dict)
    publications: dict[tuple[str, int], Publication] = field(default_factory=dict)

    def copy(self) -> "_Rows":
        return _Rows(copy(self.states), copy(self.difficulties), copy(self.publications))


class _States(StateRepository):
    def __init__(self, rows: _Rows) -> None:
        self._rows = rows.states

    async def of(self, learners: Collection[str]) -> dict[str, LearnerState]:
        return {learner: self._rows.get(learner, LearnerState.new()) for learner in learners}

    async def save(self, states: Mapping[str, LearnerState]) -> None:
        _keep_newer(self._rows, states)


class _Difficulties(DifficultyRepository):
    def __init__(self, rows: _Rows) -> None:
        self._rows = rows.difficulties

    async def of(self, items: Collection[str]) -> dict[str, float]:
        return {item: self._rows[item] for item in items if item in self._rows}

    async def save(self, difficulties: Mapping[str, float]) -> None:
        self._rows.update(difficulties)


class _Publications(PublicationRepository):
    def __init__(self, rows: _Rows) -> None:
        self._rows = rows.publications

    async def newest(self, course: str) -> Publication | None:
        return self._rows.get((course, await self.newest_number(course)))

    async def newest_number(self, course: str) -> int:
        return max((number for of, number in self._rows if of == course), default=0)

    async def save(self, publication: Publication) -> None:
        self._rows.setdefault((publication.course, publication.number), publication)


class MemoryStore:
    """What the units of all organizations share."""

    def __init__(self) -> None:
        self.rows: defaultdict[str, _Rows] = defaultdict(_Rows)

    def unit(self, organization: str) -> "MemorySchedulerUnit":
        return MemorySchedulerUnit(self, organization)


class MemorySchedulerUnit(SchedulerUnit):
    def __init__(self, store: MemoryStore, organization: str) -> None:
        self._store = store
        self._organization = organization

    async def __aenter__(self) -> Self:
        self._rows = self._store.rows[self._organization].copy()
        self.states = _States(self._rows)
        self.difficulties = _Difficulties(self._rows)
        self.publications = _Publications(self._rows)
        return self

    async def __aexit__(self, *error: object) -> None:
        return None

    async def commit(self) -> None:
        held = self._store.rows[self._organization]
        _keep_newer(held.states, self._rows.states)
        held.difficulties.update(self._rows.difficulties)
        held.publications.update(self._rows.publications)


class MemoryHotStates(HotStates):
    def __init__(self) -> None:
        self._states: dict[tuple[str, str], LearnerState] = {}
        self._publications: dict[tuple[str, str], int] = {}
        self.decisions: dict[tuple[str, str], Decision] = {}

    def forget(self) -> None:
        """Loses everything, as a cache may."""
        self._states.clear()
        self._publications.clear()
        self.decisions.clear()

    async def read(self, organization: str, learner: str, course: str, decision_id: str) -> HotView:
        return HotView(
            self._states.get((organization, learner)),
            self._publications.get((organization, course)),
            self.decisions.get((organization, decision_id)),
        )

    async def states(self, organization: str, learners: Sequence[str]) -> dict[str, LearnerState]:
        return {each: self._states[organization, each] for each in learners if (organization, each) in self._states}

    async def keep(self, organization: str, states: Mapping[str, LearnerState]) -> None:
        _keep_newer(self._states, {(organization, learner): state for learner, state in states.items()})

    async def keep_publication(self, organization: str, course: str, number: int) -> None:
        held = self._publications.get((organization, course), 0)
        self._publications[organization, course] = max(held, number)


class MemoryPublications(PublicationSource):
    """A catalog that has what was put into it."""

    def __init__(self) -> None:
        self._newest: dict[tuple[str, str], Publication] = {}
        self.pulls = 0

    def put(self, organization: str, publication: Publication) -> None:
        self._newest[organization, publication.course] = publication

    async def newest(self, organization: str, course: str) -> Publication:
        self.pulls += 1
        if (found := self._newest.get((organization, course))) is None:
            raise CourseNotPublished(f"course {course} has no publication")
        return found

    async def newest_number(self, organization: str, course: str) -> int:
        if (found := self._newest.get((organization, course))) is None:
            raise CourseNotPublished(f"course {course} has no publication")
        return found.number


class MemoryDecisionLog(DecisionLog):
    def __init__(self, hot: MemoryHotStates | None = None) -> None:
        """`hot` is the cache that shows what is kept."""
        self._decisions: dict[tuple[str, str], Decision] = {}
        self._hot = hot

    async def add(self, organization: str, decision: Decision) -> Decision:
        kept = self._decisions.setdefault((organization, decision.id), decision)
        if self._hot is not None:
            self._hot.decisions[organization, decision.id] = kept
        return kept

    async def keep(self, organization: str, decision: Decision) -> Decision:
        return await self.add(organization, decision)

    async def get(self, organization: str, decision_id: str) -> Decision:
        if (found := self._decisions.get((organization, decision_id))) is None:
            raise DecisionNotFound(f"no decision {decision_id}")
        return found


def _keep_newer(held: dict[Key, LearnerState], states: Mapping[Key, LearnerState]) -> None:
    for key, state in states.items():
        if key not in held or held[key].version < state.version:
            held[key] = state
