"""What the edge and the mesh's TLS cost: GetCourse by REST through Envoy against the same rpc called directly, each with and without TLS.

Usage: python benchmarks/edge.py [--seconds 4] [--rounds 3]

The service answers behind the real pipeline, in a process of its own; Envoy runs with one worker and the generated configuration. Prints JSON:
calls a second as one client sees them (medians), processor microseconds a call of the service and of Envoy, and the ratios of both to the
direct call without TLS. `rest` targets at least 0.6 of `grpc` in calls a second.
"""

import argparse
import asyncio
import json
import multiprocessing
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import grpc
import psutil
import uvloop
from paideia.catalog.v1.catalog_service_pb2 import GetCourseRequest
from paideia.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from stack.certificates import TOOLS, Certificates  # noqa: E402
from stack.mesh_client import mesh_channel  # noqa: E402

CONCURRENCY = 16
CONTEXTS = ("identity", "catalog", "ingestion")
Work = Callable[[], Awaitable[None]]


@dataclass
class Way:
    """One way to the service. `pids` are those of the service and, where there is one, of Envoy."""

    name: str
    service: int
    envoy: int = 0
    rates: list[float] = field(default_factory=list)
    service_us: list[float] = field(default_factory=list)
    envoy_us: list[float] = field(default_factory=list)

    def report(self) -> dict[str, float]:
        found = {"calls_per_second": self.rates, "service_cpu_us": self.service_us, "envoy_cpu_us": self.envoy_us}
        return {name: round(statistics.median(values), 1) for name, values in found.items()}

    @property
    def cpu(self) -> float:
        return statistics.median(self.service_us) + statistics.median(self.envoy_us)

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)


def serve(pipe: Connection, folder: str) -> None:
    """Serves the upstream of the edge's tests: with mutual TLS when `folder` has the certificate."""
    from services.host.observability import log_as_json
    from tests.edge.upstream import Signer, upstream

    sys.stdout = open("/dev/null", "w")  # noqa: SIM115  # log lines are made and written, only to nowhere
    log_as_json("benchmark", "info")
    with upstream(Signer(), certificates=Path(folder) if folder else None) as running:
        pipe.send((running.address, running.signer.token("LEARNER", "ADMIN")))
        threading.Event().wait()  # until it is terminated


async def repeated(way: Way, seconds: float, works: list[Work]) -> None:
    processes = [psutil.Process(pid) for pid in (way.service, way.envoy) if pid]
    before = [sum(process.cpu_times()[:2]) for process in processes]
    start = time.perf_counter()
    until = start + seconds

    async def worker(work: Work) -> int:
        count = 0
        while time.perf_counter() < until:
            await work()
            count += 1
        return count

    count = sum(await asyncio.gather(*map(worker, works)))
    way.rates.append(count / (time.perf_counter() - start))
    used = [sum(process.cpu_times()[:2]) - was for process, was in zip(processes, before, strict=True)]
    way.service_us.append(used[0] / count * 1e6)
    way.envoy_us.append(used[1] / count * 1e6 if way.envoy else 0.0)


@asynccontextmanager
async def direct(address: str, token: str, folder: Path | None) -> AsyncIterator[list[Work]]:
    async with mesh_channel(grpc.aio, address, folder, "catalog") as channel:
        stub = CatalogServiceStub(channel)
        metadata = (("authorization", f"Bearer {token}"),)

        async def work() -> None:
            await stub.GetCourse(GetCourseRequest(name="courses/sql"), metadata=metadata, timeout=20)

        yield [work] * CONCURRENCY


@asynccontextmanager
async def by_rest(port: int, token: str, trust: ssl.SSLContext | None) -> AsyncIterator[list[Work]]:
    """A client of so little work that it is not what is measured: one kept connection for each worker, HTTP/1.1 by hand."""
    request = f"GET /v1/courses/sql HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n".encode()
    async with AsyncExitStack() as stack:
        works: list[Work] = []
        for _ in range(CONCURRENCY):
            reader, writer = await asyncio.open_connection("localhost", port, ssl=trust)
            stack.callback(writer.close)

            async def work(reader: asyncio.StreamReader = reader, writer: asyncio.StreamWriter = writer) -> None:
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                if not head.startswith(b"HTTP/1.1 200"):
                    raise RuntimeError(head.decode())
                lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                if lengths:
                    await reader.readexactly(int(lengths[0][15:]))
                else:
                    await reader.readuntil(b"\r\n0\r\n\r\n")

            works.append(work)
        yield works


