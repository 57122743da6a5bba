"""Event ingestion against a bare producer that sends the same bytes to the same broker. Prints JSON.

    python benchmarks/ingest.py [--events 96000] [--batch 1000] [--rounds 3] [--passes 4] [--processes 2] [--storage memory|s3|both]

For each storage of the broker: events/s (medians) of

    bare        a loop of Producer.produce, in a process that does nothing else, until all is acknowledged
    in_process  the use case on encoded requests: decode, judge, send, acknowledged
    grpc        the same behind the real servicer and interceptors, in as many processes as told (a host's `ingestion*2`), the client in one
                of its own

with eight calls at a time to each process, and their ratios to `bare`. Promised: at least 100,000 events/s in memory and 0.6 of the bare
producer on both storages.

For each also: the processor time an event costs the process that produces (microseconds, user and system, librdkafka's threads included), and
for the two that acknowledge, the 50th and 99th percentile of the time from a batch's call to its acknowledgement (milliseconds).
"""

import argparse
import asyncio
import gc
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import grpc
import structlog
import uvloop
from confluent_kafka import Producer
from joserfc import jwt
from joserfc.jwk import ECKey
from paideia.ingestion.v1.events_pb2 import SESSION_PHASE_STARTED, LearningEvent
from paideia.ingestion.v1.ingestion_service_pb2 import IngestEventsRequest, IngestEventsResponse
from paideia.ingestion.v1.ingestion_service_pb2_grpc import add_IngestionServiceServicer_to_server

from adapters.ingestion.kafka import TYPE, KafkaEventLog
from adapters.ingestion.kafka_entry import entry_of
from adapters.ingestion.kafka_usual_shape import QuickExaminer
from adapters.shared.kafka import Record, event_headers
from adapters.shared.round_producer import RoundProducer
from adapters.shared.topics import ensure_topics
from domain.ingestion.ports import NothingCounted
from domain.ingestion.use_cases.get_usage import GetUsage
from domain.ingestion.use_cases.ingest_events import IngestEvents
from domain.shared.caller import Caller, Role
from domain.shared.clock import system_clock
from services.host.host import service_of
from services.host.memory import keep_freed_memory
from services.ingestion.servicer import IngestionServicer
from services.shared.pipeline import Pipeline
from services.shared.rules import rules_of
from services.shared.tokens import AUDIENCE, TokenVerifier

ISSUER = "http://localhost:8080"
ROOT = Path(__file__).parent.parent
METHOD = "/paideia.ingestion.v1.IngestionService/IngestEvents"
AT_A_TIME = 8


@dataclass
class Measured:
    """Events/s of each round, seconds from call to acknowledgement of each batch, and processor seconds an event of the producing process."""

    rates: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    cpu: float = 0.0

    def add(self, other: "Measured") -> None:
        """Adds as many rounds measured at another time."""
        passes = len(self.rates) // len(other.rates)
        self.cpu = (self.cpu * passes + other.cpu) / (passes + 1)
        self.rates += other.rates
        self.waits += other.waits

    def report(self) -> dict[str, Any]:
        told: dict[str, Any] = {
            "events_per_second": round(statistics.median(self.rates)),
            "cpu_us_an_event": round(self.cpu * 1e6, 2),
        }
        if self.waits:
            cuts = statistics.quantiles(self.waits, n=100)
            told["acknowledged_ms"] = {"p50": round(cuts[49] * 1e3, 1), "p99": round(cuts[98] * 1e3, 1)}
        return told


def events(count: int, seed: int = 7) -> list[LearningEvent]:
    """Answers of 500 learners to 1,500 items of two skills each, and every tenth event the beginning of a session."""
    chance = random.Random(seed)
    made = []
    for number in range(count):
        event = LearningEvent(
            id=str(uuid.UUID(int=chance.getrandbits(128), version=4)), learner=f"learners/l{chance.randrange(500)}"
        )
        event.occur_time.FromDatetime(datetime.now(UTC))
        event.course = "courses/fractions"
        event.client_sequence = number
        if number % 10 == 0:
            event.session.session = f"s{chance.randrange(10_000)}"
            event.session.phase = SESSION_PHASE_STARTED
        else:
            item = chance.randrange(1_500)
            event.attempt.item = f"items/i{item}"
            event.attempt.skills.extend([f"skills/s{item % 40}", f"skills/s{40 + item % 17}"])
            event.attempt.correct = chance.random() < 0.6
            event.attempt.response_time.FromMilliseconds(chance.randrange(2_000, 60_000))
        made.append(event)
    return made


