"""The stores that tests use are real and answer."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import boto3
import pytest
import redis.asyncio
from botocore.config import Config
from botocore.exceptions import ClientError
from confluent_kafka import Consumer, Producer

from tests.stores import S3, PostgresServer


async def test_the_owner_of_the_database_is_not_a_superuser_but_creates_roles_and_schemas(postgres: PostgresServer) -> None:
    connection = await asyncpg.connect(postgres.owner_dsn)
    try:
        assert await connection.fetchval("SELECT current_setting('is_superuser')") == "off"
        await connection.execute("CREATE ROLE probe LOGIN PASSWORD 'x'; CREATE SCHEMA probe AUTHORIZATION probe")
        await connection.execute("DROP SCHEMA probe; DROP ROLE probe")
    finally:
        await connection.close()


async def test_a_role_signs_in_with_its_own_password_only(postgres: PostgresServer) -> None:
    relay = await asyncpg.connect(postgres.dsn("paideia_relay"))
    assert await relay.fetchval("SELECT current_user") == "paideia_relay"
    await relay.close()
    try:
        await asyncpg.connect(postgres.part.dsn("paideia_relay", "guess"))
    except asyncpg.InvalidPasswordError:
        return
    raise AssertionError("a wrong password was accepted")


async def test_valkey_keeps_a_value_and_asks_for_its_password(valkey_url: str) -> None:
    async with redis.asyncio.from_url(valkey_url) as client:
        await client.set("stack:probe", "1", ex=60)
        assert await client.get("stack:probe") == b"1"


def test_the_broker_gives_back_what_it_acknowledged(kafka_bootstrap: str) -> None:
    acknowledged: list[object] = []
    producer = Producer({"bootstrap.servers": kafka_bootstrap})
    producer.produce("stack.probe", b"1", on_delivery=lambda error, _: acknowledged.append(error))
    producer.flush(20)
    assert acknowledged == [None]
    consumer = Consumer(
        {
            "bootstrap.servers": kafka_bootstrap,
            "group.id": "probe",
            "auto.offset.reset": "earliest",
            "session.timeout.ms": 6000,
            "heartbeat.interval.ms": 500,
        }
    )
    consumer.subscribe(["stack.probe"])
    message = consumer.poll(30)
    consumer.close()
    assert message is not None
    assert message.value() == b"1"


@pytest.fixture
def s3_client(s3: S3) -> Iterator["boto3.client"]:
    client = boto3.client(
        "s3",
        endpoint_url=s3.endpoint,
        aws_access_key_id=s3.access_key,
        aws_secret_access_key=s3.secret_key,
        region_name=s3.region,
        config=Config(s3={"addressing_style": "path"}),
    )
    yield client
    client.close()


def test_s3_keeps_an_object(s3: S3, s3_client: "boto3.client") -> None:
    s3_client.put_object(Bucket=s3.bucket, Key="probe", Body=b"1")
    assert s3_client.get_object(Bucket=s3.bucket, Key="probe")["Body"].read() == b"1"


def test_s3_creates_only_what_is_not_there_when_asked_to(s3: S3, s3_client: "boto3.client") -> None:
    s3_client.put_object(Bucket=s3.bucket, Key="once", Body=b"first", IfNoneMatch="*")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3_client.put_object(Bucket=s3.bucket, Key="once", Body=b"second", IfNoneMatch="*")
    assert s3_client.get_object(Bucket=s3.bucket, Key="once")["Body"].read() == b"first"


def test_s3_replaces_only_what_was_read_when_asked_to(s3: S3, s3_client: "boto3.client") -> None:
    read = s3_client.put_object(Bucket=s3.bucket, Key="turn", Body=b"1")["ETag"]
    s3_client.put_object(Bucket=s3.bucket, Key="turn", Body=b"2", IfMatch=read)
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3_client.put_object(Bucket=s3.bucket, Key="turn", Body=b"3", IfMatch=read)
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3_client.put_object(Bucket=s3.bucket, Key="never", Body=b"1", IfMatch=read)
    assert s3_client.get_object(Bucket=s3.bucket, Key="turn")["Body"].read() == b"2"


def test_of_many_who_create_one_object_at_once_one_does(s3: S3, s3_client: "boto3.client") -> None:
    def create(number: int) -> bool:
        try:
            s3_client.put_object(Bucket=s3.bucket, Key="race", Body=str(number).encode(), IfNoneMatch="*")
        except ClientError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(create, range(24))) == 1


def test_an_object_whose_description_was_not_written_before_a_kill_is_read_whole(
    s3: S3, s3_client: "boto3.client", store_directory: Path
) -> None:
    s3_client.put_object(Bucket=s3.bucket, Key="kill", Body=b"short")
    (store_directory / "objects" / s3.bucket / "kill").write_bytes(b"longer than before")
    assert s3_client.get_object(Bucket=s3.bucket, Key="kill")["Body"].read() == b"longer than before"
