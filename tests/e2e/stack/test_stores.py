"""The stores that tests use are real and answer."""

import asyncpg
import boto3
import redis.asyncio
from botocore.config import Config
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


def test_s3_keeps_an_object(s3: S3) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=s3.endpoint,
        aws_access_key_id=s3.access_key,
        aws_secret_access_key=s3.secret_key,
        region_name=s3.region,
        config=Config(s3={"addressing_style": "path"}),
    )
    client.put_object(Bucket=s3.bucket, Key="probe", Body=b"1")
    assert client.get_object(Bucket=s3.bucket, Key="probe")["Body"].read() == b"1"
    client.close()
