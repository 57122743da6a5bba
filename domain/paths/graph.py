"""A course's skills and what comes before them, as its publication has them. Everything here is linear in skills and prerequisites."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import TypeAlias

Rank: TypeAlias = tuple[float, ...]
"""The lower comes first."""


@dataclass(frozen=True, slots=True)
class CourseSkill:
    """A skill as published; `prerequisites` are ids of skills of the same course."""

    id: str
    title: str
    prerequisites: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CourseGraph:
    """The skills of one publication of a course."""

    course: str
    number: int
    skills: Mapping[str, CourseSkill]


def closure(before: Mapping[str, Sequence[str]], roots: Iterable[str], ends: frozenset[str] = frozenset()) -> set[str]:
    """Returns the roots that are in the graph and everything before them, without going on behind `ends`."""
    found: set[str] = set()
    waiting = [each for each in roots if each in before]
    while waiting:
        skill = waiting.pop()
        if skill not in found:
            found.add(skill)
            if skill not in ends:
                waiting.extend(each for each in before[skill] if each in before)
    return found


def ordered(before: Mapping[str, Sequence[str]], rank: Mapping[str, Rank]) -> list[str]:
    """Returns the skills so that each comes after all that are before it, and otherwise the lowest rank first.

    Skills on a cycle, and those that wait for one, are left out: a shorter list means that there is one (Kahn 1962).
    """
    waits = {skill: len(set(earlier)) for skill, earlier in before.items()}
    behind = followers(before)
    free = [(rank[skill], skill) for skill, count in waits.items() if not count]
    heapify(free)
    order: list[str] = []
    while free:
        _, skill = heappop(free)
        order.append(skill)
        for follower in behind[skill]:
            waits[follower] -= 1
            if not waits[follower]:
                heappush(free, (rank[follower], follower))
    return order


def followers(before: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Returns the skills that each is directly before."""
    behind: dict[str, list[str]] = {skill: [] for skill in before}
    for skill, earlier in before.items():
        for each in set(earlier):
            behind[each].append(skill)
    return behind


def cycle_in(before: Mapping[str, Sequence[str]]) -> tuple[str, ...] | None:
    """Returns a cycle, each skill before the next, first and last the same, such as `("a", "b", "a")`; None if there is none."""
    stuck = dict.fromkeys(sorted(set(before).difference(ordered(before, dict.fromkeys(before, ())))))
    if not stuck:
        return None
    # Each stuck skill has a stuck one before it, so going back must come to a skill twice.
    way: dict[str, None] = {}
    skill = next(iter(stuck))
    while skill not in way:
        way[skill] = None
        skill = next(each for each in before[skill] if each in stuck)
    back = list(way)
    return (skill, *reversed(back[back.index(skill) :]))


def chains(before: Mapping[str, Sequence[str]], order: Sequence[str]) -> dict[str, int]:
    """Returns how many skills the longest chain has that begins with each; `order` is topological."""
    length = dict.fromkeys(order, 1)
    for skill in reversed(order):
        for each in before[skill]:
            length[each] = max(length[each], length[skill] + 1)
    return length
