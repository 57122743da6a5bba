"""Removes batches of the log that are old and that every reader has passed, from the bucket of the stack's broker.

The broker (Tansu) implements neither DeleteRecords nor `retention.ms`, and finds the batches of a partition by listing them at every read.
So a batch that is taken away is simply not there: its partition begins with the next one. The newest batch of a partition always stays.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stack.backup import topics
from stack.parts.broker import BUCKET

Passed = Mapping[tuple[str, int], int]
"""By topic and partition: the offset that a reader has reached."""


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """What may go of one partition. `because` says what holds the rest back, when it is a reader."""

    topic: str
    partition: int
    batches: int
    kept: int
    bytes: int
    because: str
    paths: tuple[Path, ...]


def plan_log(objects: Path, older_than: float, lake: Passed) -> list[TopicPlan]:
    """Returns a plan for each partition that has batches. `older_than` is a moment in seconds since 1970."""
    readers = _committed(objects)
    for place, offset in lake.items():
        readers[place]["the lake"] = offset
    plans = []
    for partition in sorted((objects / BUCKET).glob("clusters/*/topics/*/partitions/*")):
        batches = sorted((partition / "records").glob("*.batch"), key=lambda each: int(each.stem))
        if batches:
            plans.append(_plan(partition, batches, older_than, readers[partition.parts[-3], int(partition.name)]))
    return plans


def apply_log(objects: Path, plans: list[TopicPlan]) -> int:
    """Removes what the plans say, and returns how many batches there were."""
    removed = 0
    for path in (path for plan in plans for path in plan.paths):
        path.unlink(missing_ok=True)
        bucket, _, key = path.relative_to(objects).as_posix().partition("/")
        (objects / bucket / ".nanio-meta" / f"{key}.json").unlink(missing_ok=True)
        removed += 1
    return removed


def _plan(partition: Path, batches: list[Path], older_than: float, readers: Mapping[str, int]) -> TopicPlan:
    slowest = min(readers, key=lambda each: readers[each], default=None)
    going, size, because = [], 0, ""
    for each in batches[:-1]:  # in order: nothing goes while something before it stays
        facts = each.stat()
        if facts.st_mtime >= older_than:
            break
        with each.open("rb") as file:
            end = topics.end_of(int(each.stem), file.read(64))
        if slowest is not None and end > readers[slowest]:
            because = f"{slowest} is at {readers[slowest]}"
            break
        going.append(each)
        size += facts.st_size
    name, number = partition.parts[-3], int(partition.name)
    return TopicPlan(name, number, len(going), len(batches) - len(going), size, because, tuple(going))


def _committed(objects: Path) -> "defaultdict[tuple[str, int], dict[str, int]]":
    """What every consumer group has committed. A group that has committed nothing of a topic has not begun to read it."""
    found: defaultdict[tuple[str, int], dict[str, int]] = defaultdict(dict)
    for file in (objects / BUCKET).glob("clusters/*/groups/consumers/*/offsets/*/partitions/*.json"):
        group, topic = file.parts[-5], file.parts[-3]
        found[topic, int(file.stem)][group] = int(json.loads(file.read_text())["offset"])
    return found
