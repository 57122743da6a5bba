"""The lake in memory, for tests."""

import hashlib
from collections.abc import Mapping, Sequence

from domain.analytics.lake import LakeConflict, Offsets, Pseudonyms, Row, TableStore


class MemoryTable(TableStore):
    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self._offsets: dict[int, int] = {}

    async def offsets(self) -> Offsets:
        return dict(self._offsets)

    async def append(self, rows: Sequence[Row], offsets: Offsets, start: Offsets | None = None) -> int:
        if start is not None and dict(start) != self._offsets:
            raise LakeConflict("another writer was quicker")
        before = len(self.rows)
        for row in rows:
            self.rows.setdefault(str(row["event_id"]), row)
        if len(self.rows) > before:
            self._offsets |= offsets
        return len(self.rows) - before


class MemoryPseudonyms(Pseudonyms):
    def __init__(self) -> None:
        self._made: dict[tuple[str, str], str] = {}
        self._count = 0

    async def of(self, organization: str, learners: Sequence[str]) -> Mapping[str, str]:
        for learner in learners:
            if (organization, learner) not in self._made:
                self._count += 1
                self._made[organization, learner] = hashlib.sha256(str(self._count).encode()).hexdigest()[:32]
        return {learner: self._made[organization, learner] for learner in learners}

    async def forget(self, organization: str, learner: str) -> bool:
        return self._made.pop((organization, learner), None) is not None
