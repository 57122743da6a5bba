"""Courses to simulate: made up, or given as a file."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from domain.scheduler.model import Publication, PublishedItem, PublishedSkill
from domain.shared.errors import InvalidInput

MOST_ITEMS = 20_000
_BRANCH = 6


def synthetic(items: int = 200, skills: int = 20) -> Publication:
    """Returns a course in a sensible order: skills in rows of six that build on each other, rows joined at their third skill, each with as
    many items; every fourth item also needs the skill before."""
    if not 1 <= skills <= items <= MOST_ITEMS:
        raise InvalidInput.of("course", f"must have at least one item a skill and at most {MOST_ITEMS} items")
    return Publication(
        "synthetic",
        1,
        tuple(PublishedSkill(_skill(n), f"Skill {n + 1}", tuple(_skill(each) for each in _before(n))) for n in range(skills)),
        tuple(PublishedItem(f"item-{n:05}", 1, _practised(n, n * skills // items)) for n in range(items)),
    )


def described(course: Mapping[str, Any]) -> Publication:
    """Returns the course that a document describes: `id`, `skills` (each `id`, `prerequisites`) and `items` (each `id`, `skills`), in the
    order in which they are taught. Raises InvalidInput naming what is wrong."""
    try:
        skills = [_named(each, "skills", "prerequisites") for each in course["skills"]]
        items = [_named(each, "items", "skills") for each in course["items"]]
        name = str(course.get("id", "course"))
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidInput.of("course", "needs the lists `skills` and `items`, each entry with its `id`") from error
    _check(skills, items)
    return Publication(
        name,
        1,
        tuple(PublishedSkill(identity, identity, before) for identity, before in skills),
        tuple(PublishedItem(identity, 1, practised) for identity, practised in items),
    )


def read_course(path: Path) -> Publication:
    """Returns the course of a JSON file. Raises InvalidInput."""
    try:
        return described(json.loads(path.read_text()))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InvalidInput.of("course", f"{path} cannot be read: {error}") from error


def as_document(course: Publication) -> dict[str, object]:
    """Returns what `described` reads."""
    return {
        "id": course.course,
        "skills": [{"id": each.id, "prerequisites": list(each.prerequisites)} for each in course.skills],
        "items": [{"id": each.id, "skills": list(each.skills)} for each in course.items],
    }


def _skill(number: int) -> str:
    return f"skill-{number:03}"


def _before(number: int) -> list[int]:
    row, place = divmod(number, _BRANCH)
    before = [number - 1] if place else []
    return [*before, (row - 1) * _BRANCH + 2] if row and not place else before


def _practised(item: int, skill: int) -> tuple[str, ...]:
    joined = item % 4 == 3 and skill % _BRANCH > 0
    return (_skill(skill), _skill(skill - 1)) if joined else (_skill(skill),)


def _named(entry: Mapping[str, Any], kind: str, related: str) -> tuple[str, tuple[str, ...]]:
    identity, others = entry["id"], entry.get(related, [])
    if not isinstance(identity, str) or not identity:
        raise InvalidInput.of(f"course.{kind}", "every id must be a text that is not empty")
    if not isinstance(others, list) or not all(isinstance(each, str) for each in others):
        raise InvalidInput.of(f"course.{kind}", f"{related} of {identity} must be a list of texts")
    return identity, tuple(dict.fromkeys(others))


def _check(skills: Sequence[tuple[str, tuple[str, ...]]], items: Sequence[tuple[str, tuple[str, ...]]]) -> None:
    known = {identity for identity, _ in skills}
    if not items or len(items) > MOST_ITEMS:
        raise InvalidInput.of("course.items", f"must be 1 to {MOST_ITEMS} items")
    if len(known) < len(skills) or len({identity for identity, _ in items}) < len(items):
        raise InvalidInput.of("course", "must not use an id twice")
    for identity, practised in items:
        if not practised or not known.issuperset(practised):
            raise InvalidInput.of("course.items", f"{identity} must practise skills of the course")
    taught: set[str] = set()
    waiting = dict(skills)
    while waiting:
        ready = [identity for identity, before in waiting.items() if not (set(before) & known) - taught]
        if not ready:
            raise InvalidInput.of("course.skills", f"prerequisites form a cycle among {', '.join(sorted(waiting)[:5])}")
        taught.update(ready)
        for identity in ready:
            del waiting[identity]
