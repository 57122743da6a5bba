"""Skills and what must be mastered before them, items and their revisions, courses and what their publications pin."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from domain.catalog.graph import bridged
from domain.shared.errors import AlreadyExists, Conflict, FieldViolation, InvalidInput, NotAllowedNow, NotFound
from domain.shared.ids import chosen_id

T = TypeVar("T")

MAX_PREREQUISITES = 50
MAX_SKILLS_OF_ITEM = 20
MAX_SKILLS_OF_COURSE = 1_000


class SkillNotFound(NotFound):
    reason = "SKILL_NOT_FOUND"


class SkillAlreadyExists(AlreadyExists):
    reason = "SKILL_ALREADY_EXISTS"


class ItemNotFound(NotFound):
    reason = "ITEM_NOT_FOUND"


class ItemAlreadyExists(AlreadyExists):
    reason = "ITEM_ALREADY_EXISTS"


class ItemChangedMeanwhile(Conflict):
    reason = "ITEM_CHANGED_MEANWHILE"


class CourseNotFound(NotFound):
    reason = "COURSE_NOT_FOUND"


class CourseAlreadyExists(AlreadyExists):
    reason = "COURSE_ALREADY_EXISTS"


class CourseNotPublished(NotFound):
    reason = "COURSE_NOT_PUBLISHED"


class CourseEmpty(NotAllowedNow):
    reason = "COURSE_EMPTY"


class CourseAlreadyPublished(NotAllowedNow):
    reason = "COURSE_ALREADY_PUBLISHED"


@dataclass(frozen=True, slots=True)
class SkillChange:
    """None leaves a field as it is."""

    title: str | None = None
    description: str | None = None
    prerequisites: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Skill:
    """Something that can be learned and assessed. `prerequisites` are skill ids; `created_at` is None until it is saved."""

    id: str
    title: str
    description: str = ""
    prerequisites: tuple[str, ...] = ()
    created_at: datetime | None = None

    def changed(self, change: SkillChange) -> "Skill":
        return replace(
            self,
            title=_new(change.title, self.title),
            description=_new(change.description, self.description),
            prerequisites=_new(change.prerequisites, self.prerequisites),
        )

    def faults(self, at: str = "") -> list[FieldViolation]:
        """Returns what is wrong with the skill by itself. `at` comes before the paths, such as `requests[3].`."""
        return [
            *_id_faults(f"{at}skill_id", self.id),
            *_text_faults(f"{at}skill.title", self.title, 1, 200),
            *_text_faults(f"{at}skill.description", self.description, 0, 2_000),
            *_ids_faults(f"{at}skill.prerequisites", self.prerequisites, 0, MAX_PREREQUISITES),
        ]


@dataclass(frozen=True, slots=True)
class ItemChange:
    """None leaves a field as it is."""

    title: str | None = None
    skills: tuple[str, ...] | None = None
    body: bytes | None = None
    key: bytes | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One revision of an exercise. `body` (what learners see) and `key` (what grades) are opaque here: another context reads them.

    `revision` counts the saves from 1. `created_at` is when the first was made, `updated_at` this one; None until it is saved.
    """

    id: str
    skills: tuple[str, ...]
    body: bytes
    key: bytes
    title: str = ""
    revision: int = 1
    created_at: datetime | None = None
    updated_at: datetime | None = None

    def revised(self, change: ItemChange, now: datetime) -> "Item":
        return replace(
            self,
            title=_new(change.title, self.title),
            skills=_new(change.skills, self.skills),
            body=_new(change.body, self.body),
            key=_new(change.key, self.key),
            revision=self.revision + 1,
            updated_at=now,
        )

    def faults(self, at: str = "") -> list[FieldViolation]:
        """Returns what is wrong with the item apart from its content, which only the context that grades can judge."""
        return [
            *_id_faults(f"{at}item_id", self.id),
            *_text_faults(f"{at}item.title", self.title, 0, 200),
            *_ids_faults(f"{at}item.skills", self.skills, 1, MAX_SKILLS_OF_ITEM),
        ]


@dataclass(frozen=True, slots=True)
class ItemFault:
    """One thing wrong with the item at `index` of those that were checked; `field` is a path within the item."""

    index: int
    field: str
    description: str


@dataclass(frozen=True, slots=True)
class PublishedSkill:
    """A skill as published; `prerequisites` are of the same publication."""

    id: str
    title: str
    prerequisites: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PublishedItem:
    id: str
    revision: int
    skills: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Publication:
    """What one publication of a course pins, for ever. Skills and items are ordered by id."""

    course: str
    number: int
    published_at: datetime
    title: str
    description: str
    skills: tuple[PublishedSkill, ...]
    items: tuple[PublishedItem, ...]

    def fingerprint(self) -> bytes:
        """Returns 32 bytes that two publications share exactly if learners would not see a difference."""
        content = [
            self.title,
            self.description,
            [[each.id, each.title, sorted(each.prerequisites)] for each in self.skills],
            [[each.id, each.revision] for each in self.items],
        ]
        return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).digest()


