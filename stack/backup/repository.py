"""The folder that backups are in, and what a backup says about itself.

objects/ab/ab12…             contents, by their SHA-256: each is there once, however many backups have it
backups/<id>/manifest.json   what the backup consists of; written last, so a backup without one was never finished
"""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

_CHUNK = 1 << 20
_ID = re.compile(r"\d{8}T\d{6}-[0-9a-f]{4}")
FULL, INCREMENTAL = "full", "incremental"
Progress = Callable[[str, int, int], None]
"""Is told what is being done, how much of it is done, and how much there is."""


class BackupFailed(Exception):
    """A backup cannot be made, found or restored, for the reason in its text."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: its path below its root, its content, and when it was written, in nanoseconds since 1970."""

    path: str
    sha256: str
    size: int
    written_ns: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """`point_ns` is the moment that the backup is of, `restore_point` its name in the write-ahead log."""

    id: str
    kind: str
    point_ns: int
    restore_point: str
    lineage: str
    """Names the time in which the write-ahead log was kept without a gap."""
    system_identifier: str
    seconds: float
    offsets: tuple[Entry, ...]
    """The consumers' offsets as they were before the point, below the folder of objects."""
    base: tuple[Entry, ...]
    """The files of pg_basebackup; none in an incremental backup."""
    wal: tuple[Entry, ...]
    """Segments that were finished since the backup before."""
    objects: tuple[Entry, ...]
    """Below the folder of objects."""
    files: tuple[Entry, ...]
    """Below the home's folder of data."""
    sealed: Entry
    """The rest of the home, encrypted."""
    version: int = 1

    @property
    def point(self) -> datetime:
        return moment(self.point_ns)

    @property
    def entries(self) -> Iterator[Entry]:
        yield from (*self.offsets, *self.base, *self.wal, *self.objects, *self.files, self.sealed)

    @property
    def size(self) -> int:
        """Bytes of everything that it consists of, shared or not."""
        return sum(each.size for each in self.entries)


@dataclass(frozen=True, slots=True)
class Damage:
    """A content that is not what a manifest says."""

    backup: str
    path: str
    what: str


@dataclass(slots=True)
class Verified:
    backups: int = 0
    contents: int = 0
    bytes: int = 0
    damages: list[Damage] = field(default_factory=list)


class Repository:
    """Contents are written whole under a draft's name and then renamed: what has a name is complete."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._objects = path / "objects"
        self._backups = path / "backups"

    def create(self) -> None:
        for each in (self.path, self._objects, self._backups):
            each.mkdir(parents=True, exist_ok=True)
            each.chmod(0o700)

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Keeps others from adding and removing: contents of a backup that is not finished belong to none yet. Raises BackupFailed."""
        with (self.path / ".lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BackupFailed(f"another command is writing to {self.path}: try again when it has ended") from None
            yield

    def new_id(self, now: datetime) -> str:
        return f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"

    def keep(self, source: BinaryIO, path: str, written_ns: int) -> Entry:
        """Copies a content, unless it is here, and describes it."""
        draft = self._objects / f".draft.{os.getpid()}.{secrets.token_hex(4)}"
        digest, size = hashlib.sha256(), 0
        try:
            with draft.open("wb") as file:
                while chunk := source.read(_CHUNK):
                    digest.update(chunk)
                    file.write(chunk)
                    size += len(chunk)
                entry = Entry(path, digest.hexdigest(), size, written_ns)
                kept = self.content(entry)
                if not kept.exists():
                    file.flush()
                    os.fsync(file.fileno())
                    kept.parent.mkdir(exist_ok=True)
                    draft.rename(kept)
        finally:
            draft.unlink(missing_ok=True)
        return entry

    def content(self, entry: Entry) -> Path:
        return self._objects / entry.sha256[:2] / entry.sha256

    def has(self, entry: Entry) -> bool:
        return self.content(entry).exists()

    def finish(self, manifest: Manifest) -> None:
        """Makes the backup one."""
        folder = self._backups / manifest.id
        folder.mkdir()
        draft = folder / ".manifest"
        with draft.open("w") as file:
            json.dump(asdict(manifest), file)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(folder / "manifest.json")

    def manifests(self) -> list[Manifest]:
        """The finished backups, oldest first. Raises BackupFailed when one cannot be read."""
        found = [_read(each) for each in self._backups.glob("*/manifest.json") if _ID.fullmatch(each.parent.name)]
        return sorted(found, key=lambda each: each.point_ns)

    def verify(self, manifests: Iterable[Manifest], progress: Progress) -> Verified:
        """Reads every content of these backups once, and compares it with its name and size."""
        found = Verified()
        wanted = {each.sha256: (manifest.id, each) for manifest in manifests for each in manifest.entries}
        found.backups = len({backup for backup, _ in wanted.values()}) if wanted else 0
        for number, (backup, entry) in enumerate(wanted.values()):
            progress("contents", number, len(wanted))
            found.contents += 1
            found.bytes += entry.size
            if damage := self._damage(entry):
                found.damages.append(Damage(backup, entry.path, damage))
        return found

    def _damage(self, entry: Entry) -> str:
        try:
            with self.content(entry).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            return f"cannot be read: {error.strerror}"
        return "" if digest == entry.sha256 else "is not what was backed up"

    def forget(self, manifests: Iterable[Manifest]) -> tuple[int, int]:
        """Removes backups, and contents that no other backup has. Returns how many contents, and their bytes. Raises BackupFailed."""
        if not self.path.exists():
            return 0, 0
        with self.writing():
            return self._forget(manifests)

    def _forget(self, manifests: Iterable[Manifest]) -> tuple[int, int]:
        for each in manifests:
            # First the manifest: what is left of an interrupted removal is no backup.
            (self._backups / each.id / "manifest.json").unlink(missing_ok=True)
            shutil.rmtree(self._backups / each.id, ignore_errors=True)
        used = {entry.sha256 for manifest in self.manifests() for entry in manifest.entries}
        count = size = 0
        for content in self._objects.glob("*/*"):
            if content.name not in used:
                with contextlib.suppress(FileNotFoundError):
                    size += content.stat().st_size
                    content.unlink()
                    count += 1
        for draft in self._objects.glob(".draft.*"):
            if draft.stat().st_mtime < time.time() - 86_400:
                draft.unlink(missing_ok=True)
        return count, size


def _read(path: Path) -> Manifest:
    try:
        raw = json.loads(path.read_text())
        lists = {name: tuple(Entry(**each) for each in raw[name]) for name in ("offsets", "base", "wal", "objects", "files")}
        return Manifest(**raw | lists | {"sealed": Entry(**raw["sealed"])})
    except (ValueError, TypeError, KeyError) as error:
        raise BackupFailed(f"{path} is no manifest of this release: {error}") from error


def moment(ns: int) -> datetime:
    return datetime.fromtimestamp(ns / 1e9, UTC)


def to_prune(manifests: list[Manifest], keep: int) -> list[Manifest]:
    """Returns those that are older than the newest `keep` full backups: an incremental one goes with the base that it needs."""
    bases = [each for each in manifests if each.kind == FULL]
    if len(bases) <= keep:
        return []
    return [each for each in manifests if each.point_ns < bases[-keep].point_ns]
