"""The record batch of Kafka, version 2: what a produce request carries for a partition, and the broker keeps as it is.

https://kafka.apache.org/documentation/#recordbatch
"""

import struct
from collections.abc import Sequence

from aiokafka.record.util import calc_crc32c  # type: ignore[import-untyped]
from cramjam import lz4

_LZ4 = 3
_FASTEST = 1
_MAGIC = 2
# First offset, length, epoch of the leader, magic, checksum; then what the checksum is of, but for the records.
_ENVELOPE = struct.Struct(">qiibI")
_HEAD = struct.Struct(">hiqqqhii")
_UNSEQUENCED = (-1, -1, -1)  # producer, epoch, sequence: for producers that are not idempotent
_WITHIN_ENVELOPE = 9  # what its length counts of the envelope itself


def varint(number: int) -> bytes:
    """Returns a number that is not negative, as Kafka's variable-length signed integers."""
    number <<= 1
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


class _Varints(dict[int, bytes]):
    """Varints after what is always before them: the same few thousand come again and again."""

    def __init__(self, before: bytes = b"") -> None:
        super().__init__()
        self._before = before

    def __missing__(self, number: int) -> bytes:
        self[number] = encoded = self._before + varint(number)
        return encoded


LENGTHS = _Varints()
_FRONTS = _Varints(b"\0\0")  # neither attributes nor a time of its own, and the offset


def sized(data: bytes) -> bytes:
    """Returns a key, a value, or the name or the value of a header, after its length."""
    return varint(len(data)) + data


def header(name: str, value: str) -> bytes:
    return sized(name.encode()) + sized(value.encode())


def record_batch(records: Sequence[bytes], milliseconds: int) -> bytes:
    """Returns the batch of records that are everything from their keys on: key and value, sized, number of headers, headers.

    `milliseconds` since 1970 is the time of all of them.
    """
    parts: list[bytes] = []
    for offset, record in enumerate(records):
        front = _FRONTS[offset]
        parts += (LENGTHS[len(front) + len(record)], front, record)
    # Blocks that are independent of each other: brokers read no others.
    compressor = lz4.Compressor(level=_FASTEST, content_checksum=False, block_linked=False)
    compressor.compress(b"".join(parts))
    last = len(records) - 1
    summed = _HEAD.pack(_LZ4, last, milliseconds, milliseconds, *_UNSEQUENCED, len(records)) + bytes(compressor.finish())
    return _ENVELOPE.pack(0, len(summed) + _WITHIN_ENVELOPE, -1, _MAGIC, calc_crc32c(summed)) + summed
