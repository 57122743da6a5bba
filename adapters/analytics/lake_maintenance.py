"""Keeps the lake tidy: small files into big ones, old snapshots and old days away, and files that nothing names any more removed.

Every step is one commit of its own, which carries the offsets of the table on, and may be repeated; none changes what a query sees, but
`drop_before`.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import structlog
from pyarrow.fs import FileSelector, FileSystem, FileType
from pyiceberg.exceptions import CommitFailedException, ValidationException
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.io.pyarrow import ArrowScan, PyArrowFileIO
from pyiceberg.table import FileScanTask, Table

from adapters.analytics.iceberg import IcebergLake, in_order, offsets_of, outages_told, summary_of, write
from adapters.analytics.iceberg_filters import Partition, below, partition_of
from adapters.analytics.known_events import events_in, files_in
from domain.analytics.lake import LakeConflict, LakeTable
from domain.shared.errors import Unavailable

log = structlog.get_logger()
T = TypeVar("T")

SMALL_BYTES = 32 * 1024 * 1024
_MOST_ROWS = 2_000_000
_MOST_BYTES = 128 * 1024 * 1024
_TRIALS = 5
_UPKEEP_SECONDS = 3_600.0


@dataclass(frozen=True, slots=True)
class TableFacts:
    """A table as it is now; `small_files` are those that compaction would look at."""

    name: str
    rows: int
    files: int
    small_files: int
    bytes: int
    snapshots: int
    newest: datetime | None


def facts_of(name: str, table: Table) -> TableFacts:
    snapshot = table.current_snapshot()
    files = [each.file for each in table.scan().plan_files()]
    return TableFacts(
        name=name,
        rows=sum(each.record_count for each in files),
        files=len(files),
        small_files=sum(each.file_size_in_bytes < SMALL_BYTES for each in files),
        bytes=sum(each.file_size_in_bytes for each in files),
        snapshots=len(table.snapshots()),
        newest=datetime.fromtimestamp(snapshot.timestamp_ms / 1000, UTC) if snapshot else None,
    )


def compact(reload: Callable[[], Table], least: int = 2) -> tuple[int, int]:
    """Makes one file of `least` small ones or more of the same partition; returns how many files it replaced and by how many."""
    small: defaultdict[Partition, list[FileScanTask]] = defaultdict(list)
    for task in reload().scan().plan_files():
        if task.file.file_size_in_bytes < SMALL_BYTES:
            small[partition_of(task.file)].append(task)
    before = after = 0
    for partition, tasks in small.items():
        for group in _groups(tasks) if len(tasks) >= least else ():
            after += _repeated(reload, partial(_merge, partition=partition, tasks=group))
            before += len(group)
    return before, after


def _groups(tasks: Sequence[FileScanTask]) -> Iterator[list[FileScanTask]]:
    """Puts files together as long as the rows fit into memory; a file that would stay alone stays as it is."""
    group: list[FileScanTask] = []
    for task in sorted(tasks, key=lambda each: each.file.file_size_in_bytes):
        rows = sum(each.file.record_count for each in (*group, task))
        size = sum(each.file.file_size_in_bytes for each in (*group, task))
        if group and (rows > _MOST_ROWS or size > _MOST_BYTES):
            if len(group) > 1:
                yield group
            group = []
        group.append(task)
    if len(group) > 1:
        yield group


def _merge(table: Table, partition: Partition, tasks: Sequence[FileScanTask]) -> int:
    rows = ArrowScan(table.metadata, table.io, table.schema(), AlwaysTrue()).to_table(tasks)
    expected = sum(each.file.record_count for each in tasks)
    if rows.num_rows != expected:
        raise RuntimeError(f"{rows.num_rows} rows were read where the table has {expected}")
    merged = write(table, {partition: in_order(rows)})
    with table.transaction() as transaction, transaction.update_snapshot(summary_of(offsets_of(table))).overwrite() as change:
        for each in tasks:
            change.delete_data_file(each.file)
        for file in merged:
            change.append_data_file(file)
    return len(merged)


def expire(reload: Callable[[], Table], before: datetime) -> int:
    """Forgets snapshots older than `before`, the newest apart, and the one that says the offsets; returns how many."""

    def expired(table: Table) -> int:
        kept, snapshot = set(), table.current_snapshot()
        while snapshot is not None:
            kept.add(snapshot.snapshot_id)
            parent = snapshot.parent_snapshot_id
            if any(
                name.startswith("paideia.offset.")
                for name in (snapshot.summary.additional_properties if snapshot.summary else {})
            ):
                break
            snapshot = table.snapshot_by_id(parent) if parent is not None else None
        old = [
            each.snapshot_id
            for each in table.snapshots()
            if each.timestamp_ms < before.timestamp() * 1000 and each.snapshot_id not in kept
        ]
        if old:
            table.maintenance.expire_snapshots().by_ids(old).commit()
        return len(old)

    return _repeated(reload, expired)


def drop_before(reload: Callable[[], Table], day: datetime) -> int:
    """Removes the days before `day` (its midnight, UTC) from the table; returns how many files they were. Older snapshots still have them."""
    midnight = day.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    old = below("time", midnight.isoformat())

    def dropped(table: Table) -> int:
        files = sum(1 for _ in table.scan(row_filter=old).plan_files())
        if files:
            table.delete(old, snapshot_properties=summary_of(offsets_of(table)))
        return files

    return _repeated(reload, dropped)


def orphans(table: Table, before: datetime) -> dict[str, int]:
    """Returns the files below the table that no snapshot and no metadata names, older than `before`, with their bytes.

    What a writer is about to commit is no orphan: let `before` be longer ago than any commit takes.
    """
    named = set(_named(table))
    files, root = _files(table)
    listed = files.get_file_info(FileSelector(root, recursive=True, allow_not_found=True))
    return {
        each.path: each.size
        for each in listed
        if each.type is FileType.File and each.mtime is not None and each.mtime < before and each.path not in named
    }


def remove_orphans(reload: Callable[[], Table], before: datetime) -> tuple[int, int]:
    """Deletes them; returns how many files and how many bytes they were."""
    table = reload()
    found = orphans(table, before)
    files, _ = _files(table)
    for path in found:
        files.delete_file(path)
    return len(found), sum(found.values())


def missing(table: Table) -> list[str]:
    """Returns the files of the newest snapshot that are not there, or not as long as they should be."""
    files, _ = _files(table)
    wanted = {_path(each.file.file_path): each.file.file_size_in_bytes for each in table.scan().plan_files()}
    return [
        each.path
        for each in files.get_file_info(list(wanted))
        if each.type is not FileType.File or each.size != wanted[each.path]
    ]


def findings(table: Table) -> dict[str, int]:
    """Returns what a look at the whole table finds. It reads the ids of all events, a partition at a time."""
    gone = missing(table)
    day_ago = datetime.now(UTC) - timedelta(days=1)
    old = orphans(table, day_ago)
    repeated = 0
    if not gone:
        for partition in sorted({partition_of(each.file) for each in table.scan().plan_files()}):
            ids = [events_in(table, path) for path in files_in(table, partition)]
            repeated += sum(map(len, ids)) - len(pc.unique(pa.concat_arrays(ids)))
    return {
        "missing_files": len(gone),
        "repeated_events": repeated,
        "orphan_files": len(old),
        "orphan_bytes": sum(old.values()),
    }


def _named(table: Table) -> Iterator[str]:
    yield _path(table.metadata_location)
    yield from (_path(each.metadata_file) for each in table.metadata.metadata_log)
    manifests = set()
    for snapshot in table.snapshots():
        yield _path(snapshot.manifest_list)
        for manifest in snapshot.manifests(table.io):
            if manifest.manifest_path not in manifests:
                manifests.add(manifest.manifest_path)
                yield _path(manifest.manifest_path)
                yield from (
                    _path(each.data_file.file_path) for each in manifest.fetch_manifest_entry(table.io, discard_deleted=False)
                )


def _files(table: Table) -> tuple[FileSystem, str]:
    if not isinstance(table.io, PyArrowFileIO):
        raise TypeError(f"the lake's files are read by pyarrow, not by {type(table.io).__name__}")
    scheme, place, path = table.io.parse_location(table.location())
    return table.io.fs_by_scheme(scheme, place), path


def _path(location: str) -> str:
    return PyArrowFileIO.parse_location(location)[2]


def _repeated(reload: Callable[[], Table], step: Callable[[Table], T]) -> T:
    """Takes a step again on the table as it is then, when a writer was quicker. Raises LakeConflict."""
    for _ in range(_TRIALS):
        try:
            with outages_told():
                return step(reload())
        except (CommitFailedException, ValidationException):
            continue
    raise LakeConflict("the table changed under every trial: repeat it")


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What the writing process does for the lake every hour: compaction where many small files came, snapshots and orphans of old away."""

    lake: IcebergLake
    definitions: Sequence[LakeTable]
    keep_snapshots: timedelta = timedelta(days=1)
    least_files: int = 16

    async def run(self) -> None:
        while True:
            await asyncio.sleep(_UPKEEP_SECONDS)
            for definition in self.definitions:
                try:
                    await asyncio.to_thread(self.tidy, definition)
                except (Unavailable, LakeConflict, OSError) as error:
                    log.warning("the lake's upkeep waits for its next turn", table=definition.name, error=str(error))

    def tidy(self, definition: LakeTable) -> None:
        """Does it now. Blocks."""

        def reload() -> Table:
            return self.lake.table(definition)

        before = datetime.now(UTC) - self.keep_snapshots
        replaced, by = compact(reload, self.least_files)
        snapshots = expire(reload, before)
        files, size = remove_orphans(reload, before)
        log.info(
            "lake upkeep", table=definition.name, replaced=replaced, by=by, snapshots=snapshots, orphans=files, orphan_bytes=size
        )
