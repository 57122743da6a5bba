"""The host's settings, read once from the environment. A missing or wrong value stops the start with its name."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.shared.resources import Settings

_URL = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+(/[A-Za-z0-9._/-]*)?")
_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")


class WrongSetting(Exception):
    """Names the environment variable and says what it must be."""


@dataclass(frozen=True, slots=True)
class HostSettings:
    """`listen` and `metrics_listen` are `host:port`. `otlp_endpoint` is a collector's gRPC address, empty to keep traces in the logs.

    `mesh_certificates` is the folder of what the process shows and trusts; None where a sidecar does that for it.
    """

    listen: str
    metrics_listen: str
    log_level: str
    grace_seconds: float
    otlp_endpoint: str
    mesh_certificates: Path | None
    resources: Settings


def read_settings(environment: Mapping[str, str] = os.environ) -> HostSettings:
    """Returns the settings. Raises WrongSetting."""
    reader = _Reader(environment)
    secrets_dir = Path(reader.required("PAIDEIA_SECRETS_DIR"))
    if not secrets_dir.is_dir():
        raise WrongSetting(f"PAIDEIA_SECRETS_DIR: {secrets_dir} is not a folder")
    dsn = reader.required("PAIDEIA_POSTGRES_DSN")
    if "{role}" not in dsn or not dsn.startswith("postgresql://"):
        raise WrongSetting(
            "PAIDEIA_POSTGRES_DSN: must look like postgresql://{role}@host:5432/paideia, with {role} as it stands here"
        )
    return HostSettings(
        listen=reader.address("PAIDEIA_LISTEN", "127.0.0.1:7000"),
        metrics_listen=reader.address("PAIDEIA_METRICS_LISTEN", "127.0.0.1:7100"),
        log_level=reader.one_of("PAIDEIA_LOG_LEVEL", "info", ("debug", "info", "warning", "error")),
        grace_seconds=reader.number("PAIDEIA_GRACE_SECONDS", 10.0),
        otlp_endpoint=environment.get("PAIDEIA_OTLP_ENDPOINT", ""),
        mesh_certificates=reader.folder("PAIDEIA_MESH_CERTIFICATES"),
        resources=Settings(
            postgres_dsn=dsn,
            secrets_dir=secrets_dir,
            redis_url=reader.required("PAIDEIA_REDIS_URL"),
            kafka_bootstrap=reader.required("PAIDEIA_KAFKA_BOOTSTRAP"),
            targets=reader.targets("PAIDEIA_TARGETS"),
            pool_size=int(reader.number("PAIDEIA_POOL_SIZE", 10)),
            bootstrap_organization=environment.get("PAIDEIA_BOOTSTRAP_ORGANIZATION", ""),
            bootstrap_admin=environment.get("PAIDEIA_BOOTSTRAP_ADMIN", "admin"),
            public_url=environment.get("PAIDEIA_PUBLIC_URL", "http://localhost:8080").rstrip("/"),
            private_identity_providers=reader.one_of("PAIDEIA_PRIVATE_IDENTITY_PROVIDERS", "off", ("on", "off")) == "on",
            smtp_url=environment.get("PAIDEIA_SMTP_URL", ""),
            mail_from=environment.get("PAIDEIA_MAIL_FROM", "paideia@localhost"),
            s3_endpoint=environment.get("PAIDEIA_S3_ENDPOINT", ""),
            s3_region=environment.get("PAIDEIA_S3_REGION", "us-east-1"),
            lake_catalog=reader.one_of("PAIDEIA_LAKE_CATALOG", "sql", ("sql", "glue", "rest")),
            lake_catalog_uri=environment.get("PAIDEIA_LAKE_CATALOG_URI", ""),
            lake_warehouse=environment.get("PAIDEIA_LAKE_WAREHOUSE", "s3://lake"),
            exports_bucket=environment.get("PAIDEIA_EXPORTS_BUCKET", "exports"),
            models_bucket=environment.get("PAIDEIA_MODELS_BUCKET", "models"),
            **_key_vaults(reader),
        ),
    )


def _key_vaults(reader: "_Reader") -> dict[str, Any]:
    """What wraps the keys of organizations, and what each that is chosen needs."""
    chosen = reader.some_of("PAIDEIA_KEY_VAULT", "secret", ("secret", "transit", "kms"))
    settings: dict[str, Any] = {"key_vaults": chosen}
    if "transit" in chosen:
        settings["transit_address"] = reader.url("PAIDEIA_TRANSIT_ADDRESS")
        settings["transit_mount"] = reader.path("PAIDEIA_TRANSIT_MOUNT", "transit")
        settings["transit_key"] = reader.path("PAIDEIA_TRANSIT_KEY", "paideia")
    if "kms" in chosen:
        settings["kms_key"] = reader.required("PAIDEIA_KMS_KEY")
        settings["kms_region"] = reader.required("PAIDEIA_KMS_REGION")
    return settings


class _Reader:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def required(self, name: str) -> str:
        value = self._environment.get(name, "")
        if not value:
            raise WrongSetting(f"{name}: is not set")
        return value

    def folder(self, name: str) -> Path | None:
        value = self._environment.get(name, "")
        if value and not Path(value).is_dir():
            raise WrongSetting(f"{name}: {value} is not a folder")
        return Path(value) if value else None

    def address(self, name: str, default: str) -> str:
        value = self._environment.get(name, default)
        host, _, port = value.rpartition(":")
        if not host or not port.isdigit() or not 0 <= int(port) < 65_536:
            raise WrongSetting(f"{name}: must be host:port, not {value!r}")
        return value

    def one_of(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        value = self._environment.get(name, default)
        if value not in allowed:
            raise WrongSetting(f"{name}: must be one of {', '.join(allowed)}, not {value!r}")
        return value

    def some_of(self, name: str, default: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
        """Returns what is named, each once, in its order."""
        value = self._environment.get(name, default)
        chosen = tuple(each.strip() for each in value.split(","))
        if not set(chosen) <= set(allowed) or len(set(chosen)) < len(chosen):
            raise WrongSetting(f"{name}: must be one or more of {', '.join(allowed)}, each once, with commas, not {value!r}")
        return chosen

    def url(self, name: str) -> str:
        value = self.required(name)
        if not _URL.fullmatch(value):
            raise WrongSetting(f"{name}: must be like https://vault.example.org:8200, not {value!r}")
        return value

    def path(self, name: str, default: str) -> str:
        value = self._environment.get(name, default)
        if not _PATH.fullmatch(value):
            raise WrongSetting(f"{name}: must be letters, digits, '.', '_' and '-', parts divided by '/', not {value!r}")
        return value

    def number(self, name: str, default: float) -> float:
        value = self._environment.get(name, "")
        try:
            number = float(value) if value else default
        except ValueError:
            number = -1.0
        if not number > 0:
            raise WrongSetting(f"{name}: must be a positive number, not {value!r}")
        return number

    def targets(self, name: str) -> dict[str, str]:
        pairs = [each.partition("=") for each in self.required(name).split(",")]
        if not all(context and address for context, _, address in pairs):
            raise WrongSetting(f"{name}: must be context=host:port,..., not {self._environment[name]!r}")
        return {context.strip(): address.strip() for context, _, address in pairs}
