"""How quick a decision is: in process, and over gRPC against an empty handler that returns the same message.

    python -m benchmarks.next_items [--seconds 5]

Prints JSON. The server runs in a process of its own with a real PostgreSQL (every record is committed before it is answered) and a real
Valkey; the load comes from this process. All of them share the machine's cores, as they do in the one-machine stack.
"""

import argparse
import asyncio
import gc
import json
import multiprocessing
import os
import random
import statistics
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter, process_time
from uuid import uuid4

import asyncpg
import grpc
import uvloop
from dependency_injector import providers
from paideia.scheduler.v1 import scheduler_service_pb2 as pb
from paideia.scheduler.v1.scheduler_service_pb2_grpc import (
    SchedulerServiceServicer,
    SchedulerServiceStub,
    add_SchedulerServiceServicer_to_server,
)
from redis.asyncio import Redis

from adapters.scheduler.kafka import decision_made
from adapters.scheduler.memory import MemoryPublications
from adapters.scheduler.redis import RedisHotStates
from domain.scheduler.decide import Difficulties, decide
from domain.scheduler.model import DecisionRequest, ProgressUpdate, Publication, PublishedItem, PublishedSkill, SkillMastery
from domain.scheduler.policy import PRACTICE_1
from domain.scheduler.pool import compiled
from domain.scheduler.state import LearnerState
from domain.shared.clock import system_clock
from services.host.host import service_of
from services.host.observability import log_as_json
from services.scheduler.container import SchedulerContainer
from services.shared.pipeline import Pipeline
from services.shared.rules import rules_of
from tests import stores
from tests.rpc.serving import Calls, PlainTokens

SKILLS, ANSWERED, LEARNERS, AT_ONCE = 100, 300, 200, 32
ORGANIZATION = "benchmark"
NOW = datetime.now(UTC)


def course(items: int) -> Publication:
    """Ten chains of ten skills; every third item practises a second skill."""
    skills = tuple(PublishedSkill(f"s{n}", f"Skill {n}", (f"s{n - 1}",) if n % 10 else ()) for n in range(SKILLS))
    pool = tuple(
        PublishedItem(f"item-{n}", 1, (f"s{n % SKILLS}", *((f"s{n * 7 % SKILLS}",) if n % 3 == 0 else ()))) for n in range(items)
    )
    return Publication(f"of-{items}", 1, skills, pool)


