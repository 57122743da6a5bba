"""How the broker lays out its topics in its bucket, and how they are cut at a moment.

clusters/<cluster>/topics/<topic>/partitions/<partition>/records/<first offset>.batch    one batch, as Kafka's protocol has it
clusters/<cluster>/topics/<topic>/partitions/<partition>/watermark.json                  where the partition ends
clusters/<cluster>/groups/consumers/<group>/offsets/…                                    what each group has handled
"""

import json
import re
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

from stack.backup.repository import Entry
from stack.parts.broker import BUCKET

_BATCH = re.compile(rf"({BUCKET}/clusters/[^/]+/topics/[^/]+/partitions/\d+)/records/(\d+)\.batch")
_GROUPS = re.compile(rf"{BUCKET}/(?:\.nanio-meta/)?clusters/[^/]+/groups/")
_OFFSETS = re.compile(rf"{BUCKET}/clusters/[^/]+/groups/consumers/[^/]+/offsets/")
_LAST_OFFSET_DELTA = struct.Struct(">i")
_DELTA_AT = 23


def is_of_groups(path: str) -> bool:
    """Whether an object belongs to consumer groups: their members, who are gone after a restore, or their offsets."""
    return _GROUPS.match(path) is not None


def is_offset(path: str) -> bool:
    return _OFFSETS.match(path) is not None


def place_of(path: str) -> tuple[str, int] | None:
    """Returns the partition's folder and the first offset of a batch; None for any other object."""
    found = _BATCH.fullmatch(path)
    return (found[1], int(found[2])) if found else None


def end_of(first: int, batch: bytes) -> int:
    """Returns the offset behind a batch that begins at `first`."""
    (delta,) = _LAST_OFFSET_DELTA.unpack_from(batch, _DELTA_AT)
    return first + int(delta) + 1


def cut(entries: Iterable[Entry], at_ns: int) -> tuple[list[Entry], dict[str, int]]:
    """Leaves out the batches that were written after a moment.

    Returns the other entries, and where each partition that lost some begins to be empty: the first offset that was left out.
    """
    kept: list[Entry] = []
    ends: dict[str, int] = {}
    for each in entries:
        place = place_of(each.path)
        if place is not None and each.written_ns > at_ns:
            partition, first = place
            ends[partition] = min(first, ends.get(partition, first))
        else:
            kept.append(each)
    return kept, ends


def mend_watermarks(objects: Path, ends: Mapping[str, int]) -> None:
    """Makes partitions end where they were cut; a batch that was written out of turn may reach further."""
    for partition, end in ends.items():
        folder = objects / partition
        newest = max((folder / "records").glob("*.batch"), key=lambda each: int(each.stem), default=None)
        if newest is not None:
            with newest.open("rb") as batch:
                end = max(end, end_of(int(newest.stem), batch.read(64)))
        file = folder / "watermark.json"
        watermark = json.loads(file.read_text()) if file.exists() else {"low": None, "timestamps": None}
        if (watermark.get("high") or 0) > end:
            file.write_text(json.dumps(watermark | {"high": end}))
            bucket, _, key = file.relative_to(objects).as_posix().partition("/")
            # The description beside it is of the content before; without one, the store makes it from the file.
            (objects / bucket / ".nanio-meta" / f"{key}.json").unlink(missing_ok=True)
