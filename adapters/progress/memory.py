"""Progress in memory, for tests: the same promises as PostgreSQL, one unit of an organization at a time."""

import asyncio
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from domain.progress.model import (
    Ability,
    Answer,
    Attempt,
    AttemptNotFound,
    CourseState,
    Evidence,
    Mastery,
    ProgressUpdated,
    SkillMastery,
    SkillNeverPractised,
    SkillState,
)
from domain.progress.ports import ProgressEvents, ProgressRecords, ProgressUnit
from domain.progress.workbook import Workbook
from domain.psychometrics.response_model import ItemEvidence
from domain.shared.errors import InvalidInput
from domain.shared.page import Page, PageRequest


@dataclass
class Tables:
    """What one organization has."""

    attempts: dict[str, Attempt] = field(default_factory=dict)
    courses: dict[tuple[str, str], CourseState] = field(default_factory=dict)
    skills: dict[tuple[str, str], SkillState] = field(default_factory=dict)
    items: dict[str, ItemEvidence] = field(default_factory=dict)
    published: list[ProgressUpdated] = field(default_factory=list)

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
        counts: dict[str, int] = {}
        for each in self._tables.attempts.values():
            counts[each.answer.learner] = max(counts.get(each.answer.learner, 0), each.sequence)
        return Workbook(
            counts,
            {id: each.answer.fingerprint() for id, each in self._tables.attempts.items()},
            self._tables.courses,
            self._tables.skills,
            self._tables.items,
        )

    async def save(self, workbook: Workbook) -> None:
        tables = self._tables
        tables.attempts.update((each.answer.id, each) for each in workbook.attempts)
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

    async def mastery(self, learner: str) -> Mastery:
        skills = sorted(self._tables.skills.items())
        courses = sorted((course, state.ability) for (owner, course), state in self._tables.courses.items() if owner == learner)
        return Mastery(
            learner,
            [state.mastery for (owner, _), state in skills if owner == learner and state.mastery],
            [Ability.of(course, belief) for course, belief in courses],
            sum(each.answer.learner == learner for each in self._tables.attempts.values()),
        )

    async def skill(self, learner: str, skill: str) -> SkillMastery:
        state = self._tables.skills.get((learner, skill))
        if state is None or state.mastery is None:
            raise SkillNeverPractised(f"learner {learner} has not practised {skill}")
        return state.mastery

    async def evidence(self, learner: str, skill: str, most: int) -> Sequence[Evidence]:
        found = (each for each in self._tables.attempts.values() if each.answer.learner == learner)
        newest = sorted(found, key=lambda each: -each.sequence)
        return [Evidence(each, move) for each in newest for move in each.moves if move.skill == skill][:most]

    async def masteries(self, course: str, request: PageRequest) -> Page[SkillMastery]:
        after = _cursor(request, ("", ""))
        found = [
            state.mastery
            for (learner, skill), state in sorted(self._tables.skills.items(), key=lambda each: each[0])
            if (learner, skill) > after
            and state.mastery
            and skill in self._tables.courses.get((learner, course), CourseState()).skills
        ]
        page = tuple(found[: request.size])
        return Page(page, (page[-1].learner, page[-1].skill) if len(found) > request.size else None)


class MemoryEvents(ProgressEvents):
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def add(self, updates: Sequence[ProgressUpdated]) -> None:
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
