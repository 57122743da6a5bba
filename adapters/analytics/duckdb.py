"""SQL over the lake by DuckDB, in this process, in bounded memory.

A file of the lake never changes once it is written, so a copy of it on this machine is good for ever: a question brings the files that it
needs into a cache, all at once, and DuckDB reads Parquet from the local disk.
"""

import hashlib
import shutil
import threading
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
from pyiceberg.expressions import AlwaysTrue, And, BooleanExpression
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.table import Table

from adapters.analytics.iceberg import IcebergLake, outages_told
from adapters.analytics.iceberg_filters import at_least, below, equal
from domain.analytics.lake import LakeTable

_COPIES_AT_A_TIME = 8
_COPY_BYTES = 8 * 1024 * 1024


class QueryRefused(Exception):
    """The query cannot be answered; the text says why and what would help."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What of the tables a query sees: events from `since` on and before `until`, of one organization. Files beyond it are not fetched."""

    since: datetime | None = None
    until: datetime | None = None
    organization: str = ""

    def filter(self) -> BooleanExpression:
        expression: BooleanExpression = AlwaysTrue()
        if self.since is not None:
            expression = And(expression, at_least("time", self.since.isoformat()))
        if self.until is not None:
            expression = And(expression, below("time", self.until.isoformat()))
        if self.organization:
            expression = And(expression, equal("organization", self.organization))
        return expression

    def where(self) -> str:
        """The same as SQL, with literals, since views take no parameters."""
        parts = []
        if self.since is not None:
            parts.append(f"time >= TIMESTAMPTZ '{self.since.isoformat()}'")
        if self.until is not None:
            parts.append(f"time < TIMESTAMPTZ '{self.until.isoformat()}'")
        if self.organization:
            parts.append(f"organization = {_literal(self.organization)}")
        return f" WHERE {' AND '.join(parts)}" if parts else ""


class FileCache:
    """Copies of the lake's files below a directory, at most `capacity` bytes of them: the least recently used go."""

    def __init__(self, directory: Path, capacity: int) -> None:
        self.directory = directory
        self._capacity = capacity

    def paths(self, table: Table, scope: BooleanExpression) -> list[Path]:
        """Returns the local copies of the files that may have rows in scope; fetches those that are missing. Raises QueryRefused."""
        self.directory.mkdir(parents=True, exist_ok=True)
        wanted = {self._copy_of(each.file.file_path): each.file for each in table.scan(row_filter=scope).plan_files()}
        needed = sum(each.file_size_in_bytes for each in wanted.values())
        if needed > self._capacity:
            raise QueryRefused(
                f"the query needs {needed / 1e9:.1f} GB of files and the cache holds {self._capacity / 1e9:.1f}: narrow it with --since, "
                "--until or --organization, allow more with --cache, or ask an engine that is distributed"
            )
        missing = {copy: file for copy, file in wanted.items() if not copy.exists()}
        self._make_room(set(wanted), sum(each.file_size_in_bytes for each in missing.values()))
        with ThreadPoolExecutor(_COPIES_AT_A_TIME) as several:
            list(several.map(lambda pair: self._fetch(table, *pair), ((copy, each.file_path) for copy, each in missing.items())))
        for copy in wanted:
            copy.touch()
        return list(wanted)

    def _copy_of(self, location: str) -> Path:
        return self.directory / f"{hashlib.sha256(location.encode()).hexdigest()[:40]}.parquet"

    def _fetch(self, table: Table, copy: Path, location: str) -> None:
        draft = copy.with_suffix(f".{uuid.uuid4().hex}")
        try:
            with outages_told(), table.io.new_input(location).open() as source, draft.open("wb") as target:
                shutil.copyfileobj(source, target, _COPY_BYTES)
            draft.replace(copy)
        finally:
            draft.unlink(missing_ok=True)

    def _make_room(self, keep: set[Path], needed: int) -> None:
        there = sorted(
            ((each.stat().st_mtime, each.stat().st_size, each) for each in self.directory.glob("*.parquet")), key=lambda e: e[0]
        )
        total = sum(size for _, size, _ in there)
        for _, size, path in there:
            if total + needed <= self._capacity:
                return
            if path not in keep:
                path.unlink(missing_ok=True)
                total -= size


class LakeQueries:
    """Answers SELECT statements over the lake's tables. Nothing but them can be read, and nothing can be written."""

    def __init__(
        self,
        lake: IcebergLake,
        definitions: Sequence[LakeTable],
        cache: FileCache,
        *,
        memory: str = "2GB",
        threads: int | None = None,
    ) -> None:
        """`memory` is what DuckDB may use before it spills to the cache's directory."""
        self._lake = lake
        self._definitions = {each.name: each for each in definitions}
        self._cache = cache
        self._memory = memory
        self._threads = threads

    @contextmanager
    def answer(self, sql: str, scope: Scope | None = None, seconds: float = 600.0) -> Iterator[pa.RecordBatchReader]:
        """Yields the answer as it comes. Raises QueryRefused, also while it is read, and Unavailable."""
        with closing(duckdb.connect()) as connection:
            late = threading.Event()

            def end() -> None:
                late.set()
                connection.interrupt()

            timer = threading.Timer(seconds, end)
            try:
                self._prepare(connection, sql, scope or Scope())
                timer.start()
                yield connection.sql(sql).to_arrow_reader(10_000)
            # Arrow's errors are what DuckDB says while the answer is read.
            except (duckdb.Error, pa.ArrowException, OSError) as error:
                if late.is_set():
                    raise QueryRefused(
                        f"no answer within {seconds:g} s: narrow the query, or allow more time with --timeout"
                    ) from error
                raise QueryRefused(str(error)) from error
            finally:
                timer.cancel()

    def _prepare(self, connection: duckdb.DuckDBPyConnection, sql: str, scope: Scope) -> None:
        statements = connection.extract_statements(sql)
        if len(statements) != 1 or statements[0].type not in (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN):
            raise QueryRefused("ask with one SELECT statement: the lake is read here, not changed")
        self._cache.directory.mkdir(parents=True, exist_ok=True)
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"SET memory_limit = {_literal(self._memory)}")
        connection.execute(f"SET temp_directory = {_literal(str(self._cache.directory / 'spill'))}")
        if self._threads:
            connection.execute(f"SET threads = {self._threads:d}")
        asked = connection.get_table_names(sql) & self._definitions.keys()
        for definition, table in self._lake.tables([self._definitions[name] for name in sorted(asked)]):
            self._open(connection, definition.name, table, scope)
        connection.execute(f"SET allowed_directories = [{_literal(str(self._cache.directory))}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")

    def _open(self, connection: duckdb.DuckDBPyConnection, name: str, table: Table, scope: Scope) -> None:
        """Makes a view of the table: its files, and its columns that none of them has yet."""
        connection.register(f"_{name}", schema_to_pyarrow(table.schema(), include_field_ids=False).empty_table())
        parts = [f'SELECT * FROM "_{name}"']  # noqa: S608  # names are ours, texts are quoted
        if files := ", ".join(_literal(str(each)) for each in self._cache.paths(table, scope.filter())):
            # Old files lack what the table gained later; where there is but one schema there is nothing to unite.
            if len(table.schemas()) == 1:
                parts.clear()
            parts.append(f"SELECT * FROM read_parquet([{files}], union_by_name = {len(table.schemas()) > 1})")  # noqa: S608  # names are ours
        everything = " UNION ALL BY NAME ".join(parts)
        connection.execute(f'CREATE VIEW "{name}" AS SELECT * FROM ({everything}){scope.where()}')  # noqa: S608  # names are ours


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
