"""Answers submitted over gRPC (token checked, graded, stored, published) against bare asyncpg upserts. Prints JSON.

    python benchmarks/submit_response.py [--seconds 5] [--rounds 3] [--concurrency 64] [--profile FILE]

All on one durable PostgreSQL (fsync on) and one broker in memory, medians of

    upserts    asyncpg alone: one process, a pool of 10 connections, one upsert of a row as large a statement
    submitted  SubmitResponse behind the real interceptors, one server process, the client in another; the clock stops when the
               outbox relay has brought the last attempt to the broker

and their ratio. Progress and the scheduler are not there: their share of an answer is measured with the whole stack. Target: 0.5.
`--profile` writes the server's cProfile to FILE (it slows the server; the figures are then of no use).
"""

import argparse
import asyncio
import cProfile
import json
import multiprocessing
import signal
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

import asyncpg
import grpc
import psutil
import uvloop
from joserfc import jwt
from joserfc.jwk import ECKey
from paideia.assessment.v1 import assessment_service_pb2 as pb
from paideia.assessment.v1.assessment_service_pb2_grpc import (
    AssessmentServiceStub,
    add_AssessmentServiceServicer_to_server,
)

sys.path.insert(0, str(Path(__file__).parents[1]))

ISSUER = "http://localhost:8080"
POOL = 10
LEARNERS = 500
UPSERT = """
INSERT INTO bare (id, learner, course, item, revision, answer, score, correct, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (id) DO UPDATE SET score = excluded.score, correct = excluded.correct, at = excluded.at
"""
ANSWER = '{"type":"ChoiceAnswer","chosen":["b"]}'


def serve(pipe: Connection, key: dict[str, str], dsn: str, relay_dsn: str, bootstrap: str, profile: str) -> None:
    """Serves assessment with its relay until terminated."""

    async def run() -> None:
        from dependency_injector import providers

        from adapters.assessment.grpc import item_from
        from adapters.assessment.postgres import PostgresHeldItems, PostgresHintUnit, PostgresResponses
        from adapters.assessment.published_items import CachedPublishedItems
        from adapters.assessment.re2 import Re2PatternMatcher
        from adapters.shared.grpc import Channels
        from adapters.shared.kafka import KafkaProducer
        from adapters.shared.outbox import OutboxRelay
        from adapters.shared.topics import ensure_topics
        from domain.assessment.model.items import Body, ChoiceInteraction, ChoiceKey, Item, Key, Option
        from domain.assessment.model.responses import Response
        from domain.assessment.ports import AttemptListener, CatalogContent, PublishedBatch
        from domain.assessment.use_cases.check_items import CheckItems
        from domain.assessment.use_cases.get_item_view import GetItemView
        from domain.assessment.use_cases.get_response import GetResponse
        from domain.assessment.use_cases.list_responses import ListResponses
        from domain.assessment.use_cases.reveal_hint import RevealHint
        from domain.assessment.use_cases.submit_response import SubmitResponse
        from domain.shared.clock import system_clock
        from services.assessment.container import AssessmentContainer
        from services.assessment.servicer import AssessmentServicer
        from services.host.host import service_of
        from services.host.observability import log_as_json
        from services.shared.pipeline import Pipeline
        from services.shared.rules import rules_of
        from services.shared.tokens import TokenVerifier

        choices = tuple(Option(each, f"choice {each}") for each in "abcd")
        body, hidden = Body("Which?", ChoiceInteraction(choices)), Key(ChoiceKey(("b",)), ("Think.",), "Because.")

        class OneCourse(CatalogContent):
            async def published(self, organization: str, course: str, items: Sequence[str]) -> PublishedBatch:
                return PublishedBatch(1, tuple(Item(each, 1, ("fractions", "reading"), body, hidden) for each in items))

        class Nobody(AttemptListener):
            async def hear(self, organization: str, response: Response, skills: Sequence[str]) -> None:
                return None

        async def keys() -> list[dict[str, str]]:
            return [key]

        sys.stdout = open("/dev/null", "w")  # noqa: SIM115, ASYNC230  # log lines are made and written, only to nowhere
        log_as_json("benchmark", "info")
        pool = await asyncpg.create_pool(dsn, min_size=0, max_size=POOL)
        items, patterns = CachedPublishedItems(OneCourse(), PostgresHeldItems(pool)), Re2PatternMatcher()
        responses = PostgresResponses(pool)
        channels = Channels({}, b"m" * 32, "assessment", system_clock)
        context = AssessmentContainer(
            pool=providers.Object(pool), channels=providers.Object(channels), clock=providers.Object(system_clock)
        )
        servicer = AssessmentServicer(
            GetItemView(items, lambda organization: PostgresHintUnit(pool, organization)),
            RevealHint(items, lambda organization: PostgresHintUnit(pool, organization)),
            SubmitResponse(items, responses, Nobody(), patterns, system_clock),
            GetResponse(responses),
            ListResponses(responses),
            CheckItems(patterns),
            item_from,
            context.sitting_use_cases(),
        )
        await ensure_topics(bootstrap, ["user.attempts"])
        relay = asyncio.create_task(OutboxRelay(relay_dsn, "assessment", KafkaProducer(bootstrap)).run())
        pipeline = Pipeline(TokenVerifier(keys, b"m" * 32, system_clock, issuer=ISSUER), rules_of(service_of("assessment")))
        server = grpc.aio.server()
        add_AssessmentServiceServicer_to_server(servicer, pipeline.around(server))
        pipe.send(server.add_insecure_port("127.0.0.1:0"))
        await server.start()
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await stop.wait()
        relay.cancel()
        await server.stop(None)

    if profile:
        with cProfile.Profile() as measured:
            uvloop.run(run())
        measured.dump_stats(profile)
    else:
        uvloop.run(run())


