"""What the scheduler keeps of one learner: mastery, ability and the memory of every answered item, as compact columns.

The state at sequence n and revision r is a pure function of the learner's updates 1 to n and repairs 1 to r. Therefore whoever holds a
higher version (n, r) knows more of the attempts or, of the same attempts, better, and "keep what is newer" is all the concurrency control
that its stores need.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import TypeAlias

import numpy as np

from domain.psychometrics.sm2 import MemoryState, again_today, quality_of, review
from domain.scheduler.model import LearnerUpdate, ProgressUpdate, Repair, SkillMastery

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
# Both together fit into the 53 bits in which any store can compare them as one number.
MOST_UPDATES = 2**33 - 1
MOST_REPAIRS = 2**20 - 1
_DAY = 86_400.0
_MOST = 65_535
_MANY = 16


@lru_cache(maxsize=200_000)
def key_of(name: str) -> int:
    """Returns the 64-bit key that stands for an id in a learner's state."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little")


@dataclass(frozen=True, slots=True)
class LearnerState:
    """`sequence` is the last update that is in it and `revision` the last repair, 0 if there was none; `recent` holds the keys of the last
    answered items, newest last. `lineage` names the exact series of updates and repairs that made it: a 64-bit hash of each and the
    lineage before it, 0 before the first."""

    sequence: int
    items: Table
    skills: Table
    abilities: Table
    recent: np.ndarray[tuple[int], np.dtype[np.uint64]]
    lineage: int = 0
    revision: int = 0

    @property
    def version(self) -> tuple[int, int]:
        """What two states of a learner are compared by: the higher one is kept."""
        return self.sequence, self.revision

    @classmethod
    def new(cls) -> "LearnerState":
        """The state of a learner who never answered."""
        return _NEW

    def following(self, updates: Iterable[LearnerUpdate]) -> list[LearnerUpdate]:
        """Returns those of the updates, given in order, that come right after what the state has, without a gap."""
        following: list[LearnerUpdate] = []
        sequence, revision = self.version
        for update in updates:
            if update.version in ((sequence + 1, 0), (sequence, revision + 1)):
                following.append(update)
                sequence, revision = update.sequence, max(revision, update.version[1])
        return following

    def after(self, updates: Iterable[LearnerUpdate]) -> "LearnerState":
        """Returns the state after the updates of this learner, given in order; those it already knows change nothing.

        A repair replaces mastery and abilities. What is known of the items' memory stays: it follows from the answers alone.
        """
        fresh = [each for each in updates if each.version > self.version]
        if not fresh:
            return self
        room = sum(len(each.skills) for each in fresh)
        courses = sum(len(each.abilities) if isinstance(each, Repair) else 1 for each in fresh)
        items = _Rows(self.items, ITEM, len(fresh))
        skills = _Rows(self.skills, SKILL, room)
        abilities = _Rows(self.abilities, ABILITY, courses)
        recent: list[int] = self.recent.tolist()
        sequence, revision, lineage = self.sequence, self.revision, self.lineage
        for update in fresh:
            if update.version <= (sequence, revision):
                continue
            sequence, lineage = update.sequence, lineage_after(lineage, update)
            if isinstance(update, Repair):
                revision = update.revision
                skills, abilities = _Rows(_NEW.skills, SKILL, room), _Rows(_NEW.abilities, ABILITY, courses)
                for each in update.abilities:
                    _tell_ability(abilities, each.course, each.mean, each.error)
            else:
                item = key_of(update.item)
                row = items.row(item)
                items.table[row] = _answered(items.table[row].tolist(), update)
                _tell_ability(abilities, update.course, update.ability, update.ability_error)
                if item in recent:
                    recent.remove(item)
                recent.append(item)
            _tell_skills(skills, update.skills)
        return LearnerState(
            sequence,
            items.used(),
            skills.used(),
            abilities.used(),
            np.array(recent[-RECENT_LENGTH:], dtype=RECENT),
            lineage,
            revision,
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
        elif len(found := (self._keys[: self._length] == np.uint64(key)).nonzero()[0]):
            return int(found[0])
        self._keys[self._length] = key
        self._length += 1
        return self._length - 1

    def used(self) -> Table:
        return self.table[: self._length]


def _tell_skills(rows: _Rows, skills: Iterable[SkillMastery]) -> None:
    for each in skills:
        key = key_of(each.skill)
        rows.table[rows.row(key)] = (key, each.mean, each.lower, each.upper, each.attempts)


def _tell_ability(rows: _Rows, course: str, mean: float, error: float) -> None:
    key = key_of(course)
    rows.table[rows.row(key)] = (key, mean, error)


def lineage_after(lineage: int, update: LearnerUpdate) -> int:
    """Returns the lineage after an update; every field counts, floats to the last digit."""
    if isinstance(update, Repair):
        content = f"{lineage} {update.sequence} repair {update.revision} {update.abilities!r} {_written(update.skills)}"
    else:
        content = (
            f"{lineage} {update.sequence} {update.course} {update.item} {update.score!r} {update.correct} {update.ability!r} "
            f"{update.ability_error!r} {update.answered_at!r} {update.response_seconds!r} {_written(update.skills)}"
        )
    return int.from_bytes(blake2b(content.encode(), digest_size=8).digest(), "little")


def _written(skills: Sequence[SkillMastery]) -> str:
    """Returns `repr(skills)` as it was when the first lineage was kept; it may never change."""
    written = [
        f"SkillMastery(skill={each.skill!r}, mean={each.mean!r}, lower={each.lower!r}, upper={each.upper!r}, attempts={each.attempts!r})"
        for each in skills
    ]
    return f"({written[0]},)" if len(written) == 1 else f"({', '.join(written)})"


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
