"""Every rpc refuses what it must, with the code and the field that the contract promises."""

from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode
from grpc.aio import AioRpcError
from paideia.catalog.v1 import catalog_service_pb2 as pb
from paideia.catalog.v1 import item_pb2

ID = "8f14e45f-ceea-467f-a8c5-8a3f6b1d2c3e"
INVALID, MISSING, TAKEN = StatusCode.INVALID_ARGUMENT, StatusCode.NOT_FOUND, StatusCode.ALREADY_EXISTS
STEM = item_pb2.Body(stem="?", numeric=item_pb2.NumericInteraction())


def fields_of(refusal: AioRpcError) -> set[str]:
    """The field paths of the refusal's BadRequest."""
    for key, value in refusal.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            for detail in status_pb2.Status.FromString(value).details:  # type: ignore[arg-type]
                bad = error_details_pb2.BadRequest()
                if detail.Unpack(bad):
                    return {each.field for each in bad.field_violations}
    return set()


def skill(skill_id: str = "new", title: str = "New", before: list[str] | None = None) -> pb.CreateSkillRequest:
    return pb.CreateSkillRequest(request_id=ID, skill_id=skill_id, skill=pb.Skill(title=title, prerequisites=before or []))


def item(item_id: str = "new", skills: tuple[str, ...] = ("skills/add",), body: item_pb2.Body = STEM) -> pb.CreateItemRequest:
    return pb.CreateItemRequest(request_id=ID, item_id=item_id, item=item_pb2.Item(skills=skills, body=body))


def course(course_id: str = "new", title: str = "New", skills: tuple[str, ...] = ()) -> pb.CreateCourseRequest:
    return pb.CreateCourseRequest(request_id=ID, course_id=course_id, course=pb.Course(title=title, skills=skills))


def mask(*paths: str) -> FieldMask:
    return FieldMask(paths=paths)


def skills(*requests: pb.CreateSkillRequest) -> pb.BatchCreateSkillsRequest:
    return pb.BatchCreateSkillsRequest(request_id=ID, requests=requests)


def items(*requests: pb.CreateItemRequest) -> pb.BatchCreateItemsRequest:
    return pb.BatchCreateItemsRequest(request_id=ID, requests=requests)


def update_skill(fields: pb.Skill, *paths: str) -> pb.UpdateSkillRequest:
    return pb.UpdateSkillRequest(request_id=ID, skill=fields, update_mask=mask(*paths))


def update_item(fields: item_pb2.Item, *paths: str) -> pb.UpdateItemRequest:
    return pb.UpdateItemRequest(request_id=ID, item=fields, update_mask=mask(*paths))


def update_course(fields: pb.Course, *paths: str) -> pb.UpdateCourseRequest:
    return pb.UpdateCourseRequest(request_id=ID, course=fields, update_mask=mask(*paths))