def requests_of(all_events: Sequence[LearningEvent], batch: int) -> list[bytes]:
    return [
        IngestEventsRequest(events=all_events[start : start + batch]).SerializeToString()
        for start in range(0, len(all_events), batch)
    ]


def record_of(event: LearningEvent) -> Record:
    """Returns the message that ingestion makes of an event."""
    id, learner, topic, time, encoding = entry_of(event)
    traceparent = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    return topic, f"north/{learner}", encoding, event_headers(id.decode(), time.decode(), TYPE, "ingestion", "north", traceparent)


def bare(bootstrap: str, all_events: Sequence[LearningEvent], rounds: int) -> Measured:
    """The rival has every advantage: messages made beforehand, and the settings that were found quickest."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "acks": "all",
            "compression.type": "lz4",
            "max.in.flight.requests.per.connection": 1,
            "linger.ms": 2,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    records = [record_of(event) for event in all_events]
    failures = []

    def report(error: Any, message: Any) -> None:
        if error:
            failures.append(error)

    rates = []
    used = time.process_time()
    for _ in range(rounds + 1):
        start = time.perf_counter()
        for number, (topic, key, value, headers) in enumerate(records):
            producer.produce(topic, value, key, -1, report, None, 0, headers)
            if number % 1_000 == 0:
                producer.poll(0)
        producer.flush()
        rates.append(len(records) / (time.perf_counter() - start))
    if failures:
        raise RuntimeError(f"the bare producer failed: {failures[0]}")
    return Measured(rates[1:], cpu=(time.process_time() - used) / len(records) / len(rates))


async def paced(requests: Sequence[bytes], at_a_time: int, call: Callable[[bytes], Awaitable[int]]) -> int:
    """Calls with every request, so many at a time, and returns what was accepted."""
    waiting = iter(requests)

    async def work() -> int:
        return sum([await call(request) for request in waiting])

    return sum(await asyncio.gather(*(work() for _ in range(at_a_time))))


async def measured(
    requests: Sequence[bytes], count: int, rounds: int, at_a_time: int, call: Callable[[bytes], Awaitable[int]]
) -> Measured:
    found = Measured()

    async def timed(request: bytes) -> int:
        start = time.perf_counter()
        accepted = await call(request)
        found.waits.append(time.perf_counter() - start)
        return accepted

    for _ in range(rounds + 1):
        start = time.perf_counter()
        if await paced(requests, at_a_time, timed) != count:
            raise RuntimeError("not everything was accepted")
        found.rates.append(count / (time.perf_counter() - start))
    # The first round warms up.
    found.rates, found.waits = found.rates[1:], found.waits[len(requests) :]
    return found


async def in_process(bootstrap: str, requests: Sequence[bytes], count: int, rounds: int) -> Measured:
    producer = RoundProducer(bootstrap)
    ingest = IngestEvents(KafkaEventLog(producer), QuickExaminer(), system_clock)
    teacher = Caller("north", "tom", frozenset({Role.TEACHER}))

    async def call(request: bytes) -> int:
        return (await ingest(teacher, IngestEventsRequest.FromString(request))).accepted

    used = time.process_time()
    try:
        found = await measured(requests, count, rounds, AT_A_TIME, call)
        found.cpu = (time.process_time() - used) / count / (rounds + 1)
        return found
    finally:
        await producer.close()


def over_grpc(bootstrap: str, requests: Sequence[bytes], count: int, rounds: int, processes: int) -> Measured:
    with ExitStack() as stack:
        command = [sys.executable, str(Path(__file__)), "--serve", bootstrap]
        servers = [
            stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)) for _ in range(processes)
        ]
        for server in servers:
            stack.callback(server.terminate)
        told = [server.stdout.readline().split() for server in servers if server.stdout is not None]
        used = sum(_cpu_seconds(server.pid) for server in servers)
        found = uvloop.run(called([(address, token) for address, token in told], requests, count, rounds))
        found.cpu = (sum(_cpu_seconds(server.pid) for server in servers) - used) / count / (rounds + 1)
        return found


def _cpu_seconds(pid: int) -> float:
    """Returns the processor time that a process has used, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def called(servers: Sequence[tuple[str, str]], requests: Sequence[bytes], count: int, rounds: int) -> Measured:
    """Calls the servers, each by its address and token, in turns."""
    async with AsyncExitStack() as stack:
        ways = []
        for address, token in servers:
            channel = await stack.enter_async_context(grpc.aio.insecure_channel(address))
            ways.append(
                partial(
                    channel.unary_unary(METHOD, None, IngestEventsResponse.FromString),
                    metadata=(("authorization", f"Bearer {token}"),),
                    timeout=30,
                )
            )
        turns = cycle(ways)

        async def call(request: bytes) -> int:
            return (await next(turns)(request)).accepted

        return await measured(requests, count, rounds, AT_A_TIME * len(servers), call)


