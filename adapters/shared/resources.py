"""What the contexts of one process share: pools, the cache, the producer, the channels to other contexts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import asyncpg
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.shared.grpc import Channels
from adapters.shared.kafka import KafkaProducer
from adapters.shared.postgres_connections import ENGINE_COMMAND_SECONDS, open_engine, open_pool
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
    private_identity_providers: bool = False
    """Whether identity providers may be on this machine or on a private network."""
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
    models_bucket: str = "models"
    """Where the artifacts of trained models are."""
    key_vaults: tuple[str, ...] = ("secret",)
    """What wraps the keys of organizations: `secret`, `transit` or `kms`. The first wraps; the others still open what they wrapped."""
    transit_address: str = ""
    """URL of the server with the transit engine; its token is the secret transit_token."""
    transit_mount: str = "transit"
    transit_key: str = "paideia"
    kms_key: str = ""
    """Id, ARN or alias."""
    kms_region: str = ""

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

    async def engine(self, context: str, command_seconds: float = ENGINE_COMMAND_SECONDS) -> AsyncEngine:
        """Returns the context's SQLAlchemy engine, whose statements may take so long; it connects when first used."""
        if context not in self._engines:
            dsn = self.settings.dsn(f"paideia_{context}")
            self._engines[context] = open_engine(dsn, self.settings.pool_size, command_seconds)
        return self._engines[context]

    async def pool(self, context: str) -> asyncpg.Pool:
        """Returns the context's asyncpg pool; it connects when first used, so that services start in any order."""
        if context not in self._pools:
            self._pools[context] = await open_pool(self.settings.dsn(f"paideia_{context}"), self.settings.pool_size)
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