def learner(items: int) -> LearnerState:
    """A learner of 300 answers over a fortnight, who has mastered about half of the skills."""
    return LearnerState.new().after(
        ProgressUpdate(
            learner="ada",
            sequence=n + 1,
            course=f"of-{items}",
            item=f"item-{n * 37 % items}",
            score=float(n % 4 > 0),
            correct=n % 4 > 0,
            skills=(SkillMastery(f"s{n % SKILLS}", 0.95 if n % 10 < 5 else 0.4, 0.2, 0.99, 1 + n // SKILLS),),
            ability=0.4,
            ability_error=0.3,
            item_difficulty=0.1,
            answered_at=NOW.timestamp() - (ANSWERED - n) * 4_000,
        )
        for n in range(ANSWERED)
    )


def median_microseconds(act: Callable[[], object], times: int = 400) -> float:
    for _ in range(20):
        act()
    gc.disable()
    taken = []
    for _ in range(times):
        start = perf_counter()
        act()
        taken.append(perf_counter() - start)
    gc.enable()
    return round(statistics.median(taken) * 1e6, 1)


def in_process(items: int, size: int) -> dict[str, float]:
    pool = compiled(course(items))
    state, difficulties = learner(items), Difficulties.unknown(pool)
    request = DecisionRequest(str(uuid4()), "ada", pool.course, size)
    decision = decide(pool, difficulties, state, PRACTICE_1, request, NOW)
    return {
        "decide_us": median_microseconds(lambda: decide(pool, difficulties, state, PRACTICE_1, request, NOW)),
        "record_as_event_us": median_microseconds(lambda: decision_made(ORGANIZATION, decision)),
        "record_bytes": len(decision_made(ORGANIZATION, decision).payload),
    }


class Empty(SchedulerServiceServicer):
    """Returns one message for ever."""

    def __init__(self, answer: pb.NextItemsResponse) -> None:
        self._answer = answer

    async def NextItems(self, request: pb.NextItemsRequest, context: object) -> pb.NextItemsResponse:
        return self._answer


async def serve(kind: str, items: int, dsn: str, redis_url: str, parent: Connection) -> None:
    """Serves until the parent says stop. `kind` is bare, empty (behind the interceptors) or real."""
    source = MemoryPublications()
    source.put(ORGANIZATION, course(items))
    interceptors = [] if kind == "bare" else [Pipeline(PlainTokens(), rules_of(service_of("scheduler")))]
    server = grpc.aio.server(interceptors=interceptors)

    async def no_reset(connection: asyncpg.Connection) -> None:
        return None

    gc.collect()
    gc.freeze()  # as the host does
    async with asyncpg.create_pool(dsn, min_size=1, max_size=10, reset=no_reset) as pool, Redis.from_url(redis_url) as redis:
        container = SchedulerContainer(
            pool=providers.Object(pool),
            redis=providers.Object(redis),
            source=providers.Object(source),
            clock=providers.Object(system_clock),
        )
        servicer = container.servicer() if kind == "real" else Empty(parent.recv())
        add_SchedulerServiceServicer_to_server(servicer, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        parent.send(port)
        while await asyncio.to_thread(parent.recv) == "cpu":
            parent.send(process_time())
        await server.stop(1)


def serve_in_process(*arguments: object) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the log is written as in production, but not kept
    log_as_json("benchmark", "info")
    uvloop.run(serve(*arguments))  # type: ignore[arg-type]


def _cpu_of(server: Connection) -> float:
    server.send("cpu")
    return float(server.recv())


async def load(port: int, items: int, seconds: float, pause: float = 0.0) -> tuple[float, list[float], int]:
    """Calls from AT_ONCE learners at once, each pausing `pause` seconds in the mean between calls.

    Returns calls a second, the sorted latencies in seconds and the number of calls.
    """
    latencies: list[float] = []
    numbers = count()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = SchedulerServiceStub(channel)
        metadata = Calls.as_(ORGANIZATION, "tess", "TEACHER")

        async def practise() -> None:
            while perf_counter() < end:
                request = pb.NextItemsRequest(
                    request_id=str(uuid4()),
                    learner=f"learners/learner-{next(numbers) % LEARNERS}",
                    course=f"courses/of-{items}",
                    size=5,
                )
                start = perf_counter()
                await stub.NextItems(request, metadata=metadata)
                latencies.append(perf_counter() - start)
                if pause:  # at random, or all learners would come at once again and again
                    await asyncio.sleep(random.expovariate(1 / pause))

        begin = perf_counter()
        end = begin + seconds
        await asyncio.gather(*(practise() for _ in range(AT_ONCE)))
        return len(latencies) / (perf_counter() - begin), sorted(latencies), len(latencies)


def over_grpc(kind: str, items: int, seconds: float, dsn: str, redis_url: str, answer: pb.NextItemsResponse) -> dict[str, float]:
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve_in_process, args=(kind, items, dsn, redis_url, there))
    process.start()
    if kind != "real":
        here.send(answer)
    port = here.recv()
    uvloop.run(load(port, items, 1.0))  # warms up
    before = _cpu_of(here)
    rate, latencies, calls = uvloop.run(load(port, items, seconds))
    cpu = (_cpu_of(here) - before) / calls
    half, at_half, _ = uvloop.run(load(port, items, seconds, pause=2 * AT_ONCE / rate))
    here.send("stop")
    process.join(10)
    return {
        "calls_per_second": round(rate),
        "server_cpu_us_per_call": round(cpu * 1e6),
        "p50_ms": round(latencies[len(latencies) // 2] * 1e3, 2),
        "p95_ms": round(latencies[len(latencies) * 95 // 100] * 1e3, 2),
        "calls_per_second_at_half_load": round(half),
        "p95_ms_at_half_load": round(at_half[len(at_half) * 95 // 100] * 1e3, 2),
    }


async def warm(redis_url: str, items: int) -> None:
    """Makes the learners hot; those of another pool size make room."""
    async with Redis.from_url(redis_url) as redis:
        await redis.flushall()
        state = learner(items)
        await RedisHotStates(redis).keep(ORGANIZATION, {f"learner-{n}": state for n in range(LEARNERS)})


def an_answer() -> pb.NextItemsResponse:
    chosen = pb.ChosenItem(
        item="items/item-1234",
        revision=1,
        skills=["skills/s34"],
        predicted_correct=0.72,
        reason="You are working on Skill 34; practice counts most right now.",
        reason_kind=pb.REASON_KIND_GROWTH,
    )
    return pb.NextItemsResponse(decision=f"decisions/{uuid4()}", items=[chosen] * 5)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=5.0, help="of load for each measurement")
    seconds = options.parse_args().seconds
    result: dict[str, object] = {"in_process": {str(items): in_process(items, 1) for items in (1_000, 10_000)}}
    with (
        tempfile.TemporaryDirectory() as directory,
        stores.valkey_server(Path(directory)) as redis_url,
        stores.postgres_server(Path(directory)) as postgres,
    ):
        dsn, answer = postgres.dsn("paideia_scheduler"), an_answer()
        rpc = {kind: over_grpc(kind, 10, seconds, dsn, redis_url, answer) for kind in ("bare", "empty")}
        for items in (1_000, 10_000):
            uvloop.run(warm(redis_url, items))
            rpc[f"real_{items}"] = over_grpc("real", items, seconds, dsn, redis_url, answer)
    result["grpc"] = rpc
    result["ratio_to_bare_handler"] = {
        name: round(rpc[name]["calls_per_second"] / rpc["bare"]["calls_per_second"], 3)
        for name in ("empty", "real_1000", "real_10000")
    }
    # What the machine's other work does not distort: the server's processor time a call.
    result["ratio_to_bare_handler_by_cpu"] = {
        name: round(rpc["bare"]["server_cpu_us_per_call"] / rpc[name]["server_cpu_us_per_call"], 3)
        for name in ("empty", "real_1000", "real_10000")
    }
    result["ratio_of_10000_items_to_1000"] = round(
        rpc["real_1000"]["calls_per_second"] / rpc["real_10000"]["calls_per_second"], 3
    )
    json.dump(result, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