@pytest.mark.parametrize(
    ("method", "request_message", "code", "field"),
    [
        ("CreateSkill", skill("no spaces"), INVALID, "skill_id"),
        ("CreateSkill", skill(""), INVALID, "skill_id"),
        ("CreateSkill", skill(title=""), INVALID, "skill.title"),
        ("CreateSkill", skill(title="t" * 201), INVALID, "skill.title"),
        ("CreateSkill", skill(title="\0"), INVALID, "skill.title"),
        ("CreateSkill", skill(before=["count"]), INVALID, "skill.prerequisites[0]"),
        ("CreateSkill", skill(before=["skills/count"] * 2), INVALID, "skill.prerequisites[1]"),
        ("CreateSkill", skill(before=["skills/new"]), INVALID, "skill.prerequisites"),
        ("CreateSkill", skill(before=["skills/none"]), MISSING, None),
        ("CreateSkill", skill("add"), TAKEN, None),
        ("BatchCreateSkills", skills(), INVALID, "requests"),
        ("BatchCreateSkills", skills(*(skill(f"s{n}") for n in range(1_001))), INVALID, "requests"),
        ("BatchCreateSkills", skills(skill("a"), skill("b", title="")), INVALID, "requests[1].skill.title"),
        ("BatchCreateSkills", skills(skill("a"), skill("a")), INVALID, "requests[1].skill_id"),
        ("BatchCreateSkills", skills(skill("a", before=["x"])), INVALID, "requests[0].skill.prerequisites[0]"),
        ("BatchCreateSkills", skills(skill("a", before=["skills/b"]), skill("b", before=["skills/a"])), INVALID, "requests"),
        ("BatchCreateSkills", skills(skill("a", before=["skills/none"])), MISSING, None),
        ("BatchCreateSkills", skills(skill("a"), skill("add")), TAKEN, None),
        ("GetSkill", pb.GetSkillRequest(name="add"), INVALID, "name"),
        ("GetSkill", pb.GetSkillRequest(name="skills/none"), MISSING, None),
        ("ListSkills", pb.ListSkillsRequest(page_size=-1), INVALID, "page_size"),
        ("ListSkills", pb.ListSkillsRequest(page_token="nonsense"), INVALID, "page_token"),
        ("ListSkills", pb.ListSkillsRequest(page_token="WyJhIiwiYiJd"), INVALID, "page_token"),
        ("ListSkills", pb.ListSkillsRequest(page_token="WyJcdTAwMDAiXQ=="), INVALID, "page_token"),
        ("UpdateSkill", update_skill(pb.Skill(name="add"), "title"), INVALID, "skill.name"),
        ("UpdateSkill", update_skill(pb.Skill(name="skills/add", title="T")), INVALID, "update_mask"),
        ("UpdateSkill", update_skill(pb.Skill(name="skills/add", title="T"), "name"), INVALID, "update_mask"),
        ("UpdateSkill", update_skill(pb.Skill(name="skills/add"), "title"), INVALID, "skill.title"),
        ("UpdateSkill", update_skill(pb.Skill(name="skills/none", title="T"), "title"), MISSING, None),
        (
            "UpdateSkill",
            update_skill(pb.Skill(name="skills/count", prerequisites=["skills/add"]), "prerequisites"),
            INVALID,
            "skill.prerequisites",
        ),
        (
            "UpdateSkill",
            update_skill(pb.Skill(name="skills/count", prerequisites=["skills/none"]), "prerequisites"),
            MISSING,
            None,
        ),
        ("CreateItem", item("a b"), INVALID, "item_id"),
        ("CreateItem", item(skills=()), INVALID, "item.skills"),
        ("CreateItem", item(skills=("add",)), INVALID, "item.skills[0]"),
        ("CreateItem", item(skills=tuple(f"skills/s{n}" for n in range(21))), INVALID, "item.skills"),
        ("CreateItem", item(body=item_pb2.Body()), INVALID, "item.body.stem"),
        ("CreateItem", item(skills=("skills/none",)), MISSING, None),
        ("CreateItem", item("a1"), TAKEN, None),
        ("BatchCreateItems", items(), INVALID, "requests"),
        ("BatchCreateItems", items(*(item(f"i{n}") for n in range(501))), INVALID, "requests"),
        ("BatchCreateItems", items(item("x"), item("y", body=item_pb2.Body())), INVALID, "requests[1].item.body.stem"),
        ("BatchCreateItems", items(item("x"), item("x")), INVALID, "requests[1].item_id"),
        ("BatchCreateItems", items(item("x"), item("a1")), TAKEN, None),
        ("GetItem", pb.GetItemRequest(name="skills/add"), INVALID, "name"),
        ("GetItem", pb.GetItemRequest(name="items/none"), MISSING, None),
        ("ListItems", pb.ListItemsRequest(page_size=-5), INVALID, "page_size"),
        ("ListItems", pb.ListItemsRequest(skill="add"), INVALID, "skill"),
        ("UpdateItem", update_item(item_pb2.Item(name="items/a/b"), "title"), INVALID, "item.name"),
        ("UpdateItem", update_item(item_pb2.Item(name="items/a1")), INVALID, "update_mask"),
        ("UpdateItem", update_item(item_pb2.Item(name="items/a1"), "revision"), INVALID, "update_mask"),
        ("UpdateItem", update_item(item_pb2.Item(name="items/a1", revision=-1), "title"), INVALID, "item.revision"),
        ("UpdateItem", update_item(item_pb2.Item(name="items/a1"), "body"), INVALID, "item.body.stem"),
        ("UpdateItem", update_item(item_pb2.Item(name="items/a1"), "skills"), INVALID, "item.skills"),
        ("UpdateItem", update_item(item_pb2.Item(name="items/none"), "title"), MISSING, None),
        ("UpdateItem", update_item(item_pb2.Item(name="items/a1", skills=["skills/none"]), "skills"), MISSING, None),
        ("UpdateItem", update_item(item_pb2.Item(name="items/a1", revision=7), "title"), StatusCode.ABORTED, None),
        ("CreateCourse", course("x/y"), INVALID, "course_id"),
        ("CreateCourse", course(title=""), INVALID, "course.title"),
        ("CreateCourse", course(skills=("skills/add", "skills/add")), INVALID, "course.skills[1]"),
        ("CreateCourse", course(skills=("skills/none",)), MISSING, None),
        ("CreateCourse", course("maths"), TAKEN, None),
        ("GetCourse", pb.GetCourseRequest(name="maths"), INVALID, "name"),
        ("GetCourse", pb.GetCourseRequest(name="courses/none"), MISSING, None),
        ("ListCourses", pb.ListCoursesRequest(page_size=-1), INVALID, "page_size"),
        ("UpdateCourse", update_course(pb.Course(name="maths"), "title"), INVALID, "course.name"),
        ("UpdateCourse", update_course(pb.Course(name="courses/maths"), "title"), INVALID, "course.title"),
        ("UpdateCourse", update_course(pb.Course(name="courses/maths", title="T"), "publication"), INVALID, "update_mask"),
        ("UpdateCourse", update_course(pb.Course(name="courses/none", title="T"), "title"), MISSING, None),
        ("UpdateCourse", update_course(pb.Course(name="courses/maths", skills=["skills/none"]), "skills"), MISSING, None),
        ("PublishCourse", pb.PublishCourseRequest(request_id=ID, name="maths"), INVALID, "name"),
        ("PublishCourse", pb.PublishCourseRequest(request_id=ID, name="courses/none"), MISSING, None),
        ("PublishCourse", pb.PublishCourseRequest(request_id=ID, name="courses/empty"), StatusCode.FAILED_PRECONDITION, None),
        ("PublishCourse", pb.PublishCourseRequest(request_id=ID, name="courses/maths"), StatusCode.FAILED_PRECONDITION, None),
    ],
)
async def test_authors_are_refused(
    catalog: Any, method: str, request_message: Message, code: StatusCode, field: str | None
) -> None:
    with pytest.raises(AioRpcError) as refusal:
        await catalog.as_author(method, request_message)
    assert refusal.value.code() is code
    assert fields_of(refusal.value) == ({field} if field else set())


