"""The lake's files as DuckDB reads them: a range at a time from the object store, with copies of what was read on this machine.

A question about two columns of a table needs a small part of the bytes of its files. A file of the lake never changes once it is written, so
the copy of a block of it is good for ever.
"""

import hashlib
import os
import re
import threading
import time
import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from fsspec import AbstractFileSystem  # type: ignore[import-untyped]
from pyiceberg.io import FileIO, InputStream
from pyiceberg.manifest import DataFile

from adapters.analytics.iceberg import outages_told
from domain.shared.errors import Unavailable

SCHEME = "lake"
_BLOCK = 128 * 1024
_RUN = re.compile("[0-9a-f]{40}-[0-9]+")
# Of a full cache as much as this goes at once: to find out what was used least recently, all of it is looked at.
_SPARE = 1 / 16


class QueryRefused(Exception):
    """The query cannot be answered; the text says why and what would help."""


class FileCache:
    """Copies of runs of blocks below a directory, at most `capacity` bytes of them: the least recently used go.

    A run is a file, named by the lake's file and its first block. Processes may share the directory: what one copies others find when they
    begin.
    """

    def __init__(self, directory: Path, capacity: int) -> None:
        self.directory = directory
        self.capacity = capacity
        self._runs: dict[str, dict[int, Path]] = {}
        """By file and block, the run that has it."""
        self._total = 0
        self._turn = threading.Lock()

    def open(self) -> None:
        """Finds the copies that are there."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with self._turn:
            self._runs.clear()
            self._total = 0
            for path, _, size in self._there():
                self._total += size
                if _RUN.fullmatch(path.name):
                    self._note(path, size)

    def copies(self, file: str, blocks: Sequence[int]) -> dict[int, bytes]:
        """Returns those of the blocks that there are: consecutive ones together, under the number of the first."""
        runs = self._runs.get(file, {})
        found = {}
        for path, some in groupby(blocks, runs.get):
            if path is not None:
                numbers = list(some)
                with suppress(FileNotFoundError), path.open("rb", buffering=0) as copy:
                    copy.seek((numbers[0] - _first(path)) * _BLOCK)
                    found[numbers[0]] = copy.read(len(numbers) * _BLOCK)
                    _used_now(path)
        return found

    def keep(self, file: str, first: int, run: bytes, since: int) -> None:
        """Copies consecutive blocks if there is room beside all that was used `since`, in nanoseconds."""
        path, draft = self.directory / f"{file}-{first}", self.directory / uuid.uuid4().hex
        # Another process may be short of room and remove the draft.
        with self._turn, suppress(FileNotFoundError):
            if self._make_room(len(run), since):
                draft.write_bytes(run)
                _used_now(draft)
                draft.replace(path)
                self._note(path, len(run))

    def _note(self, path: Path, size: int) -> None:
        first = _first(path)
        blocks = range(first, first - (-size // _BLOCK))
        self._runs.setdefault(path.name.partition("-")[0], {}).update(dict.fromkeys(blocks, path))

    def _make_room(self, size: int, since: int) -> bool:
        if self._total + size > self.capacity:
            there = sorted(self._there(), key=lambda each: each[1])
            self._total = sum(bytes for _, _, bytes in there)
            for path, used, bytes in there:
                if used >= since or self._total + size <= self.capacity * (1 - _SPARE):
                    break
                path.unlink(missing_ok=True)
                self._total -= bytes
        if self._total + size > self.capacity:
            return False
        self._total += size
        return True

    def _there(self) -> Iterable[tuple[Path, int, int]]:
        """Each file with when it was last used and its bytes."""
        with os.scandir(self.directory) as entries:
            for each in entries:
                with suppress(FileNotFoundError):
                    if each.is_file():
                        found = each.stat()
                        yield Path(each.path), found.st_mtime_ns, found.st_size


class LakeFiles(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """What one question may read, as a file system for DuckDB: the files that were told, and nothing else."""

    protocol = SCHEME
    cachable = False

    def __init__(self, cache: FileCache) -> None:
        super().__init__()
        cache.open()
        self.failure: QueryRefused | Unavailable | None = None
        """The first reason why a file could not be read; DuckDB tells it in its own words."""
        self._cache = cache
        self._files: dict[str, _File] = {}
        self._since = time.time_ns()
        self._needed: dict[str, set[int]] = {}
        self._needed_bytes = 0

    def tell_of(self, io: FileIO, files: Iterable[DataFile]) -> list[str]:
        """Adds files; returns the names by which DuckDB may read them."""
        names = []
        for each in files:
            name = hashlib.sha256(each.file_path.encode()).hexdigest()[:40]
            self._files[name] = _File(io, each.file_path, each.file_size_in_bytes)
            names.append(f"{SCHEME}://{name}")
        return names

    def read(self, name: str, start: int, size: int) -> bytes:
        """Returns bytes of a file. Raises QueryRefused and Unavailable."""
        try:
            return self._read(name, start, size)
        except (QueryRefused, Unavailable) as error:
            self.failure = self.failure or error
            raise

    def _read(self, name: str, start: int, size: int) -> bytes:
        file = self._files[name]
        end = min(start + size, file.size)
        if end <= start:
            return b""
        blocks = range(start // _BLOCK, (end - 1) // _BLOCK + 1)
        self._need(name, blocks)
        copies = self._cache.copies(name, blocks).items()
        # A copy that a failing machine cut short is none.
        found = {first: run for first, run in copies if len(run) % _BLOCK == 0 or first * _BLOCK + len(run) == file.size}
        copied = {first + number for first, run in found.items() for number in range(-(-len(run) // _BLOCK))}
        for missing in _runs([number for number in blocks if number not in copied]):
            place = missing[0] * _BLOCK
            found[missing[0]] = run = file.fetch(place, min(len(missing) * _BLOCK, file.size - place))
            self._cache.keep(name, missing[0], run, self._since)
        whole = b"".join(found[first] for first in sorted(found))
        return whole[start - blocks[0] * _BLOCK : end - blocks[0] * _BLOCK]

    def _need(self, name: str, blocks: range) -> None:
        needed = self._needed.setdefault(name, set())
        size = self._files[name].size
        self._needed_bytes += sum(min(_BLOCK, size - number * _BLOCK) for number in blocks if number not in needed)
        needed.update(blocks)
        if self._needed_bytes > self._cache.capacity:
            raise QueryRefused(
                f"the query needs more of its files than the {self._cache.capacity / 1e9:.1f} GB that the cache holds: "
                "narrow it with --since, --until or --organization, allow more with --cache, or ask an engine that is distributed"
            )

    # What DuckDB asks of a file system.

    def open(self, path: str, mode: str = "rb", **options: Any) -> "_Opened":
        if mode != "rb":
            raise PermissionError("the lake is read here, not changed")
        return _Opened(self, *self._known(path))

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        return {"name": path, "size": self._known(path)[1], "type": "file"}

    def exists(self, path: str, **options: Any) -> bool:
        return _name(path) in self._files

    def glob(self, path: str, **options: Any) -> list[str]:
        return [path] if self.exists(path) else []

    def modified(self, path: str) -> datetime:
        return datetime.fromtimestamp(0, UTC)  # never

    def _known(self, path: str) -> tuple[str, int]:
        if (file := self._files.get(name := _name(path))) is None:
            raise FileNotFoundError(path)
        return name, file.size


class _File:
    """A file of the lake in the object store; it is opened when something of it is fetched."""

    def __init__(self, io: FileIO, location: str, size: int) -> None:
        self.size = size
        self._io = io
        self._location = location
        self._source: InputStream | None = None
        self._turn = threading.Lock()

    def fetch(self, start: int, size: int) -> bytes:
        with self._turn, outages_told():
            if self._source is None:
                self._source = self._io.new_input(self._location).open()
            self._source.seek(start)
            return self._source.read(size)


class _Opened:
    """A file that DuckDB has open. Threads may share it: each has a place of its own."""

    def __init__(self, files: LakeFiles, name: str, size: int) -> None:
        self._files = files
        self._name = name
        self._size = size
        self._place = threading.local()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._place.at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self.tell(), os.SEEK_END: self._size}[whence]
        return self.tell()

    def tell(self) -> int:
        return getattr(self._place, "at", 0)

    def read(self, size: int = -1) -> bytes:
        start = self.tell()
        found = self._files.read(self._name, start, self._size if size < 0 else size)
        self._place.at = start + len(found)
        return found

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        pass


def _name(path: str) -> str:
    return path.removeprefix(f"{SCHEME}://")


def _runs(numbers: Sequence[int]) -> list[list[int]]:
    """Puts numbers that follow each other together."""
    return [[number for _, number in run] for _, run in groupby(enumerate(numbers), lambda each: each[1] - each[0])]


def _first(run: Path) -> int:
    return int(run.name.partition("-")[2])


def _used_now(path: Path) -> None:
    now = time.time_ns()
    os.utime(path, ns=(now, now))
