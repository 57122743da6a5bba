"""Attempts counted, against bare asyncpg inserts of the same answers. Prints JSON.

    python benchmarks/record_attempts.py [--seconds 3] [--rounds 3] [--concurrency 32] [--learners 500] [--profile FILE]

All in one process on one durable PostgreSQL (fsync on), medians of

    batch       attempts/s in batches of 1,000, as from the log: deduplicated, predicted, mastery moved, outbox written
    bare_batch  rows/s of `INSERT .. SELECT FROM unnest` of the answers alone, in batches of 1,000
    single_ms   milliseconds of a lone call with one attempt, nothing else under way
    single      attempts/s of concurrent calls with one attempt each, by group commit
    bare_single rows/s of concurrent single-row inserts over as many connections

and the ratios to the bare ones. Promised: 5,000 attempts/s a core in batches, about 1 ms for a lone call.
`--profile` writes the batches' cProfile to FILE (it slows them; the figures are then of no use).
"""

import argparse
import asyncio
import cProfile
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import uuid4

import asyncpg
import uvloop

sys.path.insert(0, str(Path(__file__).parents[1]))

import migrations
from adapters.progress.postgres import PostgresProgressUnit
from domain.progress.model import Answer
from domain.progress.use_cases.record_attempts import RecordAttempts
from domain.shared.clock import system_clock
from services.progress.group_commit import GroupCommit
from stack.parts.postgres import Postgres
from tests.stores import apart, free_port, running

BATCH = 1_000
BARE = """
INSERT INTO bare (id, learner, item, score, correct, at)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::float8[], $5::boolean[], $6::timestamptz[])
ON CONFLICT (id) DO NOTHING
"""


class Answers:
    """Fresh answers: learners at random, 200 items, one to three of 24 skills each."""

    def __init__(self, learners: int) -> None:
        self._learners = learners
        self._chance = random.Random(1)

    def __call__(self, count: int) -> list[Answer]:
        now = datetime.now(UTC)
        return [self._one(now) for _ in range(count)]

    def _one(self, now: datetime) -> Answer:
        item = self._chance.randrange(200)
        correct = self._chance.random() < 0.65
        skills = tuple(f"skill-{(item + each) % 24}" for each in range(1 + item % 3))
        learner = f"learner-{self._chance.randrange(self._learners)}"
        return Answer(str(uuid4()), learner, "course", f"item-{item}", skills, float(correct), correct, now)


async def rate(seconds: float, rounds: int, act: Callable[[], Awaitable[int]]) -> float:
    """Returns the median over the rounds of what `act` gets done a second."""
    rates = []
    for _ in range(rounds):
        done, start = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - start) < seconds:
            done += await act()
        rates.append(done / elapsed)
    return statistics.median(rates)


def columns(answers: list[Answer]) -> list[list[object]]:
    return [[getattr(each, name) for each in answers] for name in ("id", "learner", "item", "score", "correct", "answered_at")]


async def measure(options: argparse.Namespace, dsn: str, bare_dsn: str) -> dict[str, float]:
    answers = Answers(options.learners)
    async with (
        asyncpg.create_pool(dsn, min_size=1, max_size=10, reset=_no_reset) as pool,
        asyncpg.create_pool(bare_dsn, max_size=10) as bare,
    ):
        await bare.execute(
            "CREATE TABLE bare (id uuid PRIMARY KEY, learner text, item text, score float8, correct bool, at timestamptz)"
        )
        record = RecordAttempts(partial(PostgresProgressUnit, pool, set()), system_clock)
        grouped = GroupCommit(record)

        async def batch() -> int:
            return len(await record("north", answers(BATCH)))

        async def bare_batch() -> int:
            await bare.execute(BARE, *columns(answers(BATCH)))
            return BATCH

        async def one() -> int:
            return len(await grouped("north", answers(1)))

        async def bare_one(answer: Answer) -> None:
            await bare.execute(BARE, *columns([answer]))

        async def wave(act: Callable[[Answer], Awaitable[object]]) -> int:
            waiting = iter(answers(BATCH))

            async def caller() -> None:
                for answer in waiting:
                    await act(answer)

            await asyncio.gather(*(caller() for _ in range(options.concurrency)))
            return BATCH

        measured = partial(rate, options.seconds, options.rounds)
        await batch()
        with cProfile.Profile() if options.profile else _Nothing() as profile:
            figures = {"batch": await measured(batch)}
        if isinstance(profile, cProfile.Profile):
            profile.dump_stats(options.profile)
        figures["bare_batch"] = await measured(bare_batch)
        figures["single_ms"] = 1000 / await measured(one)
        figures["single"] = await measured(lambda: wave(lambda answer: grouped("north", [answer])))
        figures["bare_single"] = await measured(lambda: wave(bare_one))
    figures["batch_ratio"] = figures["batch"] / figures["bare_batch"]
    figures["single_ratio"] = figures["single"] / figures["bare_single"]
    return {name: round(value, 3) for name, value in figures.items()}


class _Nothing:
    def __enter__(self) -> None:
        return None

    def __exit__(self, *error: object) -> None:
        return None


async def _no_reset(connection: asyncpg.Connection) -> None:
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--learners", type=int, default=500)
    parser.add_argument("--profile", default="")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        part = Postgres(directory / "postgres", free_port(), "superuser", "owner")
        with running(part, directory / "postgres.log"):
            apart(migrations.upgrade(part.owner_dsn, lambda role: "secret", only=["progress"]))
            dsn = part.dsn("paideia_progress", "secret")
            print(json.dumps(uvloop.run(measure(options, dsn, part.superuser_dsn)), indent=2))


if __name__ == "__main__":
    main()
