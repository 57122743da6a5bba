"""The lake: rows/s in, and how long questions take over many rows, through the code that writers and `paideia lake query` use. Prints JSON.

    python benchmarks/lake.py [--rows 50000000] [--events 100000] [--batch 1000000]

    events_per_second  messages of `user.attempts` to committed rows: decoded, pseudonymised, looked up for repetition, written, committed
    rows_per_second    generated columns to committed rows: looked up for repetition, written, committed
    queries            seconds of each question: `first` with an empty cache, `then` the median of three more; `megabytes` of the files
                       that it needed

The rows are simulated: 10,000 learners, 2,000 items, 40 skills, a day a batch. Promised: a question over 50,000,000 rows in 5 s.
S3 and PostgreSQL are those of the stack, on this machine; peak memory is that of this process, which both writes and asks.
"""

import argparse
import asyncio
import json
import resource
import shutil
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import structlog

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from adapters.analytics.duckdb import FileCache, LakeQueries  # noqa: E402
from adapters.analytics.iceberg import IcebergLake, IcebergTable  # noqa: E402
from adapters.analytics.lake_maintenance import compact, facts_of  # noqa: E402
from adapters.analytics.lake_memory import MemoryPseudonyms  # noqa: E402
from benchmarks.ingest import events  # noqa: E402
from domain.analytics.lake import ATTEMPTS, QUARANTINE  # noqa: E402
from services.analytics.lake_writer import LakeWriter  # noqa: E402
from tests import stores  # noqa: E402

LEARNERS, ITEMS, SKILLS, FIRST_DAY = 10_000, 2_000, 40, 20_000
QUESTIONS = {
    "count": "SELECT count(*) FROM attempts",
    "by_item": "SELECT item, count(*), avg(score), avg(response_seconds) FROM attempts GROUP BY item ORDER BY 2 DESC",
    "by_day": "SELECT time::date, count(*), avg(score), approx_count_distinct(learner) FROM attempts GROUP BY 1 ORDER BY 1",
    "by_skill": "SELECT skills[1], count(*), avg(correct::int) FROM attempts GROUP BY 1 ORDER BY 1",
    "one_learner": "SELECT item, time, correct FROM attempts WHERE learner = '{learner}' ORDER BY time",
    "one_day": "SELECT item, avg(score) FROM attempts WHERE time >= '2024-10-05' AND time < '2024-10-06' GROUP BY item",
}


def generated(day: int, rows: int) -> pa.Table:
    """One day's attempts, simulated."""
    chance = np.random.default_rng(day)
    digits = np.frombuffer(chance.bytes(rows * 16).hex().encode(), "S1").reshape(rows, 32)
    ids = np.full((rows, 36), b"-", "S1")
    ids[:, [place for place in range(36) if place not in (8, 13, 18, 23)]] = digits
    ends = pa.py_buffer(np.arange(0, 36 * (rows + 1), 36, dtype=np.int32))
    times = pa.array((FIRST_DAY + day) * 86_400_000_000 + chance.integers(0, 86_400_000_000, rows)).cast(
        pa.timestamp("us", "UTC")
    )
    item, correct = chance.integers(0, ITEMS, rows), chance.random(rows) < 0.6
    return pa.table(
        {
            "event_id": pa.StringArray.from_buffers(rows, ends, pa.py_buffer(ids.tobytes())),
            "organization": _one_of(["north"], np.zeros(rows, int)),
            "time": times,
            "learner": _one_of([learner(number) for number in range(LEARNERS)], chance.integers(0, LEARNERS, rows)),
            "course": _one_of(["fractions"], np.zeros(rows, int)),
            "sent_at": times,
            "item": _one_of([f"item-{number}" for number in range(ITEMS)], item),
            "skills": pa.array([[f"skill-{number % SKILLS}"] for number in range(ITEMS)]).take(pa.array(item)),
            "correct": pa.array(correct),
            "score": pa.array(correct.astype(float)),
            "response_seconds": pa.array(np.round(chance.gamma(2.0, 10.0, rows), 1)),
            "hints_revealed": pa.array(np.zeros(rows, int)),
            "client_sequence": pa.array(np.arange(rows)),
        }
    )


def learner(number: int) -> str:
    return uuid.uuid5(uuid.NAMESPACE_OID, str(number)).hex


def _one_of(values: Sequence[str], chosen: np.ndarray) -> pa.Array:
    return pa.array(values).take(pa.array(chosen))


