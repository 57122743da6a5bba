"""Progress in memory, for tests: the same promises as PostgreSQL, one unit of an organization at a time."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from domain.progress.model import (
    EARLIEST,
    Answer,
    Attempt,
    AttemptNotFound,
    CourseState,
    Evidence,
    LearnerState,
    MasteryRecomputed,
    ProgressUpdated,
    SkillNeverPractised,
    SkillState,
)
from domain.progress.ports import ProgressEvents, ProgressRecords, ProgressUnit
from domain.progress.workbook import Workbook
from domain.psychometrics.response_model import ItemEvidence
from domain.shared.errors import InvalidInput
from domain.shared.page import Page, PageRequest

_CHUNK = 250


@dataclass
class Tables:
    """What one organization has."""

    attempts: dict[str, Attempt] = field(default_factory=dict)
    courses: dict[tuple[str, str], CourseState] = field(default_factory=dict)
    skills: dict[tuple[str, str], SkillState] = field(default_factory=dict)
    items: dict[str, ItemEvidence] = field(default_factory=dict)
    published: list[ProgressUpdated | MasteryRecomputed] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    repairs: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By learner: how many attempts were reordered, and how often the state was repaired."""

    def copied(self) -> "Tables":
        return Tables(*(copy(getattr(self, each)) for each in self.__dataclass_fields__))


@dataclass
class MemoryProgress:
    """The organizations; `unit` opens one transaction."""

    tables: dict[str, Tables] = field(default_factory=dict)
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    def unit(self, organization: str) -> "MemoryProgressUnit":
        return MemoryProgressUnit(self, organization, self._locks.setdefault(organization, asyncio.Lock()))


class MemoryRecords(ProgressRecords):
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def open(self, answers: Sequence[Answer]) -> Workbook:
        return Workbook(
            self._tables.counts,
            {id: each.answer.fingerprint() for id, each in self._tables.attempts.items()},
            self._tables.courses,
            self._tables.skills,
            self._tables.items,
        )

    async def save(self, workbook: Workbook) -> None:
        tables = self._tables
        tables.attempts.update((each.answer.id, each) for each in workbook.attempts)
        tables.counts.update(workbook.new_counts)
        tables.courses.update(workbook.new_courses)
        tables.skills.update(workbook.new_skills)
        for item, gained in workbook.gained.items():
            tables.items[item] = tables.items.get(item, ItemEvidence()) + gained

    async def attempt(self, learner: str, attempt_id: str) -> Attempt:
        found = self._tables.attempts.get(attempt_id)
        if found is None or found.answer.learner != learner:
            raise AttemptNotFound(f"learner {learner} has no attempt {attempt_id}")
        return found

    async def attempts(self, learner: str | None, course: str | None, request: PageRequest) -> Page[Attempt]:
        after, sequence = _cursor(request, ("", "0"))
        if not (sequence.isascii() and sequence.isdecimal() and len(sequence) < 19):
            raise InvalidInput.of("page_token", "must be the next_page_token of the page before, unchanged")
        matching = sorted(
            (each.answer.learner, each.sequence, each)
            for each in self._tables.attempts.values()
            if learner in (None, each.answer.learner) and course in (None, each.answer.course)
        )
        found = [each for *key, each in matching if key > [after if learner is None else learner, int(sequence)]]
        page = tuple(found[: request.size])
        more = len(found) > request.size
        return Page(page, (page[-1].answer.learner, str(page[-1].sequence)) if more else None)

    async def learner(self, learner: str, hold: bool = False) -> LearnerState:
        tables = self._tables
        return LearnerState(
            learner,
            tables.counts.get(learner, 0),
            {skill: state for (owner, skill), state in tables.skills.items() if owner == learner},
            {course: state for (owner, course), state in tables.courses.items() if owner == learner},
            *tables.repairs.get(learner, (0, 0)),
        )

    async def skill(self, learner: str, skill: str) -> SkillState:
        state = self._tables.skills.get((learner, skill))
        if state is None:
            raise SkillNeverPractised(f"learner {learner} has not practised {skill}")
        return state

    async def evidence(self, learner: str, skill: str, most: int) -> Sequence[Evidence]:
        found = (each for each in self._tables.attempts.values() if each.answer.learner == learner)
        newest = sorted(found, key=lambda each: -each.sequence)
        return [Evidence(each, move) for each in newest for move in each.moves if move.skill == skill][:most]

    async def masteries(self, course: str, request: PageRequest, learners: frozenset[str] | None = None) -> Page[SkillState]:
        after = _cursor(request, ("", ""))
        practised = {
            learner: state.skills
            for (learner, each), state in self._tables.courses.items()
            if each == course and (learners is None or learner in learners)
        }
        found = [
            (key, state)
            for key, state in sorted(self._tables.skills.items(), key=lambda each: each[0])
            if key > after and key[1] in practised.get(key[0], ())
        ]
        page = found[: request.size]
        return Page(tuple(state for _, state in page), page[-1][0] if len(found) > request.size else None)

    async def recompute_alone(self, learner: str) -> None:
        """The unit is alone anyway."""

    async def log(
        self, learner: str, after: int, through: int | None, by_occurrence: bool = False
    ) -> AsyncIterator[Sequence[Attempt]]:
        found = [
            each
            for each in self._tables.attempts.values()
            if each.answer.learner == learner and after < each.sequence and (through is None or each.sequence <= through)
        ]
        found.sort(key=lambda each: (each.answer.answered_at if by_occurrence else EARLIEST, each.sequence))
        for start in range(0, len(found), _CHUNK):
            yield found[start : start + _CHUNK]

    async def items(self, items: Collection[str]) -> Mapping[str, ItemEvidence]:
        return {each: self._tables.items[each] for each in items if each in self._tables.items}

    async def correct(self, attempts: Sequence[Attempt]) -> None:
        for each in attempts:
            stored = self._tables.attempts[each.answer.id]
            self._tables.attempts[each.answer.id] = stored._replace(moves=each.moves)

    async def repair(self, state: LearnerState) -> None:
        tables, learner = self._tables, state.learner
        tables.counts[learner] = state.attempt_count
        tables.repairs[learner] = (state.reordered, state.revision)
        for table in (tables.skills, tables.courses):
            for key in [each for each in table if each[0] == learner]:
                del table[key]
        tables.skills.update({(learner, skill): each for skill, each in state.skills.items()})
        tables.courses.update({(learner, course): each for course, each in state.courses.items()})


class MemoryEvents(ProgressEvents):
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def add(self, updates: Sequence[ProgressUpdated | MasteryRecomputed]) -> None:
        self._tables.published.extend(updates)


class MemoryProgressUnit(ProgressUnit):
    def __init__(self, store: MemoryProgress, organization: str, lock: asyncio.Lock) -> None:
        self._store = store
        self._organization = organization
        self._lock = lock

    async def __aenter__(self) -> Self:
        await self._lock.acquire()
        self._tables = self._store.tables.get(self._organization, Tables()).copied()
        self.records = MemoryRecords(self._tables)
        self.events = MemoryEvents(self._tables)
        return self

    async def commit(self) -> None:
        self._store.tables[self._organization] = self._tables.copied()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._lock.release()


def _cursor(request: PageRequest, beginning: tuple[str, str]) -> tuple[str, str]:
    cursor = request.after or beginning
    if len(cursor) != len(beginning):
        raise InvalidInput.of("page_token", "must be the next_page_token of the page before, unchanged")
    return cursor[0], cursor[1]
