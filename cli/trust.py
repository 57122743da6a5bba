"""Whom commands believe to be the platform when they are told an https address: the world's authorities, and the stack's own."""

import os
import ssl
from pathlib import Path

import grpc


def authorities_of(home: Path) -> Path | None:
    """The file that PAIDEIA_CA names, else that of the stack in `home`, if there is one."""
    chosen = Path(os.environ["PAIDEIA_CA"]) if os.environ.get("PAIDEIA_CA") else home / "certificates" / "public" / "ca.crt"
    # Beside a certificate of somebody else's the file is empty.
    return chosen if chosen.is_file() and chosen.stat().st_size else None


def tls_context(authorities: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if authorities:
        context.load_verify_locations(authorities)
    return context


def grpc_channel(url: str, authorities: Path | None) -> grpc.aio.Channel:
    """Opens a channel to the platform at its public address."""
    scheme, _, address = url.partition("://")
    if scheme == "http":
        return grpc.aio.insecure_channel(address)
    return grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(authorities.read_bytes() if authorities else None))
