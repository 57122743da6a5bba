"""The database's clients obey the variables by which a pod says that the connection must be encrypted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text

from adapters.shared.postgres_connections import open_engine, open_pool

_REQUEST_BYTES = 8


@asynccontextmanager
async def server_without_tls() -> AsyncIterator[tuple[str, list[bytes]]]:
    """Declines to encrypt, as PostgreSQL does, and keeps what it hears after that."""
    heard: list[bytes] = []
    answering: set[asyncio.Task[None] | None] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answering.add(asyncio.current_task())
        await reader.readexactly(_REQUEST_BYTES)
        writer.write(b"N")
        heard.append(await reader.read(1))
        writer.close()
        answering.discard(asyncio.current_task())

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"postgresql://paideia_catalog:secret@127.0.0.1:{server.sockets[0].getsockname()[1]}/paideia", heard
        while answering:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("mode", ["require", "verify-full"])
async def test_neither_pool_speaks_to_a_server_that_does_not_encrypt(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSSLMODE", mode)
    monkeypatch.setenv("PGSSLROOTCERT", "/etc/ssl/certs/ca-certificates.crt")
    async with server_without_tls() as (dsn, heard):
        pool = await open_pool(dsn, 1)
        with pytest.raises(ConnectionError):
            await pool.fetch("SELECT 1")
        await pool.close()
        engine = open_engine(dsn, 1)
        with pytest.raises(ConnectionError):
            async with engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
        await engine.dispose()
    assert heard == [b"", b""]
