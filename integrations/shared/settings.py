"""The settings of the process, read once from the environment. A missing or wrong value stops the start with its name."""

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_KEY_BYTES = 32


class WrongSetting(Exception):
    """Names the environment variable or the secret and says what it must be."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`listen` and `identity` are `host:port`. `mesh` is the folder of this workload's certificate, None where the mesh has no TLS."""

    listen: str
    public_url: str
    """Where browsers find the platform: an origin without a slash at its end."""
    identity: str
    redis_url: str = field(repr=False)
    pages_key: bytes = field(repr=False)
    """32 bytes: what is kept of browsers is sealed with it."""
    mesh: Path | None = None

    @property
    def secure(self) -> bool:
        return self.public_url.startswith("https://")

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Raises WrongSetting."""

        def required(name: str) -> str:
            if not environment.get(name):
                raise WrongSetting(f"{name}: is not set")
            return environment[name]

        targets = dict(each.split("=", 1) for each in required("PAIDEIA_TARGETS").split(",") if "=" in each)
        if "identity" not in targets:
            raise WrongSetting("PAIDEIA_TARGETS: does not say where identity is")
        mesh = environment.get("PAIDEIA_MESH_CERTIFICATES")
        return cls(
            listen=environment.get("PAIDEIA_LISTEN", "127.0.0.1:7300"),
            public_url=_origin(required("PAIDEIA_PUBLIC_URL")),
            identity=targets["identity"],
            redis_url=required("PAIDEIA_REDIS_URL"),
            pages_key=_key(Path(required("PAIDEIA_SECRETS_DIR")) / "pages_key"),
            mesh=Path(mesh) if mesh else None,
        )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise WrongSetting(f"PAIDEIA_PUBLIC_URL: must look like https://learn.example.org, not {url!r}")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise WrongSetting("PAIDEIA_PUBLIC_URL: must begin with https:// unless it is this machine: passwords pass through it")
    return f"{parts.scheme}://{parts.netloc}"


def _key(file: Path) -> bytes:
    try:
        key = base64.b64decode(file.read_text().strip(), validate=True)
    except (OSError, binascii.Error) as error:
        raise WrongSetting(f"the secret {file.name} cannot be read: {type(error).__name__}") from None
    if len(key) != _KEY_BYTES:
        raise WrongSetting(f"the secret {file.name} must be base64 of {_KEY_BYTES} bytes")
    return key
