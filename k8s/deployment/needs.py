"""What each context needs of its surroundings: whom it calls, which stores it uses, which secrets it reads, how much memory it takes.

`tests/unit/k8s/test_needs.py` compares this with what the code of the contexts asks for.
"""

from collections.abc import Mapping
from dataclasses import dataclass

IDENTITY = "identity"
AUDIT = "audit"
INTEGRATIONS = "integrations"
EDGE = "edge"
RELEASE = "release"

POSTGRES, REDIS, KAFKA, S3 = "postgres", "redis", "kafka", "s3"
SMTP, PROVIDERS, KEY_VAULT, COLLECTOR = "smtp", "identity_providers", "key_vault", "collector"


@dataclass(frozen=True)
class Needs:
    """`calls`: other contexts, beside identity, whose keys everybody asks for. `stores`: beside PostgreSQL and Kafka.

    `connections` to PostgreSQL that a process holds at most, as multiples of the pool's size and a number.
    `memory_mib` is what the context adds to the resident memory of a process: measured idle, each alone, after ten seconds; for inference with
    two models loaded.
    """

    memory_mib: int
    connections: tuple[int, int]
    calls: tuple[str, ...] = ()
    stores: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()


PROCESS_MIB = 110
"""Resident memory of a process of the platform before any context: interpreter, gRPC, clients of the stores."""

CONTEXTS: Mapping[str, Needs] = {
    "identity": Needs(
        75,
        (1, 10),
        calls=("catalog", "ingestion", "analytics"),
        stores=(S3, SMTP, PROVIDERS, KEY_VAULT),
        secrets=("identity_encryption_key",),
    ),
    "catalog": Needs(15, (1, 1), calls=("assessment",)),
    "assessment": Needs(55, (1, 1), calls=("catalog", "progress", "scheduler"), stores=(S3,)),
    "progress": Needs(50, (2, 1), stores=(S3,)),
    "scheduler": Needs(50, (1, 1), calls=("catalog",), stores=(S3, REDIS)),
    "paths": Needs(40, (2, 1), calls=("catalog", "progress"), stores=(S3,)),
    "ingestion": Needs(10, (0, 0), stores=(REDIS,)),
    "analytics": Needs(175, (2, 10), stores=(S3,), secrets=("lake_key",)),
    "audit": Needs(15, (1, 1), secrets=("audit_key",)),
    "inference": Needs(130, (2, 1), stores=(S3,)),
}

SECRETS: Mapping[str, str] = {
    "mesh_key": "base64 of 32 bytes; services sign with it what they ask each other",
    "identity_encryption_key": "base64 of 32 bytes; wraps the keys that seal names and addresses",
    "identity_encryption_key_previous": "optional: earlier values of it, one a line",
    "lake_key": "base64 of 32 bytes; makes the pseudonyms of reports and the lake",
    "audit_key": "base64 of 32 bytes; signs the ends of the audit chains",
    "audit_public_keys_previous": "optional: public keys of earlier values of it, one a line",
    "pages_key": "base64 of 32 bytes; seals what the web pages keep of a browser",
    "redis_url": "`rediss://user:password@host:6379/0`",
    "postgres_owner_dsn": "`postgresql://...` of a role that may create roles and schemas; the release job alone gets it",
    "postgres_paideia_<context>": "password of the context's database role; the release job sets it",
    "postgres_paideia_relay": "password of the outbox relay's role",
    "s3_access_key": "with `s3_keys: true`",
    "s3_secret_key": "with `s3_keys: true`",
    "smtp_password": "optional: of the mail server",
    "transit_token": "with the key vault `transit`",
    "admin_password": "with `PAIDEIA_BOOTSTRAP_ORGANIZATION`: of its first administrator",
}
"""What the Secret holds, by key. The docs list the same."""