@pytest.mark.parametrize(
    ("method", "request_message", "code", "field"),
    [
        ("GetPublication", pb.GetPublicationRequest(course="maths"), INVALID, "course"),
        ("GetPublication", pb.GetPublicationRequest(course="courses/none"), MISSING, None),
        ("GetPublication", pb.GetPublicationRequest(course="courses/empty"), MISSING, None),
        ("BatchGetPublishedItems", pb.BatchGetPublishedItemsRequest(course="courses/maths"), INVALID, "items"),
        (
            "BatchGetPublishedItems",
            pb.BatchGetPublishedItemsRequest(course="courses/maths", items=["items/a"] * 201),
            INVALID,
            "items",
        ),
        (
            "BatchGetPublishedItems",
            pb.BatchGetPublishedItemsRequest(course="courses/maths", items=["items/a1", "a2"]),
            INVALID,
            "items[1]",
        ),
        (
            "BatchGetPublishedItems",
            pb.BatchGetPublishedItemsRequest(course="courses/empty", items=["items/a1"]),
            MISSING,
            None,
        ),
    ],
)
async def test_services_are_refused(
    catalog: Any, method: str, request_message: Message, code: StatusCode, field: str | None
) -> None:
    with pytest.raises(AioRpcError) as refusal:
        await getattr(catalog.stub, method)(request_message, metadata=catalog.calls.as_service("north"))
    assert refusal.value.code() is code
    assert fields_of(refusal.value) == ({field} if field else set())


