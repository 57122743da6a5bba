"""The catalog behind the real interceptors, in memory, with something in it."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from paideia.catalog.v1 import catalog_service_pb2 as pb
from paideia.catalog.v1 import item_pb2
from paideia.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub, add_CatalogServiceServicer_to_server

from adapters.catalog.memory import MemoryCatalog
from domain.catalog.model import Item, ItemFault
from domain.catalog.ports import ItemChecker
from domain.catalog.use_cases.create_course import CreateCourse
from domain.catalog.use_cases.create_items import CreateItems
from domain.catalog.use_cases.create_skills import CreateSkills
from domain.catalog.use_cases.get_course import GetCourse
from domain.catalog.use_cases.get_item import GetItem
from domain.catalog.use_cases.get_publication import GetPublication
from domain.catalog.use_cases.get_published_items import GetPublishedItems
from domain.catalog.use_cases.get_skill import GetSkill
from domain.catalog.use_cases.get_usage import GetUsage
from domain.catalog.use_cases.list_courses import ListCourses
from domain.catalog.use_cases.list_items import ListItems
from domain.catalog.use_cases.list_skills import ListSkills
from domain.catalog.use_cases.publish_course import PublishCourse
from domain.catalog.use_cases.update_course import UpdateCourse
from domain.catalog.use_cases.update_item import UpdateItem
from domain.catalog.use_cases.update_skill import UpdateSkill
from services.catalog.servicer import CatalogServicer, CatalogUseCases
from tests.rpc.serving import Calls, serving

NOW = datetime(2026, 9, 1, 8, tzinfo=UTC)


class WantsAStem(ItemChecker):
    """Stands for the context that grades: it misses a stem where there is none."""

    async def faults(self, organization: str, items: Sequence[Item]) -> Sequence[ItemFault]:
        return [
            ItemFault(index, "body.stem", "must not be empty")
            for index, each in enumerate(items)
            if not item_pb2.Body.FromString(each.body).stem
        ]


@dataclass(frozen=True)
class Catalog:
    stub: CatalogServiceStub
    calls: Calls
    memory: MemoryCatalog

    async def as_author(self, method: str, request: object) -> object:
        return await getattr(self.stub, method)(request, metadata=self.calls.as_("north", "ada", "AUTHOR"))


def use_cases(memory: MemoryCatalog) -> CatalogUseCases:
    def clock() -> datetime:
        return NOW

    checker = WantsAStem()
    return CatalogUseCases(
        create_skills=CreateSkills(memory.unit, clock),
        get_skill=GetSkill(memory.unit),
        list_skills=ListSkills(memory.unit),
        update_skill=UpdateSkill(memory.unit),
        create_items=CreateItems(memory.unit, checker, clock),
        get_item=GetItem(memory.unit),
        list_items=ListItems(memory.unit),
        update_item=UpdateItem(memory.unit, checker, clock),
        get_usage=GetUsage(memory.unit),
        create_course=CreateCourse(memory.unit, clock),
        get_course=GetCourse(memory.unit),
        list_courses=ListCourses(memory.unit),
        update_course=UpdateCourse(memory.unit),
        publish_course=PublishCourse(memory.unit, clock),
        get_publication=GetPublication(memory.unit),
        get_published_items=GetPublishedItems(memory.unit),
    )


def request_id() -> str:
    return str(uuid4())


def item_request(item_id: str, *skills: str, stem: str = "1 + 1 = ?") -> pb.CreateItemRequest:
    return pb.CreateItemRequest(
        request_id=request_id(),
        item_id=item_id,
        item=item_pb2.Item(
            title=item_id.upper(),
            skills=[f"skills/{each}" for each in skills],
            body=item_pb2.Body(stem=stem, numeric=item_pb2.NumericInteraction()),
            key=item_pb2.Key(numeric=item_pb2.NumericKey(value="2"), hints=["Count."]),
        ),
    )


def skill_request(skill_id: str, *before: str, title: str = "A skill") -> pb.CreateSkillRequest:
    return pb.CreateSkillRequest(
        request_id=request_id(),
        skill_id=skill_id,
        skill=pb.Skill(title=title, prerequisites=[f"skills/{each}" for each in before]),
    )


@pytest.fixture
async def catalog() -> AsyncIterator[Catalog]:
    """`north` has the skills count → add, the items a1 and a2 of add, the course `maths` (published once) and the draft `empty`."""
    memory = MemoryCatalog()
    servicer = CatalogServicer(use_cases(memory))
    async with serving(lambda server: add_CatalogServiceServicer_to_server(servicer, server)) as calls:
        catalog = Catalog(CatalogServiceStub(calls.channel), calls, memory)
        skills = [skill_request("add", "count"), skill_request("count")]
        await catalog.as_author("BatchCreateSkills", pb.BatchCreateSkillsRequest(request_id=request_id(), requests=skills))
        items = [item_request("a1", "add"), item_request("a2", "add", "count")]
        await catalog.as_author("BatchCreateItems", pb.BatchCreateItemsRequest(request_id=request_id(), requests=items))
        for course_id, title, taught in (("maths", "Maths", ["skills/add", "skills/count"]), ("empty", "Empty", [])):
            course = pb.Course(title=title, skills=taught)
            await catalog.as_author(
                "CreateCourse", pb.CreateCourseRequest(request_id=request_id(), course_id=course_id, course=course)
            )
        await catalog.as_author("PublishCourse", pb.PublishCourseRequest(request_id=request_id(), name="courses/maths"))
        yield catalog