@dataclass(frozen=True, slots=True)
class Edition:
    """What is remembered with a course of its newest publication."""

    number: int
    published_at: datetime
    title: str
    description: str
    skills: tuple[str, ...]
    item_count: int
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class CourseChange:
    """None leaves a field as it is."""

    title: str | None = None
    description: str | None = None
    skills: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """A set of skills to learn. Its own fields are the draft; `edition` is the newest publication, None before the first."""

    id: str
    title: str
    description: str = ""
    skills: tuple[str, ...] = ()
    created_at: datetime | None = None
    edition: Edition | None = None

    def changed(self, change: CourseChange) -> "Course":
        return replace(
            self,
            title=_new(change.title, self.title),
            description=_new(change.description, self.description),
            skills=_new(change.skills, self.skills),
        )

    def as_published(self) -> "Course":
        """Returns the course as learners see it, or raises CourseNotFound: to them a draft is not there."""
        if self.edition is None:
            raise CourseNotFound(f"no course {self.id}")
        return replace(self, title=self.edition.title, description=self.edition.description, skills=self.edition.skills)

    def publish(self, graph: Mapping[str, Skill], pool: Sequence[PublishedItem], now: datetime) -> Publication:
        """Pins the course as it stands.

        `graph` holds every skill of the course and all that come before them, by id; `pool` the items to pin. Prerequisites outside the
        course are bridged. Raises CourseEmpty, or CourseAlreadyPublished if nothing would change for learners.
        """
        if not pool:
            raise CourseEmpty(f"course {self.id} has no item whose skills all belong to it")
        before = bridged({each.id: each.prerequisites for each in graph.values()}, self.skills)
        publication = Publication(
            course=self.id,
            number=self.edition.number + 1 if self.edition else 1,
            published_at=now,
            title=self.title,
            description=self.description,
            skills=tuple(PublishedSkill(each, graph[each].title, before[each]) for each in sorted(self.skills)),
            items=tuple(sorted(pool, key=lambda item: item.id)),
        )
        if self.edition and self.edition.fingerprint == publication.fingerprint():
            raise CourseAlreadyPublished(f"nothing changed in course {self.id} since its publication {self.edition.number}")
        return publication

    def faults(self) -> list[FieldViolation]:
        return [
            *_id_faults("course_id", self.id),
            *_text_faults("course.title", self.title, 1, 200),
            *_text_faults("course.description", self.description, 0, 10_000),
            *_ids_faults("course.skills", self.skills, 0, MAX_SKILLS_OF_COURSE),
        ]


@dataclass(frozen=True, slots=True)
class CoursePublished:
    """A course has a new publication."""

    course: str
    number: int
    published_at: datetime


def refuse(faults: Sequence[FieldViolation]) -> None:
    """Raises InvalidInput with all faults, if there are any."""
    if faults:
        raise InvalidInput(faults)


def repeated_ids(ids: Sequence[str], path: Callable[[int], str]) -> list[FieldViolation]:
    """Returns a fault for every id that an earlier entry has; `path` names the field by the entry's index."""
    first: dict[str, int] = {}
    return [
        FieldViolation(path(index), f"is the id of {path(first[each])} too")
        for index, each in enumerate(ids)
        if first.setdefault(each, index) != index
    ]


def missing_skills(wanted: Iterable[str], there: Iterable[str]) -> None:
    """Raises SkillNotFound naming (some of) the wanted skills that are not there."""
    missing = sorted(set(wanted).difference(there))
    if missing:
        raise SkillNotFound(f"no skill {', '.join(missing[:20])}{' and others' if len(missing) > 20 else ''}")


def _new(value: T | None, old: T) -> T:
    return old if value is None else value


def _id_faults(path: str, value: str) -> list[FieldViolation]:
    try:
        chosen_id(value, path)
    except InvalidInput as fault:
        return list(fault.violations)
    return []


def _ids_faults(path: str, ids: Sequence[str], least: int, most: int) -> list[FieldViolation]:
    if not least <= len(ids) <= most:
        return [FieldViolation(path, f"must have {least} to {most} entries, has {len(ids)}")]
    faults = [fault for index, each in enumerate(ids) for fault in _id_faults(f"{path}[{index}]", each)]
    return [*faults, *repeated_ids(ids, lambda index: f"{path}[{index}]")]


def _text_faults(path: str, text: str, least: int, most: int) -> list[FieldViolation]:
    if len(text.strip()) < least:
        return [FieldViolation(path, "must not be empty")]
    if len(text) > most:
        return [FieldViolation(path, f"must have at most {most} characters, has {len(text)}")]
    if "\0" in text:
        return [FieldViolation(path, "must not contain the character NUL")]
    return []
