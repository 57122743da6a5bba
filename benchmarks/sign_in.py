"""Signing in through Envoy, 20 at a time, beside argon2 alone. Prints JSON.

    python benchmarks/sign_in.py [--concurrency 20] [--seconds 10]

Starts a stack of its own. A process beside it has so many people sign in with right passwords, each again as soon as they are in, over
connections that are kept: latency in milliseconds (target: p95 at most 200 at 20) and sign-ins a second. What each part of the stack and
that process took of the processors, in milliseconds a sign-in, stands beside it: people's browsers would take none. Then, with the stack
stopped, so many wait for the same comparison of a password: what the password alone costs, and the ratio of the two rates.
"""

import argparse
import asyncio
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import urlsplit

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from adapters.identity.argon2 import Argon2Passwords, Cost
from stack.record import StackRecord
from tests.e2e.platform import running_platform

PASSWORD = "a lantern above seven rivers"
USERS = 60
WARMING_SECONDS = 2.0
# The edge would hold one address back long before argon2 does.
UNLIMITED = "limits: {sign_in_address: {per_second: 100000, burst: 100000}}\n"


async def again_and_again(act: Callable[[int], Awaitable[None]], concurrency: int, seconds: float) -> tuple[list[float], float]:
    """Latencies in milliseconds of `concurrency` callers, and acts a second."""
    latencies: list[float] = []
    begin = time.perf_counter()

    async def caller(number: int) -> None:
        while time.perf_counter() - begin < seconds:
            asked = time.perf_counter()
            await act(number)
            latencies.append((time.perf_counter() - asked) * 1_000)

    await asyncio.gather(*map(caller, range(concurrency)))
    return latencies, len(latencies) / (time.perf_counter() - begin)


async def crowd(url: str, concurrency: int, seconds: float) -> tuple[list[float], float]:
    """Speaks HTTP/1.1 by hand: a client library would take more of the processors than the edge does."""
    door = urlsplit(url)
    lines = [await asyncio.open_connection(door.hostname, door.port) for _ in range(concurrency)]

    async def sign_in(number: int) -> None:
        reader, writer = lines[number]
        who = {"organization": "organizations/demo", "login": f"user-{number % USERS}", "password": PASSWORD}
        body = json.dumps(who).encode()
        writer.write(
            b"POST /v1/sessions:signIn HTTP/1.1\r\nhost: %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
            % (door.netloc.encode(), len(body), body)
        )
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        status, *fields = head.decode().split("\r\n")
        length = next(int(each.removeprefix("content-length:")) for each in fields if each.startswith("content-length:"))
        answer = await reader.readexactly(length)
        if " 200 " not in status:
            raise RuntimeError(f"{status}: {answer.decode()}")

    try:
        return await again_and_again(sign_in, concurrency, seconds)
    finally:
        for _, writer in lines:
            writer.close()


def be_the_crowd(pipe: Connection, url: str, concurrency: int) -> None:
    """Signs in for as many seconds as the other end says, until it says 0; answers with latencies, rate and processor seconds."""
    while seconds := pipe.recv():
        began = time.process_time()
        latencies, rate = asyncio.run(crowd(url, concurrency, seconds))
        pipe.send((latencies, rate, time.process_time() - began))


def spent(record: StackRecord) -> dict[str, float]:
    """Processor seconds of each part, with what it started, until now."""
    seconds = {}
    for name, part in record.parts.items():
        if part.pid is None or not psutil.pid_exists(part.pid):
            continue
        root = psutil.Process(part.pid)
        times = [each.cpu_times() for each in (root, *root.children(recursive=True))]
        seconds[name] = sum(each.user + each.system for each in times) + times[0].children_user + times[0].children_system
    return seconds


def told(latencies: list[float], rate: float) -> dict[str, float]:
    cuts = statistics.quantiles(latencies, n=20)
    return {"p50_ms": round(cuts[9], 1), "p95_ms": round(cuts[18], 1), "per_second": round(rate, 1), "count": len(latencies)}


def through_the_platform(concurrency: int, seconds: float) -> tuple[list[float], float, dict[str, float]]:
    """Latencies, sign-ins a second, and milliseconds of the processors a sign-in by part."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        (home / "edge.yaml").write_text(UNLIMITED)
        with running_platform(home) as platform:
            for number in range(USERS):
                platform.create_learner(f"user-{number}", PASSWORD)
            ours, theirs = multiprocessing.Pipe()
            people = multiprocessing.get_context("spawn").Process(
                target=be_the_crowd, args=(theirs, platform.record.url, concurrency), daemon=True
            )
            people.start()
            ours.send(WARMING_SECONDS)
            ours.recv()
            before = spent(platform.record)
            ours.send(seconds)
            latencies, rate, own = ours.recv()
            after = spent(platform.record)
            ours.send(0)
            people.join()
    by_part = {name: value - before[name] for name, value in after.items() if name in before} | {"the crowd itself": own}
    shares = {name: round(value * 1_000 / len(latencies), 2) for name, value in by_part.items()}
    return latencies, rate, {name: each for name, each in sorted(shares.items(), key=lambda pair: -pair[1]) if each >= 0.05}


async def argon2_alone(concurrency: int, seconds: float) -> tuple[list[float], float]:
    passwords = Argon2Passwords()
    known = await passwords.hash(PASSWORD)

    async def verify(_: int) -> None:
        assert await passwords.verify(PASSWORD, known)

    try:
        return await again_and_again(verify, concurrency, seconds)
    finally:
        passwords.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--concurrency", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=10)
    arguments = parser.parse_args()
    latencies, rate, shares = through_the_platform(arguments.concurrency, arguments.seconds)
    bare = asyncio.run(argon2_alone(arguments.concurrency, arguments.seconds))
    print(
        json.dumps(
            {
                "concurrency": arguments.concurrency,
                "argon2": asdict(Cost()),
                "sign_in": told(latencies, rate),
                "processor_ms_a_sign_in": shares,
                "argon2_alone": told(*bare),
                "ratio": round(rate / bare[1], 3),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
