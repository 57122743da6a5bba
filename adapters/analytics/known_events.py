"""Which events a partition of a table has already: exact, because the same event always falls into the same partition.

An event's id, time and organization never change, so it can only be where it was before. The ids of the partitions that are being written to
are kept in memory, 16 bytes each, and read from the table's files when a partition is met that is not among them.
"""

from collections import OrderedDict
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.expressions import And
from pyiceberg.table import Table

from adapters.analytics.iceberg_filters import Partition, at_least, below, partition_of

_UUID = pa.binary(16)
_TEXT_LENGTH = 36
_DIGITS = [place for place in range(_TEXT_LENGTH) if place not in (8, 13, 18, 23)]

_VALUES = np.zeros(256, np.uint8)
for _value, _digit in enumerate(b"0123456789abcdef"):
    _VALUES[_digit] = _value


class KnownEvents:
    """Forgets the partitions that were not written to for longest when there are more than `capacity` ids."""

    def __init__(self, capacity: int = 8_000_000) -> None:
        self._capacity = capacity
        self._ids: OrderedDict[Partition, list[pa.Array]] = OrderedDict()

    def without_known(self, table: Table, partition: Partition, rows: pa.Table) -> pa.Table:
        """Returns the rows whose event the partition does not have, each once. All rows must be of the partition."""
        ids = ids_of(rows["event_id"])
        numbered = pa.table({"id": ids, "row": np.arange(len(ids))})
        first = numbered.group_by("id").aggregate([("row", "min")])
        for known in self._known(table, partition):
            # What may be big is walked through, and what is small is looked up.
            there = known.filter(pc.is_in(known, value_set=first["id"].combine_chunks()))
            if len(there):
                first = first.filter(pc.invert(pc.is_in(first["id"], value_set=there)))
        return rows.take(np.sort(first["row_min"].to_numpy()))

    def add(self, partition: Partition, rows: pa.Table) -> None:
        """Notes that the partition has these rows now."""
        chunks = self._ids.setdefault(partition, [])
        chunks.append(ids_of(rows["event_id"]))
        if len(chunks) > 32:
            chunks[:] = [pa.concat_arrays(chunks)]
        self._ids.move_to_end(partition)
        while len(self._ids) > 1 and sum(len(each) for many in self._ids.values() for each in many) > self._capacity:
            self._ids.popitem(last=False)

    def clear(self) -> None:
        """Forgets everything: what the table has is read again when it is asked for."""
        self._ids.clear()

    def _known(self, table: Table, partition: Partition) -> list[pa.Array]:
        if partition not in self._ids:
            self._ids[partition] = [events_in(table, path) for path in files_in(table, partition)]
        self._ids.move_to_end(partition)
        return self._ids[partition]


def files_in(table: Table, partition: Partition) -> list[str]:
    """Returns the paths of a partition's files in the newest snapshot."""
    begin = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=partition[0])
    day = And(at_least("time", begin.isoformat()), below("time", (begin + timedelta(days=1)).isoformat()))
    return [each.file.file_path for each in table.scan(row_filter=day).plan_files() if partition_of(each.file) == partition]


def events_in(table: Table, path: str) -> pa.Array:
    """Returns the ids of a file's events."""
    with table.io.new_input(path).open() as file:
        return ids_of(pq.read_table(file, columns=["event_id"])["event_id"])


def ids_of(texts: pa.ChunkedArray) -> pa.Array:
    """Returns UUIDs, written as 36 characters with small letters, as 16 bytes each."""
    array = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    array = array.cast(pa.binary(_TEXT_LENGTH))
    count = len(array)
    characters = np.frombuffer(array.buffers()[1], np.uint8, count * _TEXT_LENGTH, array.offset * _TEXT_LENGTH)
    digits = _VALUES[characters.reshape(count, _TEXT_LENGTH)[:, _DIGITS]]
    packed = (digits[:, 0::2] << 4 | digits[:, 1::2]).astype(np.uint8)
    return pa.FixedSizeBinaryArray.from_buffers(_UUID, count, [None, pa.py_buffer(packed.tobytes())])
