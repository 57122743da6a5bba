"""The real Envoy with a generated configuration."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import yaml

ROOT = Path(__file__).resolve().parents[2]
T = TypeVar("T")
ENVOY = Path(sys.executable).with_name("envoy")


@dataclass(frozen=True)
class Edge:
    """`address` for gRPC, `url` for REST; `log` holds the access log."""

    address: str
    admin: str
    log: Path

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def requests_logged(self, wanted: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        """Waits for access log lines that are wanted: Envoy writes them a moment later."""

        def found() -> list[dict[str, Any]]:
            lines = self.log.read_text().splitlines()
            return [line for line in map(json.loads, filter(lambda each: each.startswith("{"), lines)) if wanted(line)]

        return eventually(found)


def generate(out: Path, *arguments: str, settings: Mapping[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs the generator as the stack does."""
    extra: list[str] = []
    if settings is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        file = out.with_name("settings.yaml")
        file.write_text(yaml.safe_dump(dict(settings)))
        extra = ["--settings", str(file)]
    command = [sys.executable, str(ROOT / "envoy" / "generate.py"), "--out", str(out), *extra, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(attempt: Callable[[], T], seconds: float = 30) -> T:
    """Returns the first truthy outcome; fails when none came."""
    end = time.monotonic() + seconds
    while not (outcome := attempt()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
    return outcome


@contextmanager
def edge(
    directory: Path, targets: Mapping[str, str], settings: Mapping[str, Any] | None = None, flags: Sequence[str] = ()
) -> Iterator[Edge]:
    """Generates the local profile, starts Envoy, waits until it answers; stops it when left."""
    listen, admin, jwks = (f"127.0.0.1:{free_port()}" for _ in range(3))
    config = directory / "envoy.yaml"
    addresses = ["--listen", listen, "--admin", admin, "--jwks-listen", jwks]
    made = generate(config, *addresses, *(f"--target={context}={at}" for context, at in targets.items()), settings=settings)
    assert made.returncode == 0, made.stderr
    with running(config, admin, flags) as log:
        yield Edge(listen, admin, log)


@contextmanager
def running(config: Path, admin: str, flags: Sequence[str] = ()) -> Iterator[Path]:
    """Runs Envoy until left; yields its log. `flags` are further ones."""
    log = config.with_suffix(".log")
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [
                str(ENVOY),
                "-c",
                str(config),
                "--disable-hot-restart",
                "--concurrency",
                "1",
                *([] if "--drain-time-s" in flags else ["--drain-time-s", "1"]),
                "-l",
                "warning",
                "--file-flush-interval-msec",
                "100",
                *flags,
            ],
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:
        eventually(lambda: _answers(process, log, f"http://{admin}/ready"))
        yield log
    finally:
        process.terminate()
        process.wait(20)


def _answers(process: "subprocess.Popen[bytes]", log: Path, url: str) -> bool:
    assert process.poll() is None, log.read_text()
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.TransportError:
        return False
