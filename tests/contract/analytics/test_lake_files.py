"""Ranges of the lake's files, from a store that counts what it is asked for."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.manifest import DataFile

from adapters.analytics.lake_files import FileCache, LakeFiles, QueryRefused
from domain.shared.errors import Unavailable

_ROWS = 200_000


class Counting(PyArrowFileIO):
    """Local files; `fetched` bytes of them were read."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched = 0
        self._turn = threading.Lock()

    def new_input(self, location: str) -> Any:
        io, given = self, super().new_input(location)

        class Source:
            def open(self) -> Any:
                file = given.open()

                class Read:
                    def seek(self, place: int) -> None:
                        file.seek(place)

                    def read(self, size: int) -> bytes:
                        with io._turn:
                            io.fetched += size
                        found: bytes = file.read(size)
                        return found

                return Read()

        return Source()


def data_file(path: Path) -> DataFile:
    return DataFile.from_args(file_path=str(path), file_size_in_bytes=path.stat().st_size)


@pytest.fixture
def cache(tmp_path: Path) -> FileCache:
    (tmp_path / "cache").mkdir()
    return FileCache(tmp_path / "cache", 10**9)


@pytest.fixture
def parquet(tmp_path: Path) -> Path:
    chance = random.Random(3)
    columns = {"small": [number % 7 for number in range(_ROWS)], "large": [chance.randbytes(16) for _ in range(_ROWS)]}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet", row_group_size=50_000)
    return tmp_path / "t.parquet"


def test_any_range_is_what_the_file_says_also_from_copies_and_many_threads(tmp_path: Path, cache: FileCache) -> None:
    content = random.Random(1).randbytes(700_001)
    (tmp_path / "f").write_bytes(content)
    chance = random.Random(2)
    ranges = [(chance.randrange(len(content) + 10), chance.choice([0, 1, 100, 131_072, 400_000])) for _ in range(60)]
    for _ in range(2):
        io = Counting()
        files = LakeFiles(cache)
        (name,) = files.tell_of(io, [data_file(tmp_path / "f")])
        opened = files.open(name)

        def read(asked: tuple[int, int], file: Any = opened) -> bytes:
            file.seek(asked[0])
            found: bytes = file.read(asked[1])
            return found

        with ThreadPoolExecutor(6) as several:
            assert list(several.map(read, ranges)) == [content[start : start + size] for start, size in ranges]
    assert io.fetched == 0


def test_a_question_fetches_the_columns_that_it_names_and_no_others(parquet: Path, cache: FileCache) -> None:
    io = Counting()
    files = LakeFiles(cache)
    (name,) = files.tell_of(io, [data_file(parquet)])
    with duckdb.connect() as connection:
        connection.register_filesystem(files)
        assert connection.sql(f"SELECT sum(small) FROM read_parquet('{name}')").fetchall() == [
            (sum(n % 7 for n in range(_ROWS)),)
        ]
    assert io.fetched < parquet.stat().st_size / 3


def test_no_other_file_can_be_named_and_none_written(parquet: Path, cache: FileCache) -> None:
    files = LakeFiles(cache)
    (name,) = files.tell_of(Counting(), [data_file(parquet)])
    with pytest.raises(FileNotFoundError):
        files.open("lake://other")
    with pytest.raises(FileNotFoundError):
        files.open(str(parquet))
    with pytest.raises(PermissionError):
        files.open(name, "wb")
    assert files.glob("lake://*") == []


def test_what_was_used_least_recently_makes_room(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    cache = FileCache(tmp_path / "cache", 1_000_000)
    io = Counting()
    for number in (1, 2, 1, 3, 1):
        path = tmp_path / f"f{number}"
        path.write_bytes(bytes([number]) * 400_000)
        files = LakeFiles(cache)
        (name,) = files.tell_of(io, [data_file(path)])
        assert files.open(name).read() == bytes([number]) * 400_000
        assert sum(each.stat().st_size for each in cache.directory.iterdir()) <= 1_000_000
    assert io.fetched == 1_200_000


def test_why_a_file_could_not_be_read_is_kept_for_who_asked(tmp_path: Path, parquet: Path, cache: FileCache) -> None:
    files = LakeFiles(FileCache(cache.directory, 100))
    (name,) = files.tell_of(Counting(), [data_file(parquet)])
    with pytest.raises(QueryRefused, match="--cache"):
        files.open(name).read()
    assert isinstance(files.failure, QueryRefused)

    gone = LakeFiles(cache)
    (name,) = gone.tell_of(Counting(), [data_file(parquet)])
    parquet.unlink()
    with pytest.raises(Unavailable):
        gone.open(name).read()
    assert isinstance(gone.failure, Unavailable)


def test_copies_beyond_what_the_cache_may_hold_are_not_made(tmp_path: Path) -> None:
    """Of a run that was copied for an earlier question this one may need a part, and all of it stays."""
    (tmp_path / "f").write_bytes(bytes(900_000))
    (tmp_path / "g").write_bytes(bytes(900_000))
    cache = FileCache(tmp_path / "cache", 1_000_000)
    first = LakeFiles(cache)
    first.open(*first.tell_of(Counting(), [data_file(tmp_path / "f")])).read()
    second = LakeFiles(cache)
    for name in second.tell_of(Counting(), [data_file(tmp_path / each) for each in ("f", "g")]):
        assert second.open(name).read(300_000) == bytes(300_000)
    assert sum(each.stat().st_size for each in cache.directory.iterdir()) <= 1_000_000


def test_a_copy_that_was_cut_short_is_fetched_again(tmp_path: Path, cache: FileCache) -> None:
    content = random.Random(5).randbytes(500_000)
    (tmp_path / "f").write_bytes(content)
    for length in (500_000, 300_000, 131_072, 0):
        files = LakeFiles(cache)
        assert files.open(*files.tell_of(Counting(), [data_file(tmp_path / "f")])).read() == content
        for each in cache.directory.iterdir():
            each.write_bytes(each.read_bytes()[:length])
