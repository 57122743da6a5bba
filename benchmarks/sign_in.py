"""Signing in through Envoy, 20 at a time, beside argon2 alone. Prints JSON.

    python benchmarks/sign_in.py [--concurrency 20] [--seconds 10]

Starts a stack of its own. So many people sign in with right passwords one after another, without a pause, over connections that are kept:
latency in milliseconds (target: p95 at most 200 at 20) and sign-ins a second. Beside it as many threads as cores check the same hash with
the same parameters, with as many waiting: what the password alone costs, and the ratio of the two rates.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import argon2
import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from adapters.identity.argon2 import Cost
from tests.e2e.platform import running_platform

PASSWORD = "a lantern above seven rivers"
USERS = 60
# The edge would hold one address back long before argon2 does.
UNLIMITED = "limits: {sign_in_address: {per_second: 100000, burst: 100000}}\n"


def in_turns(act: Callable[[int], None], concurrency: int, seconds: float, threads: int) -> tuple[list[float], float]:
    """Latencies in milliseconds, waiting for a thread included, of `concurrency` callers who act again and again; and acts a second."""
    latencies: list[float] = []
    with ThreadPoolExecutor(threads) as pool:
        begin = time.perf_counter()

        def caller(number: int) -> None:
            while time.perf_counter() - begin < seconds:
                asked = time.perf_counter()
                pool.submit(act, number).result()
                latencies.append((time.perf_counter() - asked) * 1_000)

        with ThreadPoolExecutor(concurrency) as callers:
            list(callers.map(caller, range(concurrency)))
        spent = time.perf_counter() - begin
    return latencies, len(latencies) / spent


def told(latencies: list[float], rate: float) -> dict[str, float]:
    cuts = statistics.quantiles(latencies, n=20)
    return {"p50_ms": round(cuts[9], 1), "p95_ms": round(cuts[18], 1), "per_second": round(rate, 1), "count": len(latencies)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--concurrency", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=10)
    arguments = parser.parse_args()
    cost = Cost()
    hasher = argon2.PasswordHasher(time_cost=cost.passes, memory_cost=cost.memory_kib, parallelism=cost.lanes)
    known = hasher.hash(PASSWORD)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        (home / "edge.yaml").write_text(UNLIMITED)
        with running_platform(home) as platform:
            for number in range(USERS):
                platform.create_learner(f"user-{number}", PASSWORD)
            limits = httpx.Limits(max_connections=arguments.concurrency)
            with httpx.Client(base_url=platform.record.url, limits=limits, timeout=30) as client:

                def sign_in(number: int) -> None:
                    body = {"organization": "organizations/demo", "login": f"user-{number % USERS}", "password": PASSWORD}
                    client.post("/v1/sessions:signIn", json=body).raise_for_status()

                in_turns(sign_in, arguments.concurrency, 1, arguments.concurrency)
                platform_told = in_turns(sign_in, arguments.concurrency, arguments.seconds, arguments.concurrency)
    bare = in_turns(lambda _: bool(hasher.verify(known, PASSWORD)), arguments.concurrency, arguments.seconds, os.cpu_count() or 1)
    print(
        json.dumps(
            {
                "concurrency": arguments.concurrency,
                "argon2": {"memory_kib": cost.memory_kib, "passes": cost.passes, "lanes": cost.lanes},
                "sign_in": told(*platform_told),
                "argon2_alone": told(*bare),
                "ratio": round(platform_told[1] / bare[1], 3),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
