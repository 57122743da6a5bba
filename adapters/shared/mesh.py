"""Mutual TLS between the processes of the platform: who a process is, whom it believes, and certificates that change while it runs.

A folder holds `tls.crt`, `tls.key` and `ca.crt`. A workload is named by the URI `spiffe://paideia/<workload>` of its certificate; it
answers for each context that it serves under the DNS name `<context>.mesh.paideia`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

MESH_DOMAIN = "mesh.paideia"
_TRUST_DOMAIN = "spiffe://paideia/"
_LOOK_SECONDS = 1.0
_Version = tuple[tuple[int, int], ...]


class UnreadableCertificates(Exception):
    """The folder does not hold a certificate, its key and the authorities; the text names it."""


@dataclass(frozen=True, slots=True)
class _Material:
    key: bytes
    chain: bytes
    authorities: bytes


class MeshCertificates:
    """What a process shows and trusts. New files are used for new connections, without a restart."""

    def __init__(self, folder: Path) -> None:
        """Raises UnreadableCertificates."""
        self._folder = folder
        self._files = [folder / name for name in ("tls.key", "tls.crt", "ca.crt")]
        self._material, self._version = self._read()
        self._served = self._version

    def server_credentials(self) -> grpc.ServerCredentials:
        """Credentials that demand a certificate of the mesh from every client."""
        return grpc.dynamic_ssl_server_credentials(
            _server_configuration(self._material),
            self._renewed_for_servers,  # type: ignore[arg-type]  # the stub does not know that None means no change
            require_client_authentication=True,
        )

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """Credentials with what is in the folder now."""
        self.refresh()
        return grpc.ssl_channel_credentials(self._material.authorities, self._material.key, self._material.chain)

    def refresh(self) -> bool:
        """Takes what is in the folder now; says whether that was something new. What cannot be read is left for the next look."""
        if self._current() == self._version:
            return False
        try:
            self._material, self._version = self._read()
        except UnreadableCertificates:
            return False
        return True

    async def watch(self, changed: Callable[[], Awaitable[None]]) -> None:
        """Calls `changed` after each change, until cancelled."""
        seen = self._version
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self.refresh()
            if self._version != seen:
                seen = self._version
                await changed()

    def _renewed_for_servers(self) -> grpc.ServerCertificateConfiguration | None:
        """grpcio asks at every handshake, from a thread of its own; None goes on with what it has."""
        self.refresh()
        if self._served == self._version:
            return None
        self._served = self._version
        return _server_configuration(self._material)

    def _current(self) -> _Version:
        try:
            return tuple((found.st_ino, found.st_mtime_ns) for found in (file.stat() for file in self._files))
        except OSError:
            return self._version

    def _read(self) -> tuple[_Material, _Version]:
        """Reads the three files as they belong together: again when they were exchanged meanwhile."""
        while True:
            try:
                before = tuple((found.st_ino, found.st_mtime_ns) for found in (file.stat() for file in self._files))
                material = _Material(*(file.read_bytes() for file in self._files))
                after = tuple((found.st_ino, found.st_mtime_ns) for found in (file.stat() for file in self._files))
            except OSError as error:
                raise UnreadableCertificates(f"the mesh's certificates in {self._folder} cannot be read: {error}") from None
            if before == after:
                return material, after


def server_name(context: str) -> tuple[str, str]:
    """The channel option that makes a client insist on a server of that context, whatever its address."""
    return ("grpc.ssl_target_name_override", f"{context}.{MESH_DOMAIN}")


def workload_of(context: Any) -> str:
    """Returns the workload that the peer's certificate names; empty for a peer without one."""
    uris = context.auth_context().get("peer_spiffe_id", ())
    uri = uris[0].decode() if uris else ""
    return uri.removeprefix(_TRUST_DOMAIN) if uri.startswith(_TRUST_DOMAIN) else ""


def _server_configuration(material: _Material) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(material.key, material.chain)], material.authorities)
