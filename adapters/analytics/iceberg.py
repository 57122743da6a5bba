"""The lake in Iceberg, on S3.

A table's rows and the offsets behind them are one commit: the offsets stand in the snapshot's summary, and a commit is a compare-and-swap of
the catalog. A writer that dies before it leaves files that no snapshot names, and nothing else.
"""

import asyncio
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TypeVar
from urllib.parse import quote

import mmh3
import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.exceptions import CommitFailedException, TableAlreadyExistsError
from pyiceberg.io.pyarrow import pyarrow_to_schema, schema_to_pyarrow, write_file
from pyiceberg.manifest import DataFile
from pyiceberg.partitioning import PartitionField, PartitionFieldValue, PartitionKey, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table, WriteTask
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.transforms import BucketTransform, DayTransform
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DoubleType,
    IcebergType,
    ListType,
    LongType,
    NestedField,
    StringType,
    StructType,
    TimestamptzType,
)
from sqlalchemy.exc import DBAPIError, IntegrityError

from adapters.analytics.catalog_connections import ANSWER_SECONDS, bound_waiting
from adapters.analytics.iceberg_filters import Partition
from adapters.analytics.known_events import KnownEvents
from adapters.shared.resources import Settings
from domain.analytics.lake import (
    ALL_TABLES,
    ORGANIZATION_BUCKETS,
    Column,
    LakeConflict,
    LakeTable,
    ListOf,
    Offsets,
    Record,
    Row,
    Scalar,
    TableStore,
)
from domain.shared.errors import Unavailable

DEFINITIONS = ALL_TABLES
TROUBLE = (LakeConflict, Unavailable)
"""What every method may raise, for callers that do not know the domain."""

NAMESPACE = "paideia"
OFFSET = "paideia.offset."
"""Begins the names of the summary's entries that hold offsets: `paideia.offset.2` is that of partition 2."""

_TRIALS = 5
_SCALARS: Mapping[Scalar, IcebergType] = {
    Scalar.TEXT: StringType(),
    Scalar.WHOLE: LongType(),
    Scalar.REAL: DoubleType(),
    Scalar.YES_NO: BooleanType(),
    Scalar.MOMENT: TimestamptzType(),
    Scalar.BYTES: BinaryType(),
}
_PROPERTIES = {
    "format-version": "2",
    # A writer that lost the race must look at the offsets anew; a repeated append would double its rows.
    "commit.retry.num-retries": "0",
    "write.parquet.compression-codec": "zstd",
    "write.parquet.row-group-limit": "262144",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
}
T = TypeVar("T")


# A connection of the pool whose host acknowledges nothing is ended before it is used again.
_KEEPALIVES = "keepalives_idle=4&keepalives_interval=2&keepalives_count=2&tcp_user_timeout=8000"


def catalog_properties(settings: Settings) -> dict[str, str]:
    """Returns what opens the catalog and the object store."""
    properties = {
        "type": settings.lake_catalog,
        "warehouse": settings.lake_warehouse,
        "s3.region": settings.s3_region,
        "s3.connect-timeout": "5",
        "s3.request-timeout": "60",
    }
    if settings.lake_catalog == "sql":
        dsn = settings.dsn("paideia_analytics").replace("postgresql://", "postgresql+psycopg2://", 1)
        options = quote(f"-c search_path=lake_catalog -c statement_timeout={round(ANSWER_SECONDS * 1_000) + 1_000}", safe="")
        properties |= {
            "uri": f"{dsn}?{_KEEPALIVES}&options={options}",
            "init_catalog_tables": "false",
            "pool_pre_ping": "true",
        }
    elif settings.lake_catalog_uri:
        properties["uri"] = settings.lake_catalog_uri
    if settings.s3_endpoint:
        properties["s3.endpoint"] = settings.s3_endpoint
    if (settings.secrets_dir / "s3_access_key").exists():
        properties |= {
            "s3.access-key-id": settings.secret("s3_access_key"),
            "s3.secret-access-key": settings.secret("s3_secret_key"),
        }
    return properties


@contextmanager
def outages_told() -> Iterator[None]:
    """Raises Unavailable for what the drivers say when the catalog or the object store is away."""
    try:
        yield
    except (DBAPIError, OSError) as error:
        raise Unavailable(f"the lake is away: {type(error).__name__}") from error


