"""What the contexts of one process share: pools, the cache, the producer, the channels to other contexts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import asyncpg
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from adapters.shared.grpc import Channels
from adapters.shared.kafka import KafkaProducer
from domain.shared.clock import Clock, system_clock

_RELAY_ROLE = "paideia_relay"


class MissingSecret(Exception):
    """A secret's file is not there or not readable; names it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where everything is. Addresses are `host:port`; `postgres_dsn` has `{role}` where the context's database role goes."""

    postgres_dsn: str
    secrets_dir: Path
    redis_url: str
    kafka_bootstrap: str
    targets: Mapping[str, str] = field(default_factory=dict)
    """Where each context listens, by its name."""
    pool_size: int = 10
    """Database connections of each context in each process, at most."""
    bootstrap_organization: str = ""
    bootstrap_admin: str = ""
    public_url: str = "http://localhost:8080"
    """Where people's browsers find the platform. Passkeys are bound to its host, which cannot be an address of digits."""
    smtp_url: str = ""
    """The mail server, as adapters/identity/smtp.py reads it; its password is the secret smtp_password. Empty: mails wait for one."""
    mail_from: str = "paideia@localhost"
    """The address that mails come from."""
    s3_endpoint: str = ""
    """Empty for Amazon's own. The keys are the secrets s3_access_key and s3_secret_key; without them, those of the machine's role."""
    s3_region: str = "us-east-1"
    lake_catalog: str = "sql"
    """Iceberg's catalog: `sql` is this PostgreSQL, `glue` that of Amazon, `rest` one at `lake_catalog_uri`."""
    lake_catalog_uri: str = ""
    lake_warehouse: str = "s3://lake"
    """Where the lake's tables are."""
    exports_bucket: str = "exports"
    """Where reports in files are."""

    def secret(self, name: str) -> str:
        """Returns a secret by its file name. Raises MissingSecret."""
        try:
            return (self.secrets_dir / name).read_text().strip()
        except OSError as error:
            raise MissingSecret(f"the secret {name} cannot be read: {error}") from error

    def dsn(self, role: str) -> str:
        """Returns the database URL of a role, password included when there is one."""
        password = self.secrets_dir / f"postgres_{role}"
        user = f"{role}:{quote(password.read_text().strip(), safe='')}" if password.exists() else role
        return self.postgres_dsn.format(role=user)


class Resources:
    """Opens what is asked for once, and closes it all."""

    def __init__(self, settings: Settings, channels: Channels, clock: Clock = system_clock) -> None:
        self.settings = settings
        self.channels = channels
        self.clock = clock
        self._engines: dict[str, AsyncEngine] = {}
        self._pools: dict[str, asyncpg.Pool] = {}
        self._redis: Redis | None = None
        self._producer: KafkaProducer | None = None

    async def engine(self, context: str) -> AsyncEngine:
        """Returns the context's SQLAlchemy engine; it connects when first used."""
        if context not in self._engines:
            self._engines[context] = create_async_engine(
                self.settings.dsn(f"paideia_{context}").replace("postgresql://", "postgresql+asyncpg://", 1),
                pool_size=self.settings.pool_size,
                max_overflow=0,
                pool_timeout=5,
                pool_pre_ping=False,
                connect_args={"timeout": 5, "command_timeout": 30},
            )
        return self._engines[context]

    async def pool(self, context: str) -> asyncpg.Pool:
        """Returns the context's asyncpg pool; it connects when first used, so that services start in any order."""
        if context not in self._pools:
            self._pools[context] = await asyncpg.create_pool(
                self.settings.dsn(f"paideia_{context}"),
                min_size=0,
                max_size=self.settings.pool_size,
                timeout=5,
                command_timeout=30,
                # Every transaction binds its own tenant and ends it, so a connection carries nothing to reset.
                reset=_no_reset,
            )
        return self._pools[context]

    def relay_dsn(self) -> str:
        """Returns the database URL of the outbox relay."""
        return self.settings.dsn(_RELAY_ROLE)

    def redis(self) -> Redis:
        """Returns the cache's client. A slow or absent cache costs at most a quarter of a second, never the answer."""
        if self._redis is None:
            self._redis = Redis.from_url(
                self.settings.redis_url,
                socket_timeout=0.25,
                socket_connect_timeout=0.25,
                retry=Retry(NoBackoff(), 1),
            )
        return self._redis

    def producer(self) -> KafkaProducer:
        """Returns the log's producer."""
        if self._producer is None:
            self._producer = KafkaProducer(self.settings.kafka_bootstrap)
        return self._producer

    async def close(self) -> None:
        if self._producer is not None:
            await self._producer.close()
        if self._redis is not None:
            await self._redis.aclose()
        for pool in self._pools.values():
            await pool.close()
        for engine in self._engines.values():
            await engine.dispose()
        await self.channels.close()


async def _no_reset(connection: asyncpg.Connection) -> None:
    return None
