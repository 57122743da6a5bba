"""The context as the host opens it: real PostgreSQL, real broker, a catalog at the other end of a channel."""

import asyncio
from uuid import uuid4

import asyncpg
import grpc
import pytest
from paideia.assessment.v1 import assessment_service_pb2 as pb
from paideia.assessment.v1.assessment_service_pb2_grpc import AssessmentServiceStub
from paideia.catalog.v1 import catalog_service_pb2, events_pb2, item_pb2
from paideia.catalog.v1.catalog_service_pb2_grpc import CatalogServiceServicer, add_CatalogServiceServicer_to_server

from adapters.shared.grpc import Channels
from adapters.shared.resources import Resources, Settings
from domain.shared.clock import system_clock
from domain.shared.events import EventEnvelope
from services.assessment.container import open_context
from tests.rpc.serving import MESH_KEY, serving
from tests.stores import free_port

_HELD = "SELECT publication FROM assessment.course_items WHERE organization_id = $1 AND item_id = 'half'"


class Catalog(CatalogServiceServicer):
    number = 1

    async def BatchGetPublishedItems(self, request, context):
        items = [
            item_pb2.Item(
                name=each,
                skills=["skills/fractions"],
                revision=self.number,
                body=item_pb2.Body(stem=f"Edition {self.number}", numeric=item_pb2.NumericInteraction()),
                key=item_pb2.Key(numeric=item_pb2.NumericKey(value="1/2"), hints=["Two."]),
            )
            for each in request.items
        ]
        return catalog_service_pb2.BatchGetPublishedItemsResponse(publication=self.number, items=items)


@pytest.fixture
async def opened(postgres, kafka_bootstrap, tmp_path):
    """The catalog, the resources, the calls and the context, its consumer running."""
    (tmp_path / "postgres_paideia_assessment").write_text(postgres.password("paideia_assessment"))
    (tmp_path / "mesh_key").write_text(MESH_KEY.decode())
    dsn = f"postgresql://{{role}}@{postgres.dsn('paideia_assessment').rpartition('@')[2]}"
    catalog = Catalog()
    async with serving(lambda server: add_CatalogServiceServicer_to_server(catalog, server)) as catalog_calls:
        targets = dict.fromkeys(("progress", "scheduler"), f"127.0.0.1:{free_port()}") | {"catalog": catalog_calls.address}
        settings = Settings(dsn, tmp_path, "redis://127.0.0.1:1", kafka_bootstrap, targets)
        resources = Resources(settings, Channels(targets, MESH_KEY, "assessment", system_clock))
        context = await open_context(resources)
        await context.ready()
        jobs = [asyncio.create_task(job()) for job in context.jobs]
        async with serving(context.add_to_server) as calls:
            yield catalog, resources, calls
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
        await context.close()
        await resources.close()


async def test_a_learner_is_served_and_graded_and_a_publication_is_learnt_from_the_log(opened, postgres):
    catalog, resources, calls = opened
    north, stub = f"n{uuid4().hex}", AssessmentServiceStub(calls.channel)
    me = calls.as_(north, "ada")
    look = pb.GetItemViewRequest(name="learners/ada/items/half", course="courses/demo")
    assert (await stub.GetItemView(look, metadata=me)).body.stem == "Edition 1"
    hint = pb.RevealHintRequest(request_id=str(uuid4()), name="learners/ada/items/half", course="courses/demo")
    assert (await stub.RevealHint(hint, metadata=me)).text == "Two."
    answer = pb.SubmitResponseRequest(
        request_id=str(uuid4()),
        learner="learners/ada",
        course="courses/demo",
        item="items/half",
        answer=pb.Answer(numeric=pb.NumericAnswer(value="0,5")),
    )
    response = await stub.SubmitResponse(answer, metadata=me)
    assert (response.correct, response.hints_revealed, response.item_revision) == (True, 1, 1)

    catalog.number = 2
    event = events_pb2.CoursePublished(course="courses/demo", publication=2)
    topic, key = "catalog.changes", event.course
    await resources.producer().send(
        [EventEnvelope(str(uuid4()), event.DESCRIPTOR.full_name, topic, north, key, system_clock(), event.SerializeToString())]
    )
    connection = await asyncpg.connect(postgres.superuser_dsn)
    async with asyncio.timeout(90):
        while await connection.fetchval(_HELD, north) != 2:
            await asyncio.sleep(0.05)
    await connection.close()
    assert (await stub.GetItemView(look, metadata=me)).body.stem == "Edition 2"
    assert await stub.SubmitResponse(answer, metadata=me) == response


async def test_without_a_token_nobody_is_served(opened):
    stub = AssessmentServiceStub(opened[2].channel)
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await stub.ListResponses(pb.ListResponsesRequest(parent="learners/ada"))
    assert refusal.value.code() is grpc.StatusCode.UNAUTHENTICATED
