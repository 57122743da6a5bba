"""The catalog's gRPC face: messages in, use case, message out."""

from dataclasses import dataclass
from typing import Any, TypeAlias

from grpc.aio import ServicerContext
from paideia.catalog.v1 import catalog_service_pb2 as pb
from paideia.catalog.v1 import item_pb2
from paideia.catalog.v1.catalog_service_pb2_grpc import CatalogServiceServicer

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
from domain.shared.errors import InvalidInput
from services.catalog import messages
from services.shared.call import caller
from services.shared.names import id_in
from services.shared.paging import next_token

Call: TypeAlias = "ServicerContext[Any, Any]"

MAX_SKILLS = 1_000
MAX_ITEMS = 500
MAX_PUBLISHED_ITEMS = 200


@dataclass(frozen=True)
class CatalogUseCases:
    """What the servicer serves; the container fills it by name."""

    create_skills: CreateSkills
    get_skill: GetSkill
    list_skills: ListSkills
    update_skill: UpdateSkill
    create_items: CreateItems
    get_item: GetItem
    list_items: ListItems
    update_item: UpdateItem
    get_usage: GetUsage
    create_course: CreateCourse
    get_course: GetCourse
    list_courses: ListCourses
    update_course: UpdateCourse
    publish_course: PublishCourse
    get_publication: GetPublication
    get_published_items: GetPublishedItems


class CatalogServicer(CatalogServiceServicer):
    def __init__(self, use_cases: CatalogUseCases) -> None:
        self._use = use_cases

    async def CreateSkill(self, request: pb.CreateSkillRequest, context: Call) -> pb.Skill:
        created = await self._use.create_skills(caller(context), [messages.skill(request)], [""])
        return messages.skill_message(created[0])

    async def BatchCreateSkills(self, request: pb.BatchCreateSkillsRequest, context: Call) -> pb.BatchCreateSkillsResponse:
        paths = messages.batch_paths(len(request.requests), MAX_SKILLS)
        skills = [messages.skill(each, at) for each, at in zip(request.requests, paths, strict=True)]
        created = await self._use.create_skills(caller(context), skills, paths, request.skip_existing)
        return pb.BatchCreateSkillsResponse(skills=map(messages.skill_message, created))

    async def GetSkill(self, request: pb.GetSkillRequest, context: Call) -> pb.Skill:
        return messages.skill_message(await self._use.get_skill(caller(context), id_in(request.name, "skills")))

    async def ListSkills(self, request: pb.ListSkillsRequest, context: Call) -> pb.ListSkillsResponse:
        page = await self._use.list_skills(caller(context), messages.page_of(request.page_size, request.page_token))
        return pb.ListSkillsResponse(skills=map(messages.skill_message, page.elements), next_page_token=next_token(page))

    async def UpdateSkill(self, request: pb.UpdateSkillRequest, context: Call) -> pb.Skill:
        skill_id = id_in(request.skill.name, "skills", "skill.name")
        return messages.skill_message(await self._use.update_skill(caller(context), skill_id, messages.skill_change(request)))

    async def CreateItem(self, request: pb.CreateItemRequest, context: Call) -> item_pb2.Item:
        created = await self._use.create_items(caller(context), [messages.item(request)], [""])
        return messages.item_message(created[0])

    async def BatchCreateItems(self, request: pb.BatchCreateItemsRequest, context: Call) -> pb.BatchCreateItemsResponse:
        paths = messages.batch_paths(len(request.requests), MAX_ITEMS)
        items = [messages.item(each, at) for each, at in zip(request.requests, paths, strict=True)]
        created = await self._use.create_items(caller(context), items, paths, request.skip_existing)
        return pb.BatchCreateItemsResponse(items=map(messages.item_message, created))

    async def GetItem(self, request: pb.GetItemRequest, context: Call) -> item_pb2.Item:
        return messages.item_message(await self._use.get_item(caller(context), id_in(request.name, "items")))

    async def ListItems(self, request: pb.ListItemsRequest, context: Call) -> pb.ListItemsResponse:
        page_request = messages.page_of(request.page_size, request.page_token, maximum=MAX_ITEMS)
        skill_id = id_in(request.skill, "skills", "skill") if request.skill else None
        page = await self._use.list_items(caller(context), page_request, skill_id)
        return pb.ListItemsResponse(items=map(messages.item_message, page.elements), next_page_token=next_token(page))

    async def UpdateItem(self, request: pb.UpdateItemRequest, context: Call) -> item_pb2.Item:
        item_id = id_in(request.item.name, "items", "item.name")
        if request.item.revision < 0:
            raise InvalidInput.of("item.revision", "must not be negative")
        change = messages.item_change(request)
        return messages.item_message(await self._use.update_item(caller(context), item_id, change, request.item.revision))

    async def CreateCourse(self, request: pb.CreateCourseRequest, context: Call) -> pb.Course:
        return messages.course_message(await self._use.create_course(caller(context), messages.course(request)))

    async def GetCourse(self, request: pb.GetCourseRequest, context: Call) -> pb.Course:
        return messages.course_message(await self._use.get_course(caller(context), id_in(request.name, "courses")))

    async def ListCourses(self, request: pb.ListCoursesRequest, context: Call) -> pb.ListCoursesResponse:
        page = await self._use.list_courses(caller(context), messages.page_of(request.page_size, request.page_token))
        return pb.ListCoursesResponse(courses=map(messages.course_message, page.elements), next_page_token=next_token(page))

    async def UpdateCourse(self, request: pb.UpdateCourseRequest, context: Call) -> pb.Course:
        course_id = id_in(request.course.name, "courses", "course.name")
        return messages.course_message(await self._use.update_course(caller(context), course_id, messages.course_change(request)))

    async def PublishCourse(self, request: pb.PublishCourseRequest, context: Call) -> pb.Course:
        return messages.course_message(await self._use.publish_course(caller(context), id_in(request.name, "courses")))

    async def GetUsage(self, request: pb.GetUsageRequest, context: Call) -> pb.GetUsageResponse:
        used = await self._use.get_usage(caller(context))
        return pb.GetUsageResponse(used={str(quota): count for quota, count in used.items()})

    async def GetPublication(self, request: pb.GetPublicationRequest, context: Call) -> pb.Publication:
        course_id = id_in(request.course, "courses", "course")
        return messages.publication_message(await self._use.get_publication(caller(context), course_id))

    async def BatchGetPublishedItems(
        self, request: pb.BatchGetPublishedItemsRequest, context: Call
    ) -> pb.BatchGetPublishedItemsResponse:
        course_id = id_in(request.course, "courses", "course")
        if not 1 <= len(request.items) <= MAX_PUBLISHED_ITEMS:
            raise InvalidInput.of("items", f"must have 1 to {MAX_PUBLISHED_ITEMS} entries, has {len(request.items)}")
        item_ids = [id_in(name, "items", f"items[{index}]") for index, name in enumerate(request.items)]
        number, items = await self._use.get_published_items(caller(context), course_id, item_ids)
        return pb.BatchGetPublishedItemsResponse(publication=number, items=map(messages.item_message, items))
