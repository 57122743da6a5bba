"""A publication compiled for vectorised scoring.

Items that practise the same set of skills form a group: what depends only on skills is computed once a group, and there are far fewer
groups than items. Items are ordered by group.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from domain.scheduler.model import Publication, PublishedSkill
from domain.scheduler.state import key_of

Floats: TypeAlias = npt.NDArray[np.float64]
Indexes: TypeAlias = npt.NDArray[np.intp]
Keys: TypeAlias = npt.NDArray[np.uint64]
Flags: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Index:
    """Finds the positions of keys."""

    sorted_keys: Keys
    positions: Indexes

    @classmethod
    def of(cls, names: Sequence[str]) -> "Index":
        keys = np.array([key_of(each) for each in names], dtype=np.uint64)
        order = np.argsort(keys)
        return cls(keys[order], order)

    def find(self, keys: Keys) -> tuple[Indexes, Indexes]:
        """Returns which of the keys are here, as rows of `keys`, and where each of those is."""
        if not len(self.sorted_keys) or not len(keys):
            return np.empty(0, np.intp), np.empty(0, np.intp)
        at = self.sorted_keys.searchsorted(keys)
        rows = (self.sorted_keys.take(at, mode="clip") == keys).nonzero()[0]
        return rows, self.positions[at[rows]]


@dataclass(frozen=True, slots=True)
class Pool:
    """`group_skills[group_starts[g]:group_starts[g + 1]]` are the skills of group g, as `skill_sets[g]` are, `group_lengths[g]` in number;
    its items are the `group_sizes[g]` from `item_starts[g]` on. `lock_groups` and `lock_skills` pair each group with the skills that must be
    mastered before it is open; `locked` are the groups with such skills, whose pairs begin at `lock_starts`. `prerequisites[s]` are the
    skills that skill s builds on directly."""

    course: str
    number: int
    skills: tuple[PublishedSkill, ...]
    skill_index: Index
    items: tuple[str, ...]
    revisions: tuple[int, ...]
    item_index: Index
    item_groups: Indexes
    group_skills: Indexes
    group_starts: Indexes
    group_lengths: Indexes
    group_sizes: Indexes
    lock_groups: Indexes
    lock_skills: Indexes
    locked: Indexes
    lock_starts: Indexes
    skill_sets: tuple[tuple[int, ...], ...]
    item_starts: Indexes
    course_key: int
    prerequisites: tuple[tuple[int, ...], ...]

    def skills_of(self, item: int) -> tuple[int, ...]:
        """Returns the indexes of the skills of an item."""
        return self.skill_sets[self.item_groups[item]]


def compiled(publication: Publication) -> Pool:
    """Returns the pool of a publication."""
    skills = _all_skills(publication)
    number_of = {skill.id: number for number, skill in enumerate(skills)}
    groups: dict[tuple[int, ...], int] = {}
    grouped = sorted(
        (groups.setdefault(tuple(sorted({number_of[each] for each in item.skills})), len(groups)), item.id, item.revision)
        for item in publication.items
    )
    locks = _locks(list(groups), closure({s.id: s.prerequisites for s in skills}), [s.id for s in skills], number_of)
    lock_groups = np.array([group for group, _ in locks], dtype=np.intp)
    lock_starts = np.diff(lock_groups, prepend=-1).nonzero()[0]
    item_groups = np.array([group for group, _, _ in grouped], dtype=np.intp)
    lengths = np.array([len(group) for group in groups], dtype=np.intp)
    sizes = np.bincount(item_groups, minlength=len(groups)).astype(np.intp)
    return Pool(
        course=publication.course,
        number=publication.number,
        skills=skills,
        skill_index=Index.of([each.id for each in skills]),
        items=tuple(name for _, name, _ in grouped),
        revisions=tuple(revision for _, _, revision in grouped),
        item_index=Index.of([name for _, name, _ in grouped]),
        item_groups=item_groups,
        group_skills=np.array([skill for group in groups for skill in group], dtype=np.intp),
        group_starts=np.append(0, np.cumsum(lengths)),
        group_lengths=lengths,
        group_sizes=sizes,
        lock_groups=lock_groups,
        lock_skills=np.array([skill for _, skill in locks], dtype=np.intp),
        locked=lock_groups[lock_starts],
        lock_starts=lock_starts,
        skill_sets=tuple(groups),
        item_starts=np.append(0, np.cumsum(sizes))[:-1].astype(np.intp),
        course_key=key_of(publication.course),
        prerequisites=tuple(tuple(number_of[p] for p in each.prerequisites if p in number_of) for each in skills),
    )


def _all_skills(publication: Publication) -> tuple[PublishedSkill, ...]:
    known = {each.id for each in publication.skills}
    unlisted = sorted({skill for item in publication.items for skill in item.skills} - known)
    return (*publication.skills, *(PublishedSkill(each, each) for each in unlisted))


def closure(prerequisites: Mapping[str, Sequence[str]]) -> dict[str, frozenset[str]]:
    """Returns all that comes before each skill, however far back. The skills form no cycle; one that is named but absent counts."""
    closed: dict[str, frozenset[str]] = {}
    for skill in prerequisites:
        # Depth first with a stack of our own: a chain may be longer than Python's.
        stack = [skill]
        while stack:
            top = stack[-1]
            waiting = [each for each in prerequisites.get(top, ()) if each not in closed and each not in stack]
            if waiting:
                stack.extend(waiting[:1])
                continue
            stack.pop()
            direct = prerequisites.get(top, ())
            closed[top] = frozenset(direct).union(*(closed.get(each, frozenset()) for each in direct))
    return closed


def _locks(
    groups: Sequence[tuple[int, ...]],
    before: Mapping[str, frozenset[str]],
    names: Sequence[str],
    number_of: Mapping[str, int],
) -> list[tuple[int, int]]:
    """Returns (group, skill) for every skill that must be mastered before a group is open, those of a group one after another.

    Groups open in rounds. A skill that no item can bring a learner to master before the group (no item practises it, or only items
    that wait for the group itself) does not lock it: otherwise the group would be closed for ever. So every pool has an open item.
    """
    waits = [{number_of[p] for skill in group for p in before[names[skill]] if p in number_of} for group in groups]
    locks: list[tuple[int, int]] = []
    attainable: set[int] = set()
    pending = list(range(len(groups)))
    while pending:
        practised = {skill for group in pending for skill in groups[group]} - attainable
        opening = (
            [group for group in pending if not waits[group] & practised]
            or [group for group in pending if not (waits[group] - set(groups[group])) & practised]
            or pending
        )
        locks.extend((group, skill) for group in opening for skill in sorted(waits[group] & attainable))
        attainable.update(skill for group in opening for skill in groups[group])
        opened = set(opening)
        pending = [group for group in pending if group not in opened]
    return locks
