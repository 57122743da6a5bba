"""What an installation may set. Unknown names and malformed values stop the generator with a sentence."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any

PROFILES = ("local", "kubernetes-edge", "kubernetes-sidecar")

_PUBLIC_URL = re.compile(r"https?://[A-Za-z0-9._-]+(:[0-9]{1,5})?/?")
_ADDRESS = re.compile(r"(?P<host>[A-Za-z0-9._-]+|\[[0-9a-f:]+\]):(?P<port>[0-9]{1,5})")


class SettingFault(Exception):
    """A setting is unknown or cannot be meant."""


@dataclass(frozen=True, order=True)
class Address:
    host: str
    port: int

    @classmethod
    def parse(cls, text: object, name: str) -> "Address":
        match = _ADDRESS.fullmatch(str(text))
        if not match or not 0 < int(match["port"]) < 65536:
            raise SettingFault(f"{name} must be HOST:PORT, not {text!r}")
        return cls(match["host"].strip("[]"), int(match["port"]))

    @property
    def numeric(self) -> bool:
        return bool(re.fullmatch(r"[0-9.]+|[0-9a-f:]*:[0-9a-f:]*", self.host))


@dataclass(frozen=True)
class Limit:
    """A token bucket: `burst` requests at once, `per_second` in the long run."""

    per_second: int
    burst: int


@dataclass(frozen=True)
class Limits:
    """Requests per second. Staff import, replay and script; a learner's client does not. A whole school may come from one address.

    `organization` is for those with the standard plan, `organization_trial` and `organization_large` for those with another one.
    """

    learner: Limit = Limit(50, 200)
    staff: Limit = Limit(2_000, 4_000)
    organization: Limit = Limit(5_000, 10_000)
    organization_trial: Limit = Limit(100, 400)
    organization_large: Limit = Limit(20_000, 40_000)
    sign_in_address: Limit = Limit(10, 20)
    address: Limit = Limit(5_000, 10_000)

    @property
    def plans(self) -> Mapping[str, Limit]:
        """What all of an organization may send, by its plan as access tokens name it."""
        return {"trial": self.organization_trial, "standard": self.organization, "large": self.organization_large}


@dataclass(frozen=True)
class Tls:
    """Files of PEM. `authority` verifies the other side of the mesh."""

    certificate: str
    key: str
    authority: str = ""


@dataclass(frozen=True)
class Settings:
    """`public_url` is where people find the platform, and who issues access tokens.
    `assets` is where Envoy finds the generated files at run time.

    `context` is the one a sidecar stands beside, or `integrations`; `callers` are the workloads that it lets in, or none for all of the mesh.
    `integrations` is the process with the pages and the faces that are HTTP by nature; without it there are none.
    `origins_seconds` is how long the answer is remembered, which organizations' pages an origin is.
    A context's certificate is for `<context>.<mesh_domain>`, or without that for the host that `targets` names.
    """

    profile: str = "local"
    public_url: str = "http://localhost:8080"
    listen: Address = Address("127.0.0.1", 8080)
    admin: Address = Address("127.0.0.1", 9901)
    jwks_listen: Address = Address("127.0.0.1", 8081)
    metrics_listen: Address = Address("127.0.0.1", 9902)
    assets: str = "."
    targets: Mapping[str, tuple[Address, ...]] = field(default_factory=lambda: MappingProxyType({}))
    cors_origins: tuple[str, ...] = ()
    origins_seconds: int = 30
    limits: Limits = Limits()
    max_body_bytes: int = 1 << 20
    max_ingest_bytes: int = 4 << 20
    max_heap_bytes: int = 1 << 30
    trusted_hops: int = 0
    otlp: Address | None = None
    reflection: bool = False
    tls: Tls | None = None
    mesh: Tls | None = None
    mesh_domain: str = ""
    integrations: Address | None = None
    context: str = ""
    callers: tuple[str, ...] = ()
    application: Address = Address("127.0.0.1", 7000)
    outbound: Address = Address("127.0.0.1", 7001)


def settings_from(values: Mapping[str, Any], base: Settings) -> Settings:
    """Returns `base` with the values of a settings file over it. Raises SettingFault naming what is wrong."""
    known = {each.name for each in fields(Settings)}
    changed: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            raise SettingFault(f"unknown setting {name}; there are {', '.join(sorted(known))}")
        changed[name] = _value(name, value, getattr(base, name))
    merged = replace(base, **changed)
    if merged.profile not in PROFILES:
        raise SettingFault(f"profile must be one of {', '.join(PROFILES)}, not {merged.profile!r}")
    return merged


def _value(name: str, value: Any, default: Any) -> Any:
    if name in ("listen", "admin", "jwks_listen", "metrics_listen", "application", "outbound", "otlp", "integrations"):
        return Address.parse(value, name)
    if name == "targets":
        return {
            context: tuple(Address.parse(each, f"targets.{context}") for each in ([at] if isinstance(at, str) else at))
            for context, at in _mapping(name, value).items()
        }
    if name == "limits":
        return replace(default, **{key: _limit(f"limits.{key}", each, default) for key, each in _mapping(name, value).items()})
    if name in ("tls", "mesh"):
        try:
            return Tls(**{key: str(each) for key, each in _mapping(name, value).items()})
        except TypeError as error:
            raise SettingFault(f"{name} must hold certificate, key and (for the mesh) authority: {error}") from None
    if name in ("cors_origins", "callers"):
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise SettingFault(f"{name} must be a list of {'origins' if name == 'cors_origins' else 'workloads'}")
        return tuple(value)
    if name == "public_url":
        return _public_url(value)
    if type(value) is not type(default):
        raise SettingFault(f"{name} must be of the kind {type(default).__name__}, not {value!r}")
    if isinstance(value, int) and value < 0:
        raise SettingFault(f"{name} must not be negative")
    return value


def _public_url(value: Any) -> str:
    if not _PUBLIC_URL.fullmatch(str(value)):
        raise SettingFault(f"public_url must be like https://learn.example.org, not {value!r}")
    return str(value).rstrip("/")


def _limit(name: str, value: Any, limits: Limits) -> Limit:
    if name.removeprefix("limits.") not in {each.name for each in fields(limits)}:
        raise SettingFault(f"unknown setting {name}")
    values = _mapping(name, value)
    if set(values) != {"per_second", "burst"} or not all(type(each) is int and each > 0 for each in values.values()):
        raise SettingFault(f"{name} must hold per_second and burst, whole numbers above 0")
    return Limit(**values)


def _mapping(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise SettingFault(f"{name} must be a mapping")
    return value