class IcebergLake:
    """The lake's catalog; it connects when it is first used. Its methods block."""

    def __init__(self, properties: Mapping[str, str], name: str = NAMESPACE) -> None:
        """`name` is the catalog's: two of different names in one database know nothing of each other."""
        self._properties = dict(properties)
        self.name = name
        self._catalog: Catalog | None = None
        self._opening = threading.Lock()

    @property
    def catalog(self) -> Catalog:
        with self._opening:
            if self._catalog is None:
                bound_waiting()
                with outages_told():
                    self._catalog = load_catalog(self.name, **self._properties)
            return self._catalog

    def table(self, definition: LakeTable) -> Table:
        """Returns a table as it is now; creates it, or gives it the columns that it lacks."""
        name = (NAMESPACE, definition.name)
        with outages_told():
            if not self.catalog.table_exists(name):
                # Another writer may be quicker with either.
                with suppress(IntegrityError):
                    self.catalog.create_namespace_if_not_exists(NAMESPACE)
                with suppress(IntegrityError, TableAlreadyExistsError):
                    self._create(definition)
            table = self.catalog.load_table(name)
            wanted = schema_of(definition)
            if not set(wanted.column_names) <= set(table.schema().column_names):
                with table.update_schema() as update:
                    update.union_by_name(wanted)
            return table

    def _create(self, definition: LakeTable) -> None:
        schema = schema_of(definition)
        days = PartitionField(schema.find_field("time").field_id, 1000, DayTransform(), "day")
        buckets = PartitionField(
            schema.find_field("organization").field_id, 1001, BucketTransform(ORGANIZATION_BUCKETS), "organization_bucket"
        )
        self.catalog.create_table(
            (NAMESPACE, definition.name),
            schema,
            partition_spec=PartitionSpec(days, buckets),
            properties=_PROPERTIES | {"comment": definition.topic},
        )

    def tables(self, definitions: Sequence[LakeTable]) -> list[tuple[LakeTable, Table]]:
        """Returns those of the tables that exist, as they are."""
        with outages_told():
            return [
                (each, self.catalog.load_table((NAMESPACE, each.name)))
                for each in definitions
                if self.catalog.table_exists((NAMESPACE, each.name))
            ]


def schema_of(definition: LakeTable) -> Schema:
    """Returns the table's schema. Iceberg gives a table field ids of its own, which stay what they are whatever columns come later."""
    ids = iter(range(1, 1000))

    def of(type: Scalar | Record | ListOf) -> IcebergType:
        if isinstance(type, Scalar):
            return _SCALARS[type]
        if isinstance(type, Record):
            return StructType(*map(field, type.fields))
        return ListType(next(ids), of(type.element), element_required=False)

    def field(column: Column) -> NestedField:
        return NestedField(next(ids), column.name, of(column.type), required=column.required, doc=column.doc or None)

    return Schema(*map(field, definition.columns))


def offsets_of(table: Table) -> dict[int, int]:
    """Returns the offsets behind the newest snapshot. One that another engine made says none: its parent does."""
    snapshot: Snapshot | None = table.current_snapshot()
    while snapshot is not None:
        if offsets := _offsets_in(snapshot):
            return offsets
        snapshot = table.snapshot_by_id(snapshot.parent_snapshot_id) if snapshot.parent_snapshot_id is not None else None
    return {}


def summary_of(offsets: Offsets) -> dict[str, str]:
    """Returns a snapshot's entries that say them."""
    return {f"{OFFSET}{partition}": str(offset) for partition, offset in sorted(offsets.items())}


def _offsets_in(snapshot: Snapshot) -> dict[int, int]:
    told = snapshot.summary.additional_properties if snapshot.summary else {}
    return {int(name.removeprefix(OFFSET)): int(value) for name, value in told.items() if name.startswith(OFFSET)}


