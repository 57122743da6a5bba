"""Questions asked of a part over its port. None raises: a part that cannot be asked is silent."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from stack.part import Health

_PATIENCE_SECONDS = 3.0
_FAILURES = (OSError, EOFError, ValueError, TimeoutError)


@contextlib.asynccontextmanager
async def _connection(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    async with asyncio.timeout(_PATIENCE_SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield reader, writer
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def http(port: int, path: str, method: str = "GET") -> tuple[int, bytes]:
    """Returns the status and the body of a request to a plain HTTP server on this machine. Raises OSError, EOFError, ValueError."""
    async with _connection(port) as (reader, writer):
        length = "content-length: 0\r\n" if method == "POST" else ""
        writer.write(f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n{length}\r\n".encode())
        answer = await reader.read()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1] if b" " in head else b""), body


async def http_health(port: int, path: str, ready_status: int) -> Health:
    """Ready when the path answers with that status."""
    try:
        status, _ = await http(port, path)
    except _FAILURES:
        return Health.SILENT
    return Health.READY if status == ready_status else Health.NOT_READY


async def valkey_health(port: int, password: str) -> Health:
    """Ready when PING is answered: a server that still loads its data says -LOADING."""
    try:
        async with _connection(port) as (reader, writer):
            writer.write(f"AUTH {password}\r\nPING\r\n".encode())
            await reader.readuntil(b"\r\n")
            answer = await reader.readuntil(b"\r\n")
    except _FAILURES:
        return Health.SILENT
    return Health.READY if answer == b"+PONG\r\n" else Health.NOT_READY


async def kafka_health(port: int) -> Health:
    """Ready when an ApiVersions request (key 18, version 0) comes back with its correlation id."""
    request = b"\x00\x12\x00\x00" + b"prob" + b"\x00\x07paideia"
    try:
        async with _connection(port) as (reader, writer):
            writer.write(len(request).to_bytes(4, "big") + request)
            head = await reader.readexactly(8)
    except _FAILURES:
        return Health.SILENT
    return Health.READY if head[4:] == b"prob" else Health.NOT_READY


async def grpc_health(port: int, certificates: Path | None = None, context: str = "") -> Health:
    """Ready when the standard health service says SERVING for the whole server: that of `context`, by mutual TLS, with certificates."""
    import grpc  # heavy: only a process that asks hosts pays for it
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    from stack.mesh_client import mesh_channel

    try:
        channel = mesh_channel(grpc.aio, f"127.0.0.1:{port}", certificates, context)
    except OSError:  # the certificates are being removed
        return Health.SILENT
    async with channel:
        try:
            answer = await health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=_PATIENCE_SECONDS, wait_for_ready=False
            )
        except grpc.aio.AioRpcError:
            return Health.SILENT
    return Health.READY if answer.status == health_pb2.HealthCheckResponse.SERVING else Health.NOT_READY
