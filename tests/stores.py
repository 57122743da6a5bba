"""Real stores for tests, from the wheels that the one-machine stack uses: on free ports, in a temporary directory, stopped by pid."""

import asyncio
import secrets
import socket
import subprocess
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from stack.launch import launch
from stack.part import Health, Part
from stack.parts.broker import Broker
from stack.parts.objects import Objects
from stack.parts.postgres import Postgres
from stack.parts.valkey import Valkey

T = TypeVar("T")
_START_SECONDS = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def apart(work: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end in a thread: session fixtures have no loop of their own, and must not disturb the tests'."""
    answers: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(asyncio.run(work))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return answers[0]


@contextmanager
def running(part: Part, log: Path) -> Iterator[None]:
    """Starts a part, waits until it is ready and provisioned, and stops it at the end."""
    apart(part.prepare())
    start = launch(part.command(), part.stop_signal)
    with log.open("wb") as output:
        process = subprocess.Popen(**start, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while apart(part.probe()) is not Health.READY:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{part.name} did not start:\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)
        apart(part.provision())
        yield
    finally:
        if process.poll() is None:
            process.send_signal(part.stop_signal)
        try:
            process.wait(part.grace_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass(frozen=True)
class PostgresServer:
    """A migrated PostgreSQL."""

    part: Postgres
    passwords: dict[str, str]

    @property
    def owner_dsn(self) -> str:
        """As the role that ran the migrations: row-level security binds it, too."""
        return self.part.owner_dsn

    @property
    def superuser_dsn(self) -> str:
        """Past row-level security: for tests that look at everything."""
        return self.part.superuser_dsn

    def password(self, role: str) -> str:
        return self.passwords.setdefault(role, secrets.token_urlsafe(16))

    def dsn(self, role: str) -> str:
        """For example `dsn("paideia_catalog")`."""
        return self.part.dsn(role, self.password(role))


@contextmanager
def postgres_server(directory: Path) -> Iterator[PostgresServer]:
    """A PostgreSQL that forgets when the machine fails, which tests do not notice, with the migrations of every context."""
    import migrations

    part = Postgres(directory / "postgres", free_port(), "superuser", "owner", durable=False)
    server = PostgresServer(part, {})
    with running(part, directory / "postgres.log"):
        apart(migrations.upgrade(server.owner_dsn, server.password))
        yield server


@contextmanager
def valkey_server(directory: Path) -> Iterator[str]:
    """The URL of a Valkey."""
    part = Valkey(directory / "valkey", free_port(), "secret")
    with running(part, directory / "valkey.log"):
        yield part.url


@contextmanager
def kafka_broker(directory: Path) -> Iterator[str]:
    """The bootstrap address of a broker that keeps its topics in memory."""
    part = Broker(free_port())
    with running(part, directory / "broker.log"):
        yield part.address


@dataclass(frozen=True)
class S3:
    """Where an S3 answers and who may ask."""

    endpoint: str
    access_key: str
    secret_key: str
    bucket: str
    region: str = "us-east-1"


@contextmanager
def s3_server(directory: Path) -> Iterator[S3]:
    part = Objects(directory / "objects", free_port(), "tests", "tests-secret", buckets=("tests",))
    with running(part, directory / "objects.log"):
        yield S3(part.address, part.access_key, part.secret_key, part.buckets[0])
