"""What the scheduler keeps of one learner: mastery, ability and the memory of every answered item, as compact columns.

The state at sequence n is a pure function of the learner's updates 1 to n. Therefore whoever holds a higher sequence knows more, and
"keep what is newer" is all the concurrency control that its stores need.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import TypeAlias

import numpy as np

from domain.psychometrics.sm2 import MemoryState, again_today, quality_of, review
from domain.scheduler.model import ProgressUpdate

Table: TypeAlias = np.ndarray[tuple[int], np.dtype[np.void]]

# Ids are kept as 64-bit hashes: two of 10,000 items share one with a probability of 3 in 10^12.
ITEM = np.dtype(
    [
        ("key", "<u8"),
        ("answered_at", "<f8"),  # Unix seconds
        ("due_at", "<f8"),  # Unix seconds
        ("interval", "<f4"),  # days
        ("ease", "<f8"),  # binary rounding in single precision would add days
        ("repetitions", "<u2"),
        ("attempts", "<u2"),
        ("correct", "<u2"),
        ("passed", "<u2"),  # 1 if the last answer was fully right
    ]
)
SKILL = np.dtype([("key", "<u8"), ("mean", "<f4"), ("lower", "<f4"), ("upper", "<f4"), ("attempts", "<u4")])
ABILITY = np.dtype([("key", "<u8"), ("mean", "<f4"), ("error", "<f4")])
RECENT = np.dtype("<u8")
RECENT_LENGTH = 32
_DAY = 86_400.0
_MOST = 65_535
_MANY = 16


@lru_cache(maxsize=200_000)
def key_of(name: str) -> int:
    """Returns the 64-bit key that stands for an id in a learner's state."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little")


@dataclass(frozen=True, slots=True)
class LearnerState:
    """`sequence` is the last update that is in it; `recent` holds the keys of the last answered items, newest last. `lineage` names the
    exact series of updates that made it: a 64-bit hash of each update and the lineage before it, 0 before the first."""

    sequence: int
    items: Table
    skills: Table
    abilities: Table
    recent: np.ndarray[tuple[int], np.dtype[np.uint64]]
    lineage: int = 0

    @classmethod
    def new(cls) -> "LearnerState":
        """The state of a learner who never answered."""
        return _NEW

    def following(self, updates: Iterable[ProgressUpdate]) -> list[ProgressUpdate]:
        """Returns those of the updates, given in order, that come right after what the state has, without a gap."""
        following: list[ProgressUpdate] = []
        for update in updates:
            if update.sequence == self.sequence + len(following) + 1:
                following.append(update)
        return following

    def after(self, updates: Iterable[ProgressUpdate]) -> "LearnerState":
        """Returns the state after the updates of this learner, given in order; those it already knows change nothing."""
        fresh = [each for each in updates if each.sequence > self.sequence]
        if not fresh:
            return self
        items = _Rows(self.items, ITEM, len(fresh))
        skills = _Rows(self.skills, SKILL, sum(len(each.skills) for each in fresh))
        abilities = _Rows(self.abilities, ABILITY, len(fresh))
        recent = [int(each) for each in self.recent]
        sequence, lineage = self.sequence, self.lineage
        for update in fresh:
            if update.sequence <= sequence:
                continue
            sequence, lineage = update.sequence, _following(lineage, update)
            item = key_of(update.item)
            row = items.row(item)
            items.table[row] = _answered(items.table[row].tolist(), update)
            for skill in update.skills:
                skills.table[skills.row(key_of(skill.skill))] = (
                    key_of(skill.skill),
                    skill.mean,
                    skill.lower,
                    skill.upper,
                    skill.attempts,
                )
            course = key_of(update.course)
            abilities.table[abilities.row(course)] = (course, update.ability, update.ability_error)
            if item in recent:
                recent.remove(item)
            recent.append(item)
        return LearnerState(
            sequence, items.used(), skills.used(), abilities.used(), np.array(recent[-RECENT_LENGTH:], dtype=RECENT), lineage
        )


_NEW = LearnerState(0, np.empty(0, ITEM), np.empty(0, SKILL), np.empty(0, ABILITY), np.empty(0, RECENT))


class _Rows:
    """A copy of a table with room for new keys. One key is looked for in the column, many in a dictionary made once."""

    def __init__(self, table: Table, dtype: np.dtype[np.void], room: int) -> None:
        self.table: Table = np.zeros(len(table) + room, dtype)
        self.table[: len(table)] = table
        self._length = len(table)
        self._keys = self.table["key"]
        self._row_of = {key: row for row, key in enumerate(table["key"].tolist())} if room > _MANY else None

    def row(self, key: int) -> int:
        """Returns the row of a key, a new one if it has none."""
        if self._row_of is not None:
            row = self._row_of.setdefault(key, self._length)
            if row < self._length:
                return row
        elif len(found := np.flatnonzero(self._keys[: self._length] == np.uint64(key))):
            return int(found[0])
        self._keys[self._length] = key
        self._length += 1
        return self._length - 1

    def used(self) -> Table:
        return self.table[: self._length]


def _following(lineage: int, update: ProgressUpdate) -> int:
    """Returns the lineage after an update; every field counts, floats to the last digit."""
    content = (
        f"{lineage} {update.sequence} {update.course} {update.item} {update.score!r} {update.correct} {update.ability!r} "
        f"{update.ability_error!r} {update.answered_at!r} {update.response_seconds!r} {update.skills!r}"
    )
    return int.from_bytes(blake2b(content.encode(), digest_size=8).digest(), "little")


def _answered(row: tuple[int, float, float, float, float, int, int, int, int], update: ProgressUpdate) -> tuple[float, ...]:
    """Returns an item's row after an answer.

    A repetition counts for SM-2 when the item was due; a right answer before that says nothing about forgetting and leaves the memory
    state as it is, while a wrong one always counts.
    """
    key, answered_at, due_at, interval, ease, repetitions, attempts, correct, _ = row
    now = max(update.answered_at, answered_at)
    quality = quality_of(update.score, update.response_seconds)
    if not attempts or now >= due_at or quality < 3:
        memory = review(MemoryState(repetitions, interval, ease) if attempts else MemoryState(), quality)
        repetitions, interval, ease = memory.repetitions, memory.interval, memory.ease
        due_at = now if again_today(quality) else now + interval * _DAY
    return (
        key,
        now,
        due_at,
        interval,
        ease,
        min(repetitions, _MOST),
        min(attempts + 1, _MOST),
        min(correct + update.correct, _MOST),
        int(update.correct),
    )