@pytest.mark.parametrize(
    ("method", "request_message"),
    [
        ("CreateSkill", skill()),
        ("BatchCreateSkills", skills(skill())),
        ("UpdateSkill", update_skill(pb.Skill(name="skills/add", title="T"), "title")),
        ("CreateItem", item()),
        ("BatchCreateItems", items(item())),
        ("GetItem", pb.GetItemRequest(name="items/a1")),
        ("ListItems", pb.ListItemsRequest()),
        ("UpdateItem", update_item(item_pb2.Item(name="items/a1"), "title")),
        ("CreateCourse", course()),
        ("UpdateCourse", update_course(pb.Course(name="courses/maths", title="T"), "title")),
        ("PublishCourse", pb.PublishCourseRequest(request_id=ID, name="courses/maths")),
        ("GetPublication", pb.GetPublicationRequest(course="courses/maths")),
        ("BatchGetPublishedItems", pb.BatchGetPublishedItemsRequest(course="courses/maths", items=["items/a1"])),
    ],
)
async def test_learners_may_neither_write_nor_see_keys(catalog: Any, method: str, request_message: Message) -> None:
    with pytest.raises(AioRpcError) as refusal:
        await getattr(catalog.stub, method)(request_message, metadata=catalog.calls.as_("north", "bo", "LEARNER"))
    assert refusal.value.code() is StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize("method", ["GetPublication", "BatchGetPublishedItems"])
async def test_not_even_administrators_may_call_what_is_for_services(catalog: Any, method: str) -> None:
    with pytest.raises(AioRpcError) as refusal:
        await getattr(catalog.stub, method)(
            getattr(pb, f"{method}Request")(course="courses/maths"), metadata=catalog.calls.as_("north", "root", "ADMIN")
        )
    assert refusal.value.code() is StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize(
    ("method", "request_message"),
    [
        ("GetSkill", pb.GetSkillRequest(name="skills/add")),
        ("UpdateSkill", update_skill(pb.Skill(name="skills/add", title="T"), "title")),
        ("CreateSkill", skill(before=["skills/add"])),
        ("BatchCreateSkills", skills(skill(before=["skills/add"]))),
        ("GetItem", pb.GetItemRequest(name="items/a1")),
        ("CreateItem", item()),
        ("BatchCreateItems", items(item())),
        ("UpdateItem", update_item(item_pb2.Item(name="items/a1"), "title")),
        ("CreateCourse", course(skills=("skills/add",))),
        ("GetCourse", pb.GetCourseRequest(name="courses/maths")),
        ("UpdateCourse", update_course(pb.Course(name="courses/maths", title="T"), "title")),
        ("PublishCourse", pb.PublishCourseRequest(request_id=ID, name="courses/maths")),
    ],
)
async def test_another_organizations_things_are_not_there(catalog: Any, method: str, request_message: Message) -> None:
    with pytest.raises(AioRpcError) as refusal:
        await getattr(catalog.stub, method)(request_message, metadata=catalog.calls.as_("south", "eve", "AUTHOR", "ADMIN"))
    assert refusal.value.code() is StatusCode.NOT_FOUND


async def test_every_fault_of_a_batch_is_named_at_once(catalog: Any) -> None:
    with pytest.raises(AioRpcError) as refusal:
        await catalog.as_author("BatchCreateItems", items(item("a b"), item("ok"), item("x", skills=())))
    assert fields_of(refusal.value) == {"requests[0].item_id", "requests[2].item.skills"}


async def test_a_refused_batch_leaves_nothing(catalog: Any) -> None:
    with pytest.raises(AioRpcError):
        await catalog.as_author("BatchCreateSkills", skills(skill("fresh"), skill("add")))
    with pytest.raises(AioRpcError) as refusal:
        await catalog.as_author("GetSkill", pb.GetSkillRequest(name="skills/fresh"))
    assert refusal.value.code() is StatusCode.NOT_FOUND


async def test_a_cycle_is_named(catalog: Any) -> None:
    request = update_skill(pb.Skill(name="skills/count", prerequisites=["skills/add"]), "prerequisites")
    with pytest.raises(AioRpcError, match=r"(add → count → add|count → add → count)"):
        await catalog.as_author("UpdateSkill", request)


async def test_a_draft_is_not_there_for_learners(catalog: Any) -> None:
    with pytest.raises(AioRpcError) as refusal:
        await catalog.stub.GetCourse(
            pb.GetCourseRequest(name="courses/empty"), metadata=catalog.calls.as_("north", "bo", "LEARNER")
        )
    assert refusal.value.code() is StatusCode.NOT_FOUND
