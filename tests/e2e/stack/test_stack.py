"""A whole stack with one context: started, killed part by part, healed, stopped. Nothing that was acknowledged is lost."""

import asyncio
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import boto3
import httpx
import pytest
from botocore.config import Config
from confluent_kafka import Consumer, Producer, TopicPartition

from stack.parts.postgres import DATABASE
from tests.e2e.stack.platform_stack import PARTS, ROOT, CommandLine, free_block, process, until

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def paideia(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    """A running stack."""
    command = CommandLine(tmp_path_factory.mktemp("stack") / "home", free_block())
    done = command("up")
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        yield command
    finally:
        command("down")


def query(paideia: CommandLine, sql: str) -> object:
    async def run() -> object:
        connection = await asyncpg.connect(
            user="postgres",
            password=paideia.secret("postgres_postgres"),
            host="127.0.0.1",
            port=int(paideia.record.addresses["postgres"].rpartition(":")[2]),
            database=DATABASE,
        )
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(run())


def send(paideia: CommandLine, value: bytes) -> None:
    """Returns when the broker has acknowledged."""
    errors: list[object] = []
    producer = Producer({"bootstrap.servers": paideia.record.addresses["broker"], "delivery.timeout.ms": 30_000})
    producer.produce("user.sessions", value, partition=0, on_delivery=lambda error, _: errors.append(error))
    producer.flush(40)
    assert errors == [None]


def received(paideia: CommandLine, count: int) -> list[bytes | None]:
    """The first `count` values of the partition that `send` writes."""
    consumer = Consumer(
        {"bootstrap.servers": paideia.record.addresses["broker"], "group.id": "test", "enable.auto.commit": False}
    )
    consumer.assign([TopicPartition("user.sessions", 0, 0)])
    values: list[bytes | None] = []
    deadline = time.monotonic() + 30
    while len(values) < count and time.monotonic() < deadline:
        message = consumer.poll(1)
        if message is not None and message.error() is None:
            values.append(message.value())
    consumer.close()
    return values


def test_starting_again_says_that_it_runs_and_changes_nothing(paideia: CommandLine) -> None:
    before = paideia.record
    answer = paideia.json("up")
    assert answer["started"] is False
    assert answer["state"] == "ready"
    assert paideia.record.parts == before.parts
    shown = paideia("up").stdout
    assert before.url in shown
    assert "admin_password" in shown


def test_two_starts_at_once_make_one_stack(paideia: CommandLine) -> None:
    supervisor = paideia.record.supervisor
    starts = [
        subprocess.Popen(
            [sys.executable, "-m", "stack", str(paideia.home)], cwd=ROOT, env=paideia.environment, stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]
    for start in starts:
        _, error = start.communicate(timeout=30)
        assert b"runs in" in error
        assert start.returncode == 3
    assert paideia.record.supervisor == supervisor


def test_status_shows_every_part_and_the_idle_stack_is_small(paideia: CommandLine) -> None:
    status = paideia.json("status")
    assert status["state"] == "ready"
    assert all(status["parts"][name]["ready"] for name in PARTS)
    assert all(status["parts"][name]["memory_bytes"] > 0 for name in PARTS)
    assert status["memory_bytes"] < 600 << 20


def test_the_public_door_answers_and_shows_the_keys(paideia: CommandLine) -> None:
    answer = httpx.get(f"{paideia.record.url}/.well-known/jwks.json")
    assert answer.status_code == 200
    assert answer.json()["keys"]


def test_the_doctor_finds_nothing_wrong(paideia: CommandLine) -> None:
    findings = paideia.json("doctor")
    assert findings["good"], [each for each in findings["findings"] if not each["good"]]


def test_only_the_owner_reads_secrets_and_none_is_in_the_record_or_a_log(paideia: CommandLine) -> None:
    files = list((paideia.home / "secrets").iterdir())
    assert files
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)
    texts = [(paideia.home / "stack.json").read_text(), *(log.read_text() for log in (paideia.home / "logs").iterdir())]
    for file in files:
        assert not any(paideia.secret(file.name) in text for text in texts), file.name


def test_logs_show_a_part_by_its_name_or_its_context(paideia: CommandLine) -> None:
    shown = paideia("logs", "identity", "--lines", "3")
    assert shown.returncode == 0
    assert shown.stdout.strip()
    assert paideia("logs", "nothing").returncode == 2


@pytest.mark.fault
@pytest.mark.parametrize("name", PARTS)
def test_a_killed_part_is_healed_without_touching_the_others_or_losing_anything(paideia: CommandLine, name: str) -> None:
    query(paideia, "CREATE TABLE IF NOT EXISTS public.kept (part text)")
    query(paideia, f"INSERT INTO public.kept VALUES ('{name}')")
    send(paideia, name.encode())
    before = paideia.record.parts
    process(before[name]).signal(signal.SIGKILL)
    until(lambda: paideia.record.parts[name].restarts > before[name].restarts and paideia.record.state == "ready")
    after = paideia.record.parts
    assert [other for other in PARTS if other != name and after[other].pid != before[other].pid] == []
    assert query(paideia, f"SELECT count(*) FROM public.kept WHERE part = '{name}'") == 1
    send(paideia, b"after")
    sent = 2 * (PARTS.index(name) + 1)
    assert received(paideia, sent)[-2:] == [name.encode(), b"after"]
    assert httpx.get(f"{paideia.record.url}/.well-known/jwks.json").status_code == 200


@pytest.mark.fault
def test_an_object_survives_the_death_of_its_store(paideia: CommandLine) -> None:
    def client() -> "boto3.client":
        return boto3.client(
            "s3",
            endpoint_url=paideia.record.addresses["objects"],
            region_name="us-east-1",
            aws_access_key_id=paideia.secret("s3_access_key"),
            aws_secret_access_key=paideia.secret("s3_secret_key"),
            config=Config(s3={"addressing_style": "path"}),
        )

    client().put_object(Bucket="events", Key="probe/kept", Body=b"kept")
    part = paideia.record.parts["objects"]
    process(part).signal(signal.SIGKILL)
    until(lambda: paideia.record.parts["objects"].restarts > part.restarts and paideia.record.state == "ready")
    assert client().get_object(Bucket="events", Key="probe/kept")["Body"].read() == b"kept"


@pytest.mark.fault
def test_when_the_supervisor_is_killed_everything_ends_and_the_next_start_goes_on_with_the_data(paideia: CommandLine) -> None:
    record = paideia.record
    password = paideia.secret("admin_password")
    record.supervisor.signal(signal.SIGKILL)
    parts = [process(record.parts[name]) for name in PARTS]
    until(lambda: not any(each.alive for each in parts))
    assert paideia.json("status")["state"] == "stopped"
    assert paideia.json("up")["started"] is True
    assert query(paideia, "SELECT count(*) FROM public.kept") == len(PARTS)
    assert paideia.secret("admin_password") == password


def test_a_taken_port_is_named_and_nothing_is_left_running(tmp_path: Path) -> None:
    paideia = CommandLine(tmp_path / "home", free_block())
    with socket.socket() as other:
        other.bind(("127.0.0.1", paideia.port_base))
        other.listen()
        done = paideia("up")
    assert done.returncode == 1
    assert f"port {paideia.port_base} (the public door) is taken" in done.stderr
    assert not any(part.pid for part in paideia.record.parts.values())


def test_stop_leaves_nothing_running_and_reset_deletes(paideia: CommandLine) -> None:
    record = paideia.record
    assert paideia("reset", "--yes").returncode == 1, "it must not delete what runs"
    assert paideia.json("down") == {"stopped": True}
    assert not any(process(record.parts[name]).alive for name in PARTS)
    assert paideia.record.state == "stopped"
    assert paideia.json("down") == {"stopped": False}
    assert paideia("status").returncode == 1
    assert paideia.json("reset", "--yes") == {"reset": True}
    assert not (paideia.home / "data").exists()
    assert not (paideia.home / "secrets").exists()