class Given:
    """A topic whose messages were made beforehand."""

    async def __aenter__(self) -> "Given":
        return self

    async def __aexit__(self, *error: object) -> None:
        return None


def messages(count: int) -> list[Any]:
    """Messages as a consumer gives them; only the attempts of what `benchmarks/ingest.py` sends."""
    kind = "paideia.ingestion.v1.LearningEvent"
    attempts = [event for event in events(count + count // 9 + 1) if event.WhichOneof("payload") == "attempt"][:count]
    return [
        SimpleNamespace(
            topic=ATTEMPTS.topic,
            partition=0,
            offset=offset,
            value=event.SerializeToString(),
            headers={"ce_id": event.id, "ce_type": kind, "ce_organization": "north"},
            sent_at=time.time(),
        )
        for offset, event in enumerate(attempts)
    ]


async def events_rate(lake: IcebergLake, count: int) -> float:
    table = IcebergTable(lake, ATTEMPTS)
    writer = LakeWriter(ATTEMPTS, table, IcebergTable(lake, QUARANTINE), MemoryPseudonyms(), lambda topic, offsets: Given())
    all_messages = messages(count)
    start = dict(await table.offsets())
    began = time.perf_counter()
    for first in range(0, count, 100_000):
        batch = all_messages[first : first + 100_000]
        reached = {0: first + len(batch)}
        await writer.write(batch, reached, start)
        start = reached
    return count / (time.perf_counter() - began)


def rows_rate(lake: IcebergLake, rows: int, batch: int) -> float:
    table, spent = IcebergTable(lake, ATTEMPTS), 0.0
    for day in range(-(-rows // batch)):
        made = generated(day, min(batch, rows - day * batch))
        began = time.perf_counter()
        table.append_arrow(made, {})
        spent += time.perf_counter() - began
        print(f"\r{(day + 1) * batch:,} rows", end="", file=sys.stderr)
    print(file=sys.stderr)
    return rows / spent


def asked(lake: IcebergLake, directory: Path) -> Mapping[str, Any]:
    found = {}
    for name, sql in QUESTIONS.items():
        queries = LakeQueries(lake, [ATTEMPTS], FileCache(directory / name, 100 * 10**9))
        seconds = []
        for _ in range(4):
            began = time.perf_counter()
            with queries.answer(sql.format(learner=learner(7))) as answer:
                rows = answer.read_all().num_rows
            seconds.append(time.perf_counter() - began)
        copied = sum(each.stat().st_size for each in (directory / name).iterdir() if each.is_file())
        found[name] = {
            "first": round(seconds[0], 2),
            "then": round(statistics.median(seconds[1:]), 2),
            "rows": rows,
            "megabytes": round(copied / 1e6),
        }
        shutil.rmtree(directory / name)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="The lake, written and asked.")
    parser.add_argument("--rows", type=int, default=50_000_000)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--batch", type=int, default=1_000_000)
    options = parser.parse_args()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # the result alone goes to standard output
    with (
        tempfile.TemporaryDirectory() as name,
        stores.s3_server(Path(name)) as s3,
        stores.postgres_server(Path(name)) as postgres,
    ):
        dsn = postgres.dsn("paideia_analytics").replace("postgresql://", "postgresql+psycopg2://", 1)
        lake = IcebergLake(
            {
                "type": "sql",
                "uri": f"{dsn}?options={quote('-c search_path=lake_catalog', safe='')}",
                "init_catalog_tables": "false",
                "warehouse": f"s3://{s3.bucket}/lake",
                "s3.endpoint": s3.endpoint,
                "s3.region": s3.region,
                "s3.access-key-id": s3.access_key,
                "s3.secret-access-key": s3.secret_key,
            }
        )
        events_per_second = asyncio.run(events_rate(lake, options.events))
        rows_per_second = rows_rate(lake, options.rows, options.batch)
        compact(lambda: lake.table(ATTEMPTS))
        facts = facts_of("attempts", lake.table(ATTEMPTS))
        result = {
            "rows": facts.rows,
            "files": facts.files,
            "bytes_a_row": round(facts.bytes / facts.rows, 1),
            "events_per_second": round(events_per_second),
            "rows_per_second": round(rows_per_second),
            "peak_megabytes_of_the_writer": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            "queries": asked(lake, Path(name) / "cache"),
        }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
