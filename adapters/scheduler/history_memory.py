"""What decisions are made again from, in memory, for tests and simulations."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from adapters.scheduler.memory import MemoryStore
from domain.scheduler.difficulties import DifficultyEpoch
from domain.scheduler.model import CourseNotPublished, LearnerUpdate, Publication
from domain.scheduler.ports import DifficultyEpochRepository, HistoryUnit, PublicationHistory, UpdateRepository


@dataclass
class _Kept:
    updates: dict[tuple[str, tuple[int, int]], LearnerUpdate] = field(default_factory=dict)
    epochs: dict[tuple[str, int], DifficultyEpoch] = field(default_factory=dict)

    def copy(self) -> "_Kept":
        return _Kept(dict(self.updates), dict(self.epochs))


class _Updates(UpdateRepository):
    def __init__(self, kept: _Kept) -> None:
        self._kept = kept.updates

    async def add(self, updates: Sequence[LearnerUpdate]) -> None:
        for each in updates:
            self._kept.setdefault((each.learner, each.version), each)

    async def of(self, learner: str, up_to: int) -> list[LearnerUpdate]:
        return [self._kept[key] for key in sorted(self._kept) if key[0] == learner and key[1][0] <= up_to]


class _Epochs(DifficultyEpochRepository):
    def __init__(self, kept: _Kept) -> None:
        self._kept = kept.epochs

    async def between(self, course: str, after: int, up_to: int | None = None) -> list[DifficultyEpoch]:
        own = [self._kept[key] for key in sorted(self._kept) if key[0] == course and (up_to is None or key[1] <= up_to)]
        first = max([after + 1, *(each.number for each in own if each.complete)])
        return [each for each in own if each.number >= first]

    async def add(self, course: str, epoch: DifficultyEpoch) -> bool:
        return self._kept.setdefault((course, epoch.number), epoch) is epoch


class _Publications(PublicationHistory):
    def __init__(self, held: dict[tuple[str, int], Publication]) -> None:
        self._held = held

    async def numbered(self, course: str, number: int) -> Publication:
        if (found := self._held.get((course, number))) is None:
            raise CourseNotPublished(f"course {course} has no publication {number}")
        return found


class MemoryHistories:
    """What the histories of all organizations share, beside a store with their publications."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.kept: defaultdict[str, _Kept] = defaultdict(_Kept)

    def unit(self, organization: str) -> "MemoryHistory":
        return MemoryHistory(self, organization)


class MemoryHistory(HistoryUnit):
    def __init__(self, histories: MemoryHistories, organization: str) -> None:
        self._histories = histories
        self._organization = organization

    async def __aenter__(self) -> Self:
        self._kept = self._histories.kept[self._organization].copy()
        self.updates = _Updates(self._kept)
        self.epochs = _Epochs(self._kept)
        self.publications = _Publications(self._histories.store.rows[self._organization].publications)
        return self

    async def __aexit__(self, *error: object) -> None:
        return None

    async def commit(self) -> None:
        held = self._histories.kept[self._organization]
        held.updates = self._kept.updates | held.updates
        held.epochs = self._kept.epochs | held.epochs
