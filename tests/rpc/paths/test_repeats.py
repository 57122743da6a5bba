"""Repeated requests, with the ledger and the store that production has."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from dependency_injector import providers
from grpc import StatusCode
from grpc.aio import AioRpcError
from paideia.paths.v1 import paths_service_pb2 as pb
from paideia.paths.v1.paths_service_pb2_grpc import PathsServiceStub, add_PathsServiceServicer_to_server
from sqlalchemy.ext.asyncio import create_async_engine

from adapters.paths.memory import MemoryGraphs, MemoryMasteries
from services.paths.container import PathsContainer
from tests.rpc.paths.conftest import Paths, override_request, path_request
from tests.rpc.serving import serving
from tests.stores import PostgresServer
from tests.unit.paths.making import FRACTIONS, NOW


@pytest.fixture
async def paths(postgres: PostgresServer) -> AsyncIterator[Paths]:
    engine = create_async_engine(postgres.dsn("paideia_paths").replace("postgresql://", "postgresql+asyncpg://", 1))
    graphs, masteries = MemoryGraphs(), MemoryMasteries()
    graphs.put("north", FRACTIONS)
    container = PathsContainer(
        engine=providers.Object(engine),
        graphs=providers.Object(graphs),
        masteries=providers.Object(masteries),
        clock=providers.Object(lambda: NOW),
    )
    servicer = container.servicer()
    async with serving(lambda server: add_PathsServiceServicer_to_server(servicer, server), container.ledger()) as calls:
        yield Paths(PathsServiceStub(calls.channel), calls, container, graphs, masteries)
    await engine.dispose()


async def test_a_repeated_request_gets_the_first_answer_and_changes_nothing(paths: Paths) -> None:
    path_id = f"p-{uuid4()}"
    create = path_request(path_id)
    created = await paths("CreatePath", create)
    skip = override_request("SKIP", "sub", path_id=path_id)
    skipped = await paths("OverrideStep", skip)
    withdraw = override_request("SKIP", "sub", path_id=path_id, withdraw=True)
    withdrawn = await paths("OverrideStep", withdraw)
    archive = pb.ArchivePathRequest(request_id=str(uuid4()), name=created.name)
    archived = await paths("ArchivePath", archive)
    for method, request, answer in (
        ("CreatePath", create, created),
        ("OverrideStep", skip, skipped),
        ("OverrideStep", withdraw, withdrawn),
        ("ArchivePath", archive, archived),
    ):
        assert await paths(method, request) == answer
    assert [each.number for each in await paths.revisions(path_id)] == [4, 3, 2, 1]


async def test_a_request_id_with_another_body_is_refused(paths: Paths) -> None:
    create = path_request(f"p-{uuid4()}")
    await paths("CreatePath", create)
    create.path.minutes_per_day = 30
    with pytest.raises(AioRpcError) as refusal:
        await paths("CreatePath", create)
    assert refusal.value.code() is StatusCode.ALREADY_EXISTS


async def test_a_refused_request_leaves_nothing_behind_and_may_be_repeated(paths: Paths) -> None:
    path_id = f"p-{uuid4()}"
    create = path_request(path_id, course="courses/later")
    with pytest.raises(AioRpcError) as refusal:
        await paths("CreatePath", create)
    assert refusal.value.code() is StatusCode.NOT_FOUND
    paths.graphs.put("north", type(FRACTIONS)("later", 1, FRACTIONS.skills))
    assert (await paths("CreatePath", create)).name == f"learners/ada/paths/{path_id}"