def request(number: int) -> pb.SubmitResponseRequest:
    answer = pb.Answer(choice=pb.ChoiceAnswer(chosen=["b" if number % 3 else "a"]))
    learner, item = f"learners/l{number % LEARNERS}", f"items/i{number % 150}"
    made = pb.SubmitResponseRequest(
        request_id=str(uuid.uuid4()), learner=learner, course="courses/fractions", item=item, answer=answer
    )
    made.response_time.FromMilliseconds(12_345)
    return made


def cpu_seconds(pid: int | None) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


async def submitted(port: int, token: str, outbox_dsn: str, seconds: float, concurrency: int) -> tuple[float, list[float]]:
    """Answers a second, until the last is published, and the latencies in seconds."""
    metadata, latencies = (("authorization", f"Bearer {token}"),), []
    looking = await asyncpg.connect(outbox_dsn)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = AssessmentServiceStub(channel)
        start = time.perf_counter()

        async def work(worker: int) -> None:
            number = worker
            while (before := time.perf_counter()) < start + seconds:
                await stub.SubmitResponse(request(number), metadata=metadata, timeout=10)
                latencies.append(time.perf_counter() - before)
                number += concurrency

        await asyncio.gather(*map(work, range(concurrency)))
        while await looking.fetchval("SELECT count(*) FROM assessment.outbox"):
            await asyncio.sleep(0.01)
        taken = time.perf_counter() - start
    await looking.close()
    return len(latencies) / taken, latencies


async def upserts(dsn: str, seconds: float, concurrency: int) -> float:
    pool = await asyncpg.create_pool(dsn, min_size=POOL, max_size=POOL)
    await pool.execute(
        "CREATE TABLE IF NOT EXISTS bare (id uuid PRIMARY KEY, learner text, course text, item text, revision bigint, answer json,"
        " score float8, correct boolean, at timestamptz)"
    )
    start, count = time.perf_counter(), 0

    async def work(worker: int) -> None:
        nonlocal count
        while time.perf_counter() < start + seconds:
            row = (str(uuid.uuid4()), f"l{count % LEARNERS}", "fractions", "i1", 1, ANSWER, 1.0, True, datetime.now(UTC))
            await pool.execute(UPSERT, *row)
            count += 1

    await asyncio.gather(*map(work, range(concurrency)))
    taken = time.perf_counter() - start
    await pool.close()
    return count / taken


def main() -> None:
    import migrations
    from tests import stores

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each")
    parser.add_argument("--concurrency", type=int, default=64, help="answers under way at a time")
    parser.add_argument("--profile", default="", help="write the server's profile here")
    arguments = parser.parse_args()
    key = ECKey.generate_key("P-256", auto_kid=True)
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": "paideia",
        "sub": "tess",
        "org": "north",
        "roles": ["TEACHER"],
        "iat": now,
        "exp": now + 3600,
    }
    token = jwt.encode({"alg": "ES256", "kid": key.kid}, claims | {"sid": "s", "jti": "j"}, key)
    public = {**key.as_dict(private=False), "use": "sig", "alg": "ES256"}
    rates: dict[str, list[float]] = {"upserts": [], "submitted": []}
    latencies: list[float] = []
    costs: list[list[float]] = []
    with tempfile.TemporaryDirectory(prefix="paideia-benchmark-") as directory:
        place = Path(directory)
        part = stores.Postgres(place / "postgres", stores.free_port(), "superuser", "owner", durable=True)
        database = stores.PostgresServer(part, {})
        with stores.running(part, place / "postgres.log"), stores.kafka_broker(place) as bootstrap:
            asyncio.run(migrations.upgrade(database.owner_dsn, database.password, only=["assessment"]))
            spawn = multiprocessing.get_context("spawn")
            ours, theirs = spawn.Pipe()
            dsns = (f"{database.dsn('paideia_assessment')}", database.dsn("paideia_relay"))
            server = spawn.Process(target=serve, args=(theirs, public, *dsns, bootstrap, arguments.profile))
            server.start()
            port = ours.recv()
            for round_number in range(arguments.rounds + 1):
                used = [cpu_seconds(each) for each in (server.pid, None)]
                rate, found = uvloop.run(submitted(port, token, database.superuser_dsn, arguments.seconds, arguments.concurrency))
                spent = [cpu_seconds(each) for each in (server.pid, None)]
                bare = uvloop.run(upserts(database.superuser_dsn, arguments.seconds, arguments.concurrency))
                if round_number:  # the first round warms up
                    costs.append([(now - then) / len(found) for now, then in zip(spent, used, strict=True)])
                    rates["submitted"].append(rate)
                    rates["upserts"].append(bare)
                    latencies += found
            server.terminate()
            server.join()
    medians = {name: statistics.median(found) for name, found in rates.items()}
    cuts = statistics.quantiles(latencies, n=20)
    report = {
        "benchmark": "submit_response",
        "upserts_per_second": round(medians["upserts"]),
        "submitted_per_second": round(medians["submitted"]),
        "latency_ms": {"p50": round(cuts[9] * 1000, 1), "p95": round(cuts[18] * 1000, 1)},
        "cpu_us_per_answer": {
            name: round(statistics.median(found) * 1e6)
            for name, found in zip(("server", "client"), zip(*costs, strict=True), strict=True)
        },
        "ratio": round(medians["submitted"] / medians["upserts"], 3),
        "target": 0.5,
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
