"""The catalog as the source of publications."""

from uuid import uuid4

from paideia.catalog.v1.catalog_service_pb2 import BatchGetPublishedItemsRequest, GetPublicationRequest
from paideia.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub

from adapters.shared.grpc import Channels
from domain.scheduler.model import CourseNotPublished, Publication, PublishedItem, PublishedSkill
from domain.scheduler.ports import PublicationSource
from domain.shared.errors import NotFound


class GrpcPublications(PublicationSource):
    def __init__(self, channels: Channels) -> None:
        self._channels = channels

    async def newest(self, organization: str, course: str) -> Publication:
        stub = self._channels.stub(CatalogServiceStub, "catalog")
        request = GetPublicationRequest(course=f"courses/{course}")
        try:
            answer = await self._channels.call("catalog", stub.GetPublication, request, organization)
        except NotFound:
            raise _not_published(course) from None
        return Publication(
            course,
            answer.number,
            tuple(
                PublishedSkill(_bare(each.skill), each.title, tuple(_bare(before) for before in each.prerequisites))
                for each in answer.skills
            ),
            tuple(
                PublishedItem(_bare(each.item), each.revision, tuple(_bare(skill) for skill in each.skills))
                for each in answer.items
            ),
        )

    async def newest_number(self, organization: str, course: str) -> int:
        stub = self._channels.stub(CatalogServiceStub, "catalog")
        # The answer always has the number, and of an item that nobody has it has nothing else.
        request = BatchGetPublishedItemsRequest(course=f"courses/{course}", items=[f"items/{uuid4()}"])
        try:
            return int((await self._channels.call("catalog", stub.BatchGetPublishedItems, request, organization)).publication)
        except NotFound:
            raise _not_published(course) from None


def _not_published(course: str) -> CourseNotPublished:
    return CourseNotPublished(f"course {course} has no publication")


def _bare(name: str) -> str:
    return name.partition("/")[2]