class IcebergTable(TableStore):
    """A table and its writer. Remembers the events of the partitions that it wrote to lately."""

    def __init__(self, lake: IcebergLake, definition: LakeTable, known: KnownEvents | None = None) -> None:
        self._lake = lake
        self._definition = definition
        self._known = known or KnownEvents()
        self._table: Table | None = None
        self._turn = asyncio.Lock()

    async def offsets(self) -> Offsets:
        return await self._apart(lambda: offsets_of(self._fresh()))

    async def append(self, rows: Sequence[Row], offsets: Offsets, start: Offsets | None = None) -> int:
        return await self._apart(lambda: self._append(rows, offsets, start))

    async def _apart(self, work: Callable[[], T]) -> T:
        """Runs what blocks in a thread, one thing at a time."""

        def told() -> T:
            with outages_told():
                return work()

        async with self._turn:
            return await asyncio.to_thread(told)

    def _fresh(self) -> Table:
        """The table as it is now."""
        self._known.clear()
        self._table = self._lake.table(self._definition)
        return self._table

    def _append(self, rows: Sequence[Row], offsets: Offsets, start: Offsets | None) -> int:
        batch = pa.Table.from_pylist(list(rows), schema_to_pyarrow(schema_of(self._definition), include_field_ids=False))
        return self.append_arrow(batch, offsets, start)

    def append_arrow(self, batch: pa.Table, offsets: Offsets, start: Offsets | None = None) -> int:
        """As `append`, of columns."""
        for _ in range(_TRIALS):
            table = self._table or self._fresh()
            if start is not None and offsets_of(table) != dict(start):
                self._table = None
                raise LakeConflict(f"{self._definition.name}: another writer was quicker")
            try:
                return self._commit(table, batch, offsets)
            except CommitFailedException:
                # Perhaps only a compaction: what the table says now decides.
                self._table = None
            except BaseException:
                self._table = None  # whether it was written is not known; the table knows
                raise
        raise LakeConflict(f"{self._definition.name}: others were quicker {_TRIALS} times")

    def _commit(self, table: Table, batch: pa.Table, offsets: Offsets) -> int:
        fresh = {
            partition: rows
            for partition, found in partitions_of(batch)
            if (rows := self._known.without_known(table, partition, found)).num_rows
        }
        if not fresh:
            return 0
        files = write(table, fresh)
        summary = summary_of({**offsets_of(table), **offsets})
        with table.transaction() as transaction, transaction.update_snapshot(summary).fast_append() as added:
            for each in files:
                added.append_data_file(each)
        for partition, rows in fresh.items():
            self._known.add(partition, rows)
        return sum(each.num_rows for each in fresh.values())


def partitions_of(batch: pa.Table) -> Iterator[tuple[Partition, pa.Table]]:
    """Yields the rows of each partition, in the order in which a file keeps them."""
    organizations = batch["organization"].combine_chunks().dictionary_encode()
    buckets = pa.array([bucket_of(each) for each in organizations.dictionary.to_pylist()], pa.int32())
    days = batch["time"].cast(pa.date32()).cast(pa.int32())
    keyed = batch.append_column("_day", days).append_column("_bucket", buckets.take(organizations.indices))
    found = keyed.group_by(["_day", "_bucket"]).aggregate([])
    for day, bucket in sorted(zip(found["_day"].to_pylist(), found["_bucket"].to_pylist(), strict=True)):
        rows = keyed.filter((pc.field("_day") == day) & (pc.field("_bucket") == bucket))
        yield (day, bucket), in_order(rows.drop_columns(["_day", "_bucket"]))


def in_order(rows: pa.Table) -> pa.Table:
    """Puts a learner's rows together, in time: it compresses well, and a learner's history is read from few pages."""
    keys = [name for name in ("organization", "learner", "time") if name in rows.column_names]
    return rows.sort_by([(name, "ascending") for name in keys])


def bucket_of(organization: str) -> int:
    """Returns Iceberg's bucket of a text: murmur3 of its UTF-8, without the sign."""
    return (mmh3.hash(organization) & 0x7FFF_FFFF) % ORGANIZATION_BUCKETS


def write(table: Table, partitions: Mapping[Partition, pa.Table]) -> list[DataFile]:
    """Writes a file a partition and returns them; no snapshot has them yet."""
    schema, spec, written_by = table.schema(), table.spec(), uuid.uuid4()

    def tasks() -> Iterator[WriteTask]:
        for number, (partition, rows) in enumerate(partitions.items()):
            values = [PartitionFieldValue(field, value) for field, value in zip(spec.fields, partition, strict=True)]
            # By name: the table may have gained columns that this writer does not know.
            told = pyarrow_to_schema(rows.schema, name_mapping=schema.name_mapping)
            yield WriteTask(written_by, number, told, rows.to_batches(), partition_key=PartitionKey(values, spec, schema))

    return list(write_file(table.io, table.metadata, tasks()))
