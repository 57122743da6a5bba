"""Makes a backup of a stack that goes on serving."""

import asyncio
import contextlib
import gzip
import io
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import asyncpg

from stack.backup import topics
from stack.backup.repository import FULL, INCREMENTAL, BackupFailed, Entry, Manifest, Progress, Repository, moment
from stack.backup.sealing import seal
from stack.backup.source import Source
from stack.home import Home
from stack.parts.postgres import SUPERUSER

_ARCHIVING_SECONDS = 120.0
# Without a transaction behind it, recovery to a time just before the restore point would wait for one that never comes.
_MARK_THE_TIME = "SELECT pg_current_xact_id()"


async def create(home: Home, repository: Repository, passphrase: str, full: bool, progress: Progress) -> Manifest:
    """Returns the finished backup: incremental where the write-ahead log was kept since the last full one. Raises BackupFailed."""
    began = time.monotonic()
    source = Source.running(home)
    repository.create()
    with repository.writing():
        return await _create(source, repository, passphrase, full, progress, began)


async def _create(
    source: Source, repository: Repository, passphrase: str, full: bool, progress: Progress, began: float
) -> Manifest:
    home = source.home
    async with source.connection() as connection:
        system = str(await connection.fetchval("SELECT system_identifier FROM pg_control_system()"))
        before = [
            each for each in repository.manifests() if each.lineage == source.lineage() and each.system_identifier == system
        ]
        full = full or not before
        # A full one goes on with what is kept, so that every moment since the one before stays within reach.
        lineage = source.lineage() if before else source.keep_wal()
        offsets = _copy(repository, home.objects, filter(topics.is_offset, list(source.objects())), {})
        base = await _base(source, repository, progress) if full else ()
        now = moment(time.time_ns())
        id = repository.new_id(now)
        segment = await _restore_point(connection, id)
        point_ns = time.time_ns()
        known = {each.path: each for each in before[-1].objects} if before else {}
        objects = _objects(source, repository, known, progress)
        files = _copy(repository, home.data, source.files(), {})
        sealed = repository.keep(io.BytesIO(seal(home.path, list(source.settings()), passphrase)), "home.sealed", point_ns)
        wal = await _wal(source, repository, segment, progress)
    if source.lineage() != lineage:
        raise BackupFailed("more of the write-ahead log was written meanwhile than is kept: try again, it will be a full backup")
    manifest = Manifest(
        id=id,
        kind=FULL if full else INCREMENTAL,
        point_ns=point_ns,
        restore_point=id,
        lineage=lineage,
        system_identifier=system,
        seconds=round(time.monotonic() - began, 2),
        offsets=tuple(offsets),
        base=tuple(base),
        wal=tuple(wal),
        objects=tuple(objects),
        files=tuple(files),
        sealed=sealed,
    )
    repository.finish(manifest)
    for each in wal:
        (home.wal_archive / each.path.removesuffix(".gz")).unlink(missing_ok=True)
    return manifest


async def _base(source: Source, repository: Repository, progress: Progress) -> list[Entry]:
    progress("database", 0, 1)
    with tempfile.TemporaryDirectory(dir=repository.path) as folder:
        await source.base(Path(folder))
        progress("database", 1, 1)
        return _copy(repository, Path(folder), sorted(os.listdir(folder)), {})


async def _restore_point(connection: asyncpg.Connection, name: str) -> str:
    """Sets the restore point, and returns the segment of the write-ahead log that holds it, which is finished now."""
    try:
        async with asyncio.timeout(30):
            segment = await connection.fetchval("SELECT pg_walfile_name(pg_create_restore_point($1))", name)
            await connection.execute(_MARK_THE_TIME)
            await connection.execute("SELECT pg_switch_wal()")
    except (OSError, asyncpg.PostgresError) as error:
        raise BackupFailed(f"{SUPERUSER} could not set a restore point: {error or type(error).__name__}") from error
    return str(segment)


def _objects(source: Source, repository: Repository, known: Mapping[str, Entry], progress: Progress) -> list[Entry]:
    paths = [each for each in source.objects() if not topics.is_of_groups(each)]
    entries: list[Entry] = []
    for number in range(0, len(paths), 100):
        progress("objects", number, len(paths))
        entries += _copy(repository, source.home.objects, paths[number : number + 100], known)
    return entries


def _copy(repository: Repository, root: Path, paths: Iterable[str], known: Mapping[str, Entry]) -> list[Entry]:
    """Copies files that may be replaced or removed meanwhile; those that are `known` and were not written since are only looked at."""
    entries: list[Entry] = []
    for path in paths:
        with contextlib.suppress(FileNotFoundError), (root / path).open("rb") as file:
            facts = os.fstat(file.fileno())
            old = known.get(path)
            if old and (old.size, old.written_ns) == (facts.st_size, facts.st_mtime_ns) and repository.has(old):
                entries.append(old)
            else:
                entries.append(repository.keep(file, path, facts.st_mtime_ns))
    return entries


async def _wal(source: Source, repository: Repository, through: str, progress: Progress) -> list[Entry]:
    """Takes the finished segments, compressed, when the last that is needed is among them."""
    deadline = time.monotonic() + _ARCHIVING_SECONDS
    while not any(each.name == through for each in source.segments()):
        if time.monotonic() > deadline or not source.lineage():
            raise BackupFailed(f"PostgreSQL did not archive {through}: see the log of the part postgres")
        await asyncio.sleep(0.1)
    found = source.segments()
    entries: list[Entry] = []
    for number, segment in enumerate(found):
        progress("write-ahead log", number, len(found))
        entries.append(await asyncio.to_thread(_compressed, repository, segment))
    return entries


def _compressed(repository: Repository, segment: Path) -> Entry:
    with tempfile.TemporaryFile(dir=repository.path) as packed:
        with segment.open("rb") as plain, gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1, mtime=0) as file:
            shutil.copyfileobj(plain, file)
        packed.seek(0)
        return repository.keep(packed, f"{segment.name}.gz", segment.stat().st_mtime_ns)