def envoy(stack: ExitStack, directory: Path, address: str, certificates: Certificates, mesh: bool) -> tuple[int, int]:
    """Starts Envoy before the service; returns its public port and its pid."""
    from tests.edge.proxy import ENVOY, free_port, generate

    port, admin, jwks = free_port(), free_port(), free_port()
    limits = {name: {"per_second": 1_000_000, "burst": 1_000_000} for name in ("learner", "staff", "organization", "address")}
    arguments = ["--listen", f"127.0.0.1:{port}", "--admin", f"127.0.0.1:{admin}", "--jwks-listen", f"127.0.0.1:{jwks}"]
    arguments += [f"--target={context}={address}" for context in CONTEXTS] + ["--tls", str(certificates.public)]
    if mesh:
        arguments += ["--mesh", str(certificates.workload("edge")), "--mesh-domain", "mesh.paideia"]
    made = generate(directory / "envoy.yaml", *arguments, settings={"limits": limits})
    if made.returncode:
        raise RuntimeError(made.stderr)
    command = [str(ENVOY), "-c", str(directory / "envoy.yaml"), "--disable-hot-restart", "--concurrency", "1", "-l", "error"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    return port, process.pid


async def settled(opened: Callable[[], object]) -> None:
    """Waits until the way answers."""
    for _ in range(100):
        try:
            async with opened() as (work, *_):  # type: ignore[attr-defined]
                await work()
                return
        except (OSError, RuntimeError, asyncio.IncompleteReadError, grpc.aio.AioRpcError):
            await asyncio.sleep(0.1)
    raise RuntimeError("the service did not come up")


async def measure(seconds: float, rounds: int) -> dict[str, object]:
    spawn = multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        certificates = Certificates(directory / "certificates")
        certificates.ensure_public(["localhost", "127.0.0.1"])
        for name in (TOOLS, "edge"):
            certificates.ensure_workload(name)
        trust = ssl.create_default_context(cafile=str(certificates.public / "ca.crt"))
        ways: list[tuple[Way, Callable[[], object]]] = []
        for mesh in (False, True):
            folder = certificates.ensure_workload("upstream", CONTEXTS) if mesh else None
            ours, theirs = spawn.Pipe()
            process = spawn.Process(target=serve, args=(theirs, str(folder or "")), daemon=True)
            process.start()
            stack.callback(process.terminate)
            address, token = ours.recv()
            suffix = "_mesh_tls" if mesh else ""
            own = certificates.workload(TOOLS) if mesh else None
            service = process.pid or 0
            where = directory / f"envoy{suffix}"
            where.mkdir()
            port, pid = envoy(stack, where, address, certificates, mesh)
            ways += [
                (Way(f"grpc{suffix}", service), lambda a=address, t=token, o=own: direct(a, t, o)),
                (Way(f"rest{suffix}", service, pid), lambda p=port, t=token: by_rest(p, t, None)),
                (Way(f"https{suffix}", service, pid), lambda p=port, t=token: by_rest(p, t, trust)),
            ]
        for _, opened in ways:
            await settled(opened)
        for number in range(rounds + 1):
            for way, opened in ways:
                async with opened() as works:  # type: ignore[attr-defined]
                    await repeated(way, seconds if number else 1.0, works)
                if not number:  # the first round warms up
                    for values in (way.rates, way.service_us, way.envoy_us):
                        values.clear()
        found = {way.name: way for way, _ in ways}
    return {
        "benchmark": "edge",
        **{name: way.report() for name, way in found.items()},
        "rate_to_grpc": {name: round(way.rate / found["grpc"].rate, 3) for name, way in found.items()},
        "cpu_to_grpc": {name: round(way.cpu / found["grpc"].cpu, 3) for name, way in found.items()},
        "mesh_tls_us_per_call": round(found["grpc_mesh_tls"].cpu - found["grpc"].cpu, 1),
        "target_rate_to_grpc": 0.6,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each way")
    options = parser.parse_args()
    print(json.dumps(uvloop.run(measure(options.seconds, options.rounds)), indent=2))


if __name__ == "__main__":
    main()
