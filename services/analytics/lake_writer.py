"""Brings a topic into its table of the lake, each event once."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import structlog
from prometheus_client import Counter

from domain.analytics.lake import LakeConflict, LakeTable, Offsets, Pseudonyms, Row, TableStore
from domain.shared.errors import Unavailable
from services.analytics.lake_rows import LogMessage, NotARow, pseudonymised, quarantined, row_of

log = structlog.get_logger()

rows_written = Counter("paideia_lake_rows_total", "Events by table and what became of them", ["table", "outcome"])

_PAUSE_SECONDS = 1.0


class Source(Protocol):
    """A topic from some offsets on."""

    async def batch(self, most: int, seconds: float) -> Sequence[LogMessage]: ...


OpenSource = Callable[[str, Offsets], AbstractAsyncContextManager[Source]]


@dataclass(frozen=True, slots=True)
class LakeWriter:
    """Reads from where the table ends, converts, appends. Begins anew from there after whatever fails: the table alone says how far it is.

    A batch is what comes within `longest`, `most` events at most.
    """

    definition: LakeTable
    table: TableStore
    quarantine: TableStore
    pseudonyms: Pseudonyms
    open_source: OpenSource
    most: int = 100_000
    longest: timedelta = timedelta(seconds=30)

    async def run(self) -> None:
        """Writes until cancelled; outlives the log, the catalog and the object store."""
        while True:
            try:
                await self._follow()
            except (Unavailable, LakeConflict, OSError) as error:
                log.warning("the lake's writer begins anew", table=self.definition.name, error=str(error))
            except Exception:  # the other tables' writers go on
                log.exception("the lake's writer failed and begins anew", table=self.definition.name)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _follow(self) -> None:
        start = await self.table.offsets()
        async with self.open_source(self.definition.topic, start) as source:
            reached = dict(start)
            while True:
                batch = await source.batch(self.most, self.longest.total_seconds())
                if batch:
                    reached |= {each.partition: each.offset + 1 for each in batch}
                    # A batch without new rows makes no commit: the next one that does carries the offsets over it.
                    if await self.write(batch, reached, start):
                        start = dict(reached)

    async def write(self, batch: Sequence[LogMessage], reached: Offsets, start: Offsets) -> int:
        """Appends a batch and returns how many rows were new. Raises LakeConflict, Unavailable."""
        rows, refused = await asyncio.to_thread(_converted, batch)
        if refused:
            rows_written.labels(self.definition.name, "quarantined").inc(await self.quarantine.append(refused, {}))
        kept = await self._pseudonymised(rows)
        added = await self.table.append(kept, reached, start) if kept else 0
        rows_written.labels(self.definition.name, "written").inc(added)
        rows_written.labels(self.definition.name, "repeated").inc(len(kept) - added)
        rows_written.labels(self.definition.name, "erased").inc(len(rows) - len(kept))
        log.info("lake", table=self.definition.name, rows=added, repeated=len(kept) - added, quarantined=len(refused))
        return added

    async def _pseudonymised(self, rows: Sequence[dict[str, object]]) -> list[Row]:
        """Leaves out what is about people who were erased."""
        learners: defaultdict[str, set[str]] = defaultdict(set)
        for row in rows:
            learners[str(row["organization"])].add(str(row["learner"]))
        names = {organization: await self.pseudonyms.of(organization, sorted(each)) for organization, each in learners.items()}
        named = ((row, names[str(row["organization"])].get(str(row["learner"]))) for row in rows)
        return [pseudonymised(row, name) for row, name in named if name is not None]


def _converted(batch: Sequence[LogMessage]) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """The rows of a batch, and those that stand for what no table takes."""
    rows, refused = [], []
    for message in batch:
        try:
            rows.append(row_of(message))
        except NotARow as reason:
            refused.append(quarantined(message, str(reason)))
    return rows, refused
