"""SQL over the lake by DuckDB, in this process, in bounded memory."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime

import duckdb
import pyarrow as pa
from pyiceberg.expressions import AlwaysTrue, And, BooleanExpression
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.table import Table

from adapters.analytics.iceberg import IcebergLake
from adapters.analytics.iceberg_filters import at_least, below, equal
from adapters.analytics.lake_files import SCHEME, FileCache, LakeFiles, QueryRefused
from domain.analytics.lake import LakeTable

__all__ = ["FileCache", "LakeQueries", "QueryRefused", "Scope"]


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
        files = LakeFiles(self._cache)
        with closing(duckdb.connect()) as connection:
            late = threading.Event()

            def end() -> None:
                late.set()
                connection.interrupt()

            timer = threading.Timer(seconds, end)
            try:
                self._prepare(connection, files, sql, scope or Scope())
                timer.start()
                yield connection.sql(sql).to_arrow_reader(10_000)
            # Arrow's errors are what DuckDB says while the answer is read.
            except (duckdb.Error, pa.ArrowException, OSError) as error:
                if files.failure is not None:
                    raise files.failure from error
                if late.is_set():
                    raise QueryRefused(
                        f"no answer within {seconds:g} s: narrow the query, or allow more time with --timeout"
                    ) from error
                raise QueryRefused(str(error)) from error
            finally:
                timer.cancel()

    def _prepare(self, connection: duckdb.DuckDBPyConnection, files: LakeFiles, sql: str, scope: Scope) -> None:
        statements = connection.extract_statements(sql)
        if len(statements) != 1 or statements[0].type not in (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN):
            raise QueryRefused("ask with one SELECT statement: the lake is read here, not changed")
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"SET memory_limit = {_literal(self._memory)}")
        connection.execute(f"SET temp_directory = {_literal(str(self._cache.directory / 'spill'))}")
        connection.execute("SET enable_external_file_cache = false")  # there is one
        # Left alone, DuckDB fetches columns that nobody asked for as well, when it is answered slowly.
        connection.execute("SET parquet_prefetch_column_gap = 524288")
        connection.register_filesystem(files)
        if self._threads:
            connection.execute(f"SET threads = {self._threads:d}")
        asked = connection.get_table_names(sql) & self._definitions.keys()
        for definition, table in self._lake.tables([self._definitions[name] for name in sorted(asked)]):
            self._open(connection, files, definition.name, table, scope)
        connection.execute(f"SET allowed_directories = ['{SCHEME}://']")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")

    def _open(self, connection: duckdb.DuckDBPyConnection, files: LakeFiles, name: str, table: Table, scope: Scope) -> None:
        """Makes a view of the table: its files, and its columns that none of them has yet."""
        connection.register(f"_{name}", schema_to_pyarrow(table.schema(), include_field_ids=False).empty_table())
        parts = [f'SELECT * FROM "_{name}"']  # noqa: S608  # names are ours, texts are quoted
        planned = [each.file for each in table.scan(row_filter=scope.filter()).plan_files()]
        if named := ", ".join(map(_literal, files.tell_of(table.io, planned))):
            # Old files lack what the table gained later; where there is but one schema there is nothing to unite.
            if len(table.schemas()) == 1:
                parts.clear()
            parts.append(f"SELECT * FROM read_parquet([{named}], union_by_name = {len(table.schemas()) > 1})")  # noqa: S608  # names are ours
        everything = " UNION ALL BY NAME ".join(parts)
        connection.execute(f'CREATE VIEW "{name}" AS SELECT * FROM ({everything}){scope.where()}')  # noqa: S608  # names are ours


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
