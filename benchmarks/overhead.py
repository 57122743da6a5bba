"""What the pipeline adds to a call: token, rule, deadline, trace, metrics, log line, against a bare grpcio handler.

Usage: python benchmarks/overhead.py [--seconds 3] [--rounds 5]

Both servers answer GetMastery with the same small message, each in a process of its own; one client calls them in turn. Prints JSON:
calls a second of both (medians), server CPU microseconds a call, their difference (target: at most 150) and the ratio.
"""

import argparse
import asyncio
import json
import multiprocessing
import statistics
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

import grpc
import psutil
import uvloop
from joserfc import jwt
from joserfc.jwk import ECKey
from paideia.progress.v1 import progress_service_pb2 as progress
from paideia.progress.v1.progress_service_pb2_grpc import (
    ProgressServiceServicer,
    ProgressServiceStub,
    add_ProgressServiceServicer_to_server,
)

sys.path.insert(0, str(Path(__file__).parents[1]))

ISSUER = "http://localhost:8080"
CONCURRENCY = 16


class Masteries(ProgressServiceServicer):
    async def GetMastery(self, request, context):
        return progress.Mastery(learner=request.learner, attempt_count=1)


def serve(pipe: Connection, key: dict[str, str] | None) -> None:
    """Serves behind the pipeline when `key`, the public key of the tokens, is given, bare otherwise."""

    async def run() -> None:
        from domain.shared.clock import system_clock
        from services.host.host import service_of
        from services.host.observability import log_as_json
        from services.shared.pipeline import Pipeline
        from services.shared.rules import rules_of
        from services.shared.tokens import TokenVerifier

        if key is not None:
            sys.stdout = open("/dev/null", "w")  # noqa: SIM115, ASYNC230  # the log line is made and written, only to nowhere

            async def keys() -> list[dict[str, str]]:
                return [key]

            log_as_json("benchmark", "info")
            pipeline = Pipeline(TokenVerifier(keys, b"m" * 32, system_clock, issuer=ISSUER), rules_of(service_of("progress")))
        server = grpc.aio.server()
        add_ProgressServiceServicer_to_server(Masteries(), server if key is None else pipeline.around(server))
        pipe.send(server.add_insecure_port("127.0.0.1:0"))
        await server.start()
        await server.wait_for_termination()

    uvloop.run(run())


async def calls_in(stub: ProgressServiceStub, seconds: float, metadata: tuple[tuple[str, str], ...]) -> int:
    until = time.perf_counter() + seconds
    request = progress.GetMasteryRequest(learner="learners/ada")

    async def work() -> int:
        count = 0
        while time.perf_counter() < until:
            await stub.GetMastery(request, metadata=metadata, timeout=5)
            count += 1
        return count

    return sum(await asyncio.gather(*(work() for _ in range(CONCURRENCY))))


def cpu_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


async def measure(servers: dict[str, tuple[int, int]], token: str, seconds: float, rounds: int) -> dict[str, dict[str, float]]:
    metadata = (("authorization", f"Bearer {token}"), ("traceparent", "00-" + "a" * 32 + "-" + "b" * 16 + "-01"))
    rates: dict[str, list[float]] = {name: [] for name in servers}
    costs: dict[str, list[float]] = {name: [] for name in servers}
    for round_number in range(rounds + 1):
        for name, (port, pid) in servers.items():
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                before = cpu_seconds(pid)
                count = await calls_in(ProgressServiceStub(channel), seconds, metadata)
            if round_number:  # the first round warms up
                rates[name].append(count / seconds)
                costs[name].append((cpu_seconds(pid) - before) / count * 1e6)
    return {
        name: {
            "calls_per_second": round(statistics.median(rates[name])),
            "cpu_us_per_call": round(statistics.median(costs[name]), 1),
        }
        for name in servers
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each measurement")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each server")
    arguments = parser.parse_args()
    key = ECKey.generate_key("P-256", auto_kid=True)
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": "paideia",
        "sub": "ada",
        "org": "north",
        "roles": ["LEARNER"],
        "sid": "s",
        "jti": "j",
        "iat": now,
        "exp": now + 3600,
    }
    token = jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key)
    servers: dict[str, tuple[int, int]] = {}
    processes = []
    spawn = multiprocessing.get_context("spawn")
    for name, public in (("bare", None), ("pipeline", {**key.as_dict(private=False), "use": "sig", "alg": "ES256"})):
        ours, theirs = spawn.Pipe()
        process = spawn.Process(target=serve, args=(theirs, public), daemon=True)
        process.start()
        processes.append(process)
        servers[name] = (ours.recv(), process.pid or 0)
    result = uvloop.run(measure(servers, token, arguments.seconds, arguments.rounds))
    for process in processes:
        process.terminate()
    report = {
        "benchmark": "overhead",
        **result,
        "overhead_us_per_call": round(result["pipeline"]["cpu_us_per_call"] - result["bare"]["cpu_us_per_call"], 1),
        "target_us_per_call": 150,
        "throughput_ratio": round(result["pipeline"]["calls_per_second"] / result["bare"]["calls_per_second"], 3),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
