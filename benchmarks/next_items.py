"""How quick a decision is: in process, and over gRPC against an empty handler that returns the same message.

    python benchmarks/next_items.py [--seconds 2] [--rounds 5] [--processes CORES]

Prints JSON. `decide_in_company_us` is what a decision costs when thirty-two are made together, as under the load below. Each kind of server
runs in as many processes as the machine has cores, the real ones with a real PostgreSQL and a real Valkey; the load comes from this process,
which takes the kinds in turn in every round, so that whatever else the machine does meets all of them, and spreads its callers evenly over
the processes. Figures are medians over the rounds. All processes share the machine's cores, as in the one-machine stack: with two cores a
bare handler is held back by this client (`client_cpu_us_per_call`), a real one by its own processor time and its database's. Of the two
ratios to a bare handler the one by processor time is therefore the steadier; the other is what a caller sees.
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
from collections import defaultdict
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter, process_time, thread_time
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

sys.path.insert(0, str(Path(__file__).parents[1]))

from adapters.scheduler.kafka import decision_made
from adapters.scheduler.memory import MemoryPublications
from adapters.scheduler.redis import RedisHotStates
from domain.scheduler.decide import Asked, Difficulties, decide, decide_together
from domain.scheduler.model import DecisionRequest, ProgressUpdate, Publication, PublishedItem, PublishedSkill, SkillMastery
from domain.scheduler.policy import PRACTICE_2
from domain.scheduler.pool import compiled
from domain.scheduler.state import LearnerState
from domain.shared.clock import system_clock
from services.host.host import service_of
from services.host.memory import keep_freed_memory
from services.host.observability import log_as_json
from services.scheduler.container import SchedulerContainer
from services.shared.pipeline import Pipeline
from services.shared.rules import rules_of
from tests import stores
from tests.rpc.serving import Calls, PlainTokens

SKILLS, ANSWERED, LEARNERS = 100, 300, 200
AT_ONCE = 64  # fewer leave both cores waiting now and then: requests that come together are decided together
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
        start = thread_time()  # the machine may be shared
        act()
        taken.append(thread_time() - start)
    gc.enable()
    return round(statistics.median(taken) * 1e6, 1)


def in_process(items: int, size: int) -> dict[str, float]:
    pool = compiled(course(items))
    state, difficulties = learner(items), Difficulties.unknown(pool)
    request = DecisionRequest(str(uuid4()), "ada", pool.course, size)
    decision = decide(pool, difficulties, state, PRACTICE_2, request, NOW)

    def decide_and_record() -> None:
        decision_made(ORGANIZATION, decide(pool, difficulties, state, PRACTICE_2, request, NOW))

    asked = [Asked(DecisionRequest(str(uuid4()), "ada", pool.course, size), state, NOW) for _ in range(AT_ONCE // 2)]
    in_company = median_microseconds(lambda: decide_together(pool, difficulties, PRACTICE_2, asked), 60) / len(asked)
    return {
        "decide_and_record_us": median_microseconds(decide_and_record),
        "decide_us": median_microseconds(lambda: decide(pool, difficulties, state, PRACTICE_2, request, NOW)),
        "decide_in_company_us": round(in_company, 1),
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
    server = grpc.aio.server()
    pipeline = Pipeline(PlainTokens(), rules_of(service_of("scheduler")))

    async def no_reset(connection: asyncpg.Connection) -> None:
        return None

    gc.collect()
    gc.freeze()  # as the host does, like the next line
    gc.set_threshold(50_000, 20, 20)
    async with asyncpg.create_pool(dsn, min_size=1, max_size=10, reset=no_reset) as pool, Redis.from_url(redis_url) as redis:
        container = SchedulerContainer(
            pool=providers.Object(pool),
            redis=providers.Object(redis),
            source=providers.Object(source),
            clock=providers.Object(system_clock),
        )
        servicer = container.servicer() if kind == "real" else Empty(parent.recv())
        writer = asyncio.create_task(container.decisions().run())
        add_SchedulerServiceServicer_to_server(servicer, server if kind == "bare" else pipeline.around(server))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        parent.send(port)
        while await asyncio.to_thread(parent.recv) == "cpu":
            parent.send(process_time())
        await server.stop(1)
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)
        await container.decisions().flush()


def serve_in_process(*arguments: object) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the log is written as in production, but not kept
    log_as_json("benchmark", "info")
    keep_freed_memory()
    uvloop.run(serve(*arguments))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Load:
    """What one round of load saw; latencies in seconds, sorted; processor times in seconds a call."""

    calls_per_second: float
    latencies: list[float]
    server_cpu: float
    client_cpu: float

    def percentile_ms(self, percent: int) -> float:
        return self.latencies[len(self.latencies) * percent // 100] * 1e3


class Process:
    """One process of a server."""

    def __init__(self, kind: str, items: int, dsn: str, redis_url: str, answer: pb.NextItemsResponse) -> None:
        self._pipe, there = multiprocessing.Pipe()
        arguments = (kind, items, dsn, redis_url, there)
        self._process = multiprocessing.get_context("spawn").Process(target=serve_in_process, args=arguments)
        self._process.start()
        if kind != "real":
            self._pipe.send(answer)
        self.port = self._pipe.recv()

    def cpu(self) -> float:
        self._pipe.send("cpu")
        return float(self._pipe.recv())

    def stop(self) -> None:
        self._pipe.send("stop")
        self._process.join(10)


class Server:
    """One kind of server, in several processes."""

    def __init__(self, kind: str, items: int, dsn: str, redis_url: str, answer: pb.NextItemsResponse, processes: int = 1) -> None:
        self._items = items
        self._processes = [Process(kind, items, dsn, redis_url, answer) for _ in range(processes)]

    def stop(self) -> None:
        for each in self._processes:
            each.stop()

    def under_load(self, seconds: float, pause: float = 0.0) -> Load:
        """Returns what AT_ONCE learners saw who call at once, each pausing `pause` seconds in the mean between calls."""
        before, own = self._cpu(), process_time()
        rate, latencies = uvloop.run(self._load(seconds, pause))
        calls = len(latencies)
        own, spent = process_time() - own, self._cpu() - before
        return Load(rate, sorted(latencies), spent / calls, own / calls)

    def _cpu(self) -> float:
        return sum(each.cpu() for each in self._processes)

    async def _load(self, seconds: float, pause: float) -> tuple[float, list[float]]:
        latencies: list[float] = []
        numbers = count()
        async with AsyncExitStack() as channels:
            stubs = [
                SchedulerServiceStub(await channels.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{each.port}")))
                for each in self._processes
            ]
            metadata = Calls.as_(ORGANIZATION, "tess", "TEACHER")

            async def practise(stub: SchedulerServiceStub) -> None:
                while perf_counter() < end:
                    request = pb.NextItemsRequest(
                        request_id=str(uuid4()),
                        learner=f"learners/of-{self._items}-{next(numbers) % LEARNERS}",
                        course=f"courses/of-{self._items}",
                        size=5,
                    )
                    start = perf_counter()
                    await stub.NextItems(request, metadata=metadata)
                    latencies.append(perf_counter() - start)
                    if pause:  # at random, or all learners would come at once again and again
                        await asyncio.sleep(random.expovariate(1 / pause))

            begin = perf_counter()
            end = begin + seconds
            await asyncio.gather(*(practise(stubs[caller % len(stubs)]) for caller in range(AT_ONCE)))
            return len(latencies) / (perf_counter() - begin), latencies


async def warm(redis_url: str, items: int) -> None:
    """Makes the learners of a course hot."""
    async with Redis.from_url(redis_url) as redis:
        state = learner(items)
        await RedisHotStates(redis).keep(ORGANIZATION, {f"of-{items}-{n}": state for n in range(LEARNERS)})


def over_grpc(servers: dict[str, Server], seconds: float, rounds: int) -> dict[str, dict[str, float]]:
    """Returns the figures of each server, medians over the rounds."""
    figures: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for server in servers.values():
        server.under_load(1.0)  # warms up
    for _ in range(rounds):
        for name, server in servers.items():
            full = server.under_load(seconds)
            half = server.under_load(seconds, pause=2 * AT_ONCE / full.calls_per_second)
            for figure, value in (
                ("calls_per_second", full.calls_per_second),
                ("server_cpu_us_per_call", full.server_cpu * 1e6),
                ("client_cpu_us_per_call", full.client_cpu * 1e6),
                ("p50_ms", full.percentile_ms(50)),
                ("p95_ms", full.percentile_ms(95)),
                ("calls_per_second_at_half_load", half.calls_per_second),
                ("p95_ms_at_half_load", half.percentile_ms(95)),
            ):
                figures[name][figure].append(value)
    return {name: {figure: round(statistics.median(values), 1) for figure, values in of.items()} for name, of in figures.items()}


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
    options.add_argument("--seconds", type=float, default=2.0, help="of load for each measurement")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--processes", type=int, default=os.cpu_count(), help="of each server; one a core unless told")
    given = options.parse_args()
    inner = {str(items): in_process(items, 1) for items in (1_000, 10_000)}
    with (
        tempfile.TemporaryDirectory() as directory,
        stores.valkey_server(Path(directory)) as redis_url,
        stores.postgres_server(Path(directory)) as postgres,
    ):
        kinds = {"bare": ("bare", 10), "empty": ("empty", 10), "real_1000": ("real", 1_000), "real_10000": ("real", 10_000)}
        for kind, items in kinds.values():
            if kind == "real":
                uvloop.run(warm(redis_url, items))
        dsn, answer = postgres.dsn("paideia_scheduler"), an_answer()
        servers = {name: Server(*kind, dsn, redis_url, answer, given.processes) for name, kind in kinds.items()}
        rpc = over_grpc(servers, given.seconds, given.rounds)
        for server in servers.values():
            server.stop()

    def ratios(figure: str, to: str, of: tuple[str, ...], more_is_better: bool) -> dict[str, float]:
        return {
            name: round(rpc[name][figure] / rpc[to][figure] if more_is_better else rpc[to][figure] / rpc[name][figure], 3)
            for name in of
        }

    real = ("real_1000", "real_10000")
    result = {
        "processes": given.processes,
        "callers": AT_ONCE,
        "in_process": inner,
        "grpc": rpc,
        "throughput_ratio_to_bare_handler": ratios("calls_per_second", "bare", ("empty", *real), True),
        "throughput_ratio_to_empty_handler_behind_interceptors": ratios("calls_per_second", "empty", real, True),
        "cpu_ratio_to_bare_handler": ratios("server_cpu_us_per_call", "bare", ("empty", *real), False),
        "cpu_ratio_to_empty_handler_behind_interceptors": ratios("server_cpu_us_per_call", "empty", real, False),
        "cpu_of_10000_items_to_1000": ratios("server_cpu_us_per_call", "real_1000", ("real_10000",), True)["real_10000"],
    }
    json.dump(result, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
