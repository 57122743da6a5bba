from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import pytest
from dependency_injector import providers
from grpc import StatusCode
from grpc.aio import AioRpcError
from paideia.analytics.v1 import analytics_service_pb2 as pb
from paideia.analytics.v1.analytics_service_pb2_grpc import AnalyticsServiceStub, add_AnalyticsServiceServicer_to_server
from sqlalchemy.ext.asyncio import create_async_engine

from services.analytics.container import AnalyticsContainer
from tests.rpc.analytics.conftest import Analytics, MemoryFiles, answered
from tests.rpc.serving import serving
from tests.stores import PostgresServer
from tests.unit.analytics.report_making import MONDAY


def create_request(**fields: object) -> pb.CreateExportRequest:
    wanted = {"kind": "REPORT_KIND_ITEMS", "format": "EXPORT_FORMAT_CSV", "course": "courses/maths"} | fields
    return pb.CreateExportRequest(request_id=str(uuid4()), **wanted)


async def test_an_export_is_asked_for_written_and_fetched(analytics: Analytics) -> None:
    await analytics.log(answered(1, "ada", "i1"), answered(2, "ada", "i2", False))
    created = await analytics("CreateExport", create_request(start_date="2026-09-01", learners=["learners/ada"]))
    assert (created.state, created.creator, created.download_uri) == (pb.EXPORT_STATE_PENDING, "grace", "")
    assert await analytics.container.write_export()()
    done = await analytics("GetExport", pb.GetExportRequest(name=created.name))
    assert (done.state, done.row_count) == (pb.EXPORT_STATE_SUCCEEDED, 2)
    assert done.expire_time.ToDatetime() - done.finish_time.ToDatetime() == timedelta(days=7)
    assert analytics.files.kept[done.download_uri].decode().splitlines() == [
        "item,learners,correct,difficulty,discrimination,median_response_seconds,attempts",
        "i1,1,1,1.0,,1.0,1",
        "i2,1,0,0.0,,2.0,1",
    ]
    listed = await analytics("ListExports", pb.ListExportsRequest())
    done.download_uri = ""
    assert list(listed.exports) == [done]


@pytest.mark.parametrize(
    ("fields", "role", "code"),
    [
        ({}, "LEARNER", StatusCode.PERMISSION_DENIED),
        ({"kind": 0}, "TEACHER", StatusCode.INVALID_ARGUMENT),
        ({"kind": 99}, "TEACHER", StatusCode.INVALID_ARGUMENT),
        ({"format": 0}, "TEACHER", StatusCode.INVALID_ARGUMENT),
        ({"course": "maths"}, "TEACHER", StatusCode.INVALID_ARGUMENT),
        ({"start_date": "2026-09-08", "end_date": "2026-09-07"}, "TEACHER", StatusCode.INVALID_ARGUMENT),
    ],
)
async def test_wrong_exports_are_refused(analytics: Analytics, fields: dict[str, object], role: str, code: StatusCode) -> None:
    with pytest.raises(AioRpcError) as refusal:
        await analytics("CreateExport", create_request(**fields), "grace", role)
    assert refusal.value.code() is code


@pytest.mark.parametrize(
    ("name", "organization", "code"),
    [
        ("exports/none", "north", StatusCode.INVALID_ARGUMENT),
        ("none", "north", StatusCode.INVALID_ARGUMENT),
        ("exports/00000000-0000-4000-8000-000000000000", "north", StatusCode.NOT_FOUND),
        ("", "south", StatusCode.NOT_FOUND),
    ],
    ids=["no UUID", "no name", "no such export", "another organization's"],
)
async def test_exports_that_are_not_there(analytics: Analytics, name: str, organization: str, code: StatusCode) -> None:
    created = await analytics("CreateExport", create_request())
    with pytest.raises(AioRpcError) as refusal:
        await analytics("GetExport", pb.GetExportRequest(name=name or created.name), organization=organization)
    assert refusal.value.code() is code


@pytest.fixture
async def lasting(postgres: PostgresServer) -> AsyncIterator[Analytics]:
    """With the ledger and the store that production has."""
    engine = create_async_engine(postgres.dsn("paideia_analytics").replace("postgresql://", "postgresql+asyncpg://", 1))
    files, now = MemoryFiles(), [MONDAY]
    container = AnalyticsContainer(
        engine=providers.Object(engine),
        counting_engine=providers.Object(engine),
        frozen_engine=providers.Object(engine.execution_options(isolation_level="REPEATABLE READ")),
        files=providers.Object(files),
        clock=providers.Object(lambda: now[0]),
    )
    servicer = container.servicer()
    async with serving(lambda server: add_AnalyticsServiceServicer_to_server(servicer, server), container.ledger()) as calls:
        yield Analytics(AnalyticsServiceStub(calls.channel), calls, container, files, now)
    await engine.dispose()


async def test_a_repeated_request_gets_the_first_answer_and_another_body_is_refused(lasting: Analytics) -> None:
    organization, wanted = f"o{uuid4()}", create_request()
    created = await lasting("CreateExport", wanted, organization=organization)
    assert await lasting("CreateExport", wanted, organization=organization) == created
    assert len((await lasting("ListExports", pb.ListExportsRequest(), organization=organization)).exports) == 1
    wanted.format = pb.EXPORT_FORMAT_XLSX
    with pytest.raises(AioRpcError) as refusal:
        await lasting("CreateExport", wanted, organization=organization)
    assert refusal.value.code() is StatusCode.ALREADY_EXISTS
    assert await lasting.container.write_export()()
    rebuild = pb.RebuildReportsRequest(request_id=str(uuid4()))
    rebuilt = await lasting("RebuildReports", rebuild, "root", "ADMIN", organization=organization)
    assert rebuilt == await lasting("RebuildReports", rebuild, "root", "ADMIN", organization=organization)
