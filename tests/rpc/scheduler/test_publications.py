"""The adapter that reads publications, against a server of the catalog's contract."""

import pytest
from paideia.catalog.v1 import catalog_service_pb2 as pb
from paideia.catalog.v1.catalog_service_pb2_grpc import CatalogServiceServicer, add_CatalogServiceServicer_to_server

from adapters.scheduler.grpc import GrpcPublications
from adapters.shared.grpc import Channels
from domain.scheduler.model import CourseNotPublished, Publication, PublishedItem, PublishedSkill
from domain.shared.clock import system_clock
from domain.shared.errors import NotFound, Unavailable
from services.shared.call import caller
from tests.rpc.serving import MESH_KEY, serving
from tests.stores import free_port


class Catalog(CatalogServiceServicer):
    """Has one course, in one organization, whose only item is `joins`."""

    async def GetPublication(self, request, context):
        self._check(request, context)
        return pb.Publication(
            course=request.course,
            number=7,
            skills=[pb.PublishedSkill(skill="skills/b", title="B", prerequisites=["skills/a"])],
            items=[pb.PublishedItem(item="items/joins", revision=3, skills=["skills/b"])],
        )

    async def BatchGetPublishedItems(self, request, context):
        self._check(request, context)
        assert "items/joins" not in request.items, "keys must not be fetched"
        return pb.BatchGetPublishedItemsResponse(publication=7)

    def _check(self, request, context):
        if request.course != "courses/sql" or caller(context).organization != "north":
            raise NotFound("no publication")


@pytest.fixture
async def publications():
    async with serving(lambda server: add_CatalogServiceServicer_to_server(Catalog(), server)) as calls:
        channels = Channels({"catalog": calls.address}, MESH_KEY, "scheduler", system_clock)
        yield GrpcPublications(channels)
        await channels.close()


async def test_the_newest_publication_comes_with_bare_ids(publications: GrpcPublications) -> None:
    assert await publications.newest("north", "sql") == Publication(
        "sql", 7, (PublishedSkill("b", "B", ("a",)),), (PublishedItem("joins", 3, ("b",)),)
    )


async def test_the_newest_number_comes_without_any_item(publications: GrpcPublications) -> None:
    assert await publications.newest_number("north", "sql") == 7


@pytest.mark.parametrize(("organization", "course"), [("north", "art"), ("south", "sql")])
async def test_a_course_that_the_organization_never_published_is_told_apart(
    publications: GrpcPublications, organization: str, course: str
) -> None:
    for ask in (publications.newest, publications.newest_number):
        with pytest.raises(CourseNotPublished):
            await ask(organization, course)


async def test_a_catalog_that_is_away_is_unavailable() -> None:
    channels = Channels({"catalog": f"127.0.0.1:{free_port()}"}, MESH_KEY, "scheduler", system_clock)
    with pytest.raises(Unavailable):
        await GrpcPublications(channels).newest_number("north", "sql")
    await channels.close()