async def serve(bootstrap: str) -> None:
    """The server process: prints its address and a teacher's token."""
    key = ECKey.generate_key("P-256", {"kid": "benchmark"})
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "org": "north", "sub": "tom", "roles": ["TEACHER"], "iat": now, "exp": now + 3_600}

    async def keys() -> list[dict[str, Any]]:
        return [key.as_dict(private=False)]

    service = service_of("ingestion")
    pipeline = Pipeline(TokenVerifier(keys, b"m" * 32, system_clock, issuer=ISSUER), dict(rules_of(service)), {})
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", 8 * 1024 * 1024)])
    producer = RoundProducer(bootstrap)
    ingest = IngestEvents(KafkaEventLog(producer), QuickExaminer(), system_clock)
    usage = GetUsage(NothingCounted(), system_clock)
    add_IngestionServiceServicer_to_server(IngestionServicer(ingest, usage), pipeline.around(server))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"127.0.0.1:{port}", jwt.encode({"alg": "ES256", "kid": "benchmark"}, claims, key), flush=True)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    await server.wait_for_termination()


def as_in_the_host() -> None:
    """Sets what the host sets for its processes; the bare producer has it too."""
    keep_freed_memory()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def run(storage: str, count: int, batch: int, rounds: int, passes: int, processes: int) -> dict[str, Any]:
    sys.path.insert(0, str(ROOT))
    from stack.parts.broker import BUCKET, Broker
    from stack.parts.objects import Objects
    from tests.stores import free_port, running

    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = Broker(free_port())
        if storage == "s3":
            objects = Objects(directory / "objects", free_port(), "benchmark", "benchmark-secret", buckets=(BUCKET,))
            stack.enter_context(running(objects, directory / "objects.log"))
            broker = Broker.on(objects, free_port())
        stack.enter_context(running(broker, directory / "broker.log"))
        uvloop.run(ensure_topics(broker.address))
        all_events = events(count)
        requests = requests_of(all_events, batch)
        found: defaultdict[str, Measured] = defaultdict(Measured)
        # In turns: a busy neighbour then slows all of them.
        for _ in range(passes):
            found["bare"].add(bare(broker.address, all_events, rounds))
            found["in_process"].add(uvloop.run(in_process(broker.address, requests, count, rounds)))
            found["grpc"].add(over_grpc(broker.address, requests, count, rounds, processes))
    medians = {name: statistics.median(each.rates) for name, each in found.items()}
    return {name: each.report() for name, each in found.items()} | {
        "ratio_to_bare": {name: round(each / medians["bare"], 3) for name, each in medians.items() if name != "bare"}
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Event ingestion against a bare producer.")
    parser.add_argument("--events", type=int, default=96_000)
    parser.add_argument("--batch", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--passes", type=int, default=4)
    parser.add_argument(
        "--processes", type=int, default=2, help="ingestion servers, as PAIDEIA_PROCESSES=...;ingestion*2 starts them"
    )
    parser.add_argument("--storage", choices=("memory", "s3", "both"), default="both")
    parser.add_argument("--serve", metavar="BOOTSTRAP", help=argparse.SUPPRESS)
    options = parser.parse_args()
    as_in_the_host()
    if options.serve:
        uvloop.run(serve(options.serve))
        return
    storages = ("memory", "s3") if options.storage == "both" else (options.storage,)
    results = {
        each: run(each, options.events, options.batch, options.rounds, options.passes, options.processes) for each in storages
    }
    told = {"events": options.events, "batch": options.batch, "processes": options.processes, "bytes_an_event": _size()}
    print(json.dumps(told | {"storage": results}, indent=2))


def _size() -> int:
    return round(statistics.mean(event.ByteSize() for event in events(100)))


if __name__ == "__main__":
    main()
