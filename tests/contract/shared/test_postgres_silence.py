"""Both units of work over a network that swallows everything: it costs one call, and not one for each connection of the pool."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from urllib.parse import urlsplit

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import text

from adapters.shared.asyncpg_unit import AsyncpgUnit
from adapters.shared.postgres import PostgresUnit
from adapters.shared.postgres_connections import open_engine, open_pool
from domain.shared.errors import Unavailable
from tests.fault.network import Proxy, Weather

_SIZE = 5
Work = Callable[[str], Awaitable[str]]


@pytest.fixture
def network(postgres) -> Iterator[Proxy]:
    with Proxy(urlsplit(postgres.superuser_dsn).port or 0) as proxy:
        yield proxy


@pytest_asyncio.fixture(params=["asyncpg", "sqlalchemy"])
async def work(request, postgres, network: Proxy) -> AsyncIterator[Work]:
    """Runs a statement in a unit of its own, on a pool of five whose commands may take a second."""
    role = "paideia_progress" if request.param == "asyncpg" else "paideia_catalog"
    address = urlsplit(postgres.superuser_dsn).port
    dsn = postgres.dsn(role).replace(f":{address}/", f":{network.port}/")
    if request.param == "asyncpg":
        pool = await open_pool(dsn, _SIZE, 1.0)

        async def run(statement: str) -> str:
            async with AsyncpgUnit(pool, "north") as unit:
                found = str(await unit.connection.fetchval(statement))
                await unit.commit()
                return found

        yield run
        pool.terminate()
    else:
        engine = open_engine(dsn, _SIZE, 1.0)

        async def run(statement: str) -> str:
            async with PostgresUnit(engine, "north") as unit:
                found = str((await unit.connection.execute(text(statement))).scalar_one())
                await unit.commit()
                return found

        yield run
        await engine.dispose()


async def filled(work: Work) -> list[int]:
    """Opens every connection that the pool may have, and returns their servers' process ids."""
    return [int(pid) for pid in await asyncio.gather(*(work("SELECT pg_backend_pid() FROM pg_sleep(0.2)") for _ in range(_SIZE)))]


async def test_after_a_silence_one_call_is_refused_and_the_next_succeeds(work: Work, network: Proxy) -> None:
    await filled(work)
    with network.weather(Weather.SILENT):
        await asyncio.sleep(0.05)
    with pytest.raises(Unavailable):
        await work("SELECT 1")
    for _ in range(2 * _SIZE):
        assert await work("SELECT 1") == "1"


async def test_a_call_during_the_silence_ends_by_itself_and_holds_no_connection(work: Work, network: Proxy) -> None:
    await filled(work)
    with network.weather(Weather.SILENT):
        ended = await asyncio.gather(*(work("SELECT 1") for _ in range(_SIZE)), return_exceptions=True)
    assert {type(each) for each in ended} == {Unavailable}
    assert await asyncio.gather(*(work("SELECT 1") for _ in range(_SIZE))) == ["1"] * _SIZE


async def test_connections_that_the_server_has_ended_meanwhile_cost_no_call(work: Work, postgres) -> None:
    backends = await filled(work)
    server = await asyncpg.connect(postgres.superuser_dsn)
    try:
        await server.fetch("SELECT pg_terminate_backend(pid, 5000) FROM unnest($1::int[]) AS pid", backends)
    finally:
        await server.close()
    await asyncio.sleep(0.1)  # the proxy passes the ends on
    assert await asyncio.gather(*(work("SELECT 1") for _ in range(_SIZE))) == ["1"] * _SIZE


async def test_the_server_ends_what_a_lost_client_leaves(work: Work) -> None:
    assert await work("SELECT current_setting('idle_in_transaction_session_timeout')") == "10s"
    assert await work("SELECT current_setting('statement_timeout')") == "2s"
    assert await work("SELECT current_setting('tcp_user_timeout')") in ("15s", "15000")


async def test_the_client_asks_a_silent_host_and_gives_it_up(postgres) -> None:
    async with await open_pool(postgres.dsn("paideia_progress"), 1) as pool, pool.acquire() as connection:
        connected = connection._transport.get_extra_info("socket")  # the driver shows it no other way
        assert connected.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 4
        assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 8_000
