"""Between the catalog's messages and its domain."""

from collections.abc import Sequence

from google.protobuf.message import Message
from paideia.catalog.v1 import catalog_service_pb2 as pb
from paideia.catalog.v1 import item_pb2

from domain.catalog.model import (
    Course,
    CourseChange,
    Item,
    ItemChange,
    Publication,
    Skill,
    SkillChange,
)
from domain.shared.errors import InvalidInput
from domain.shared.ids import chosen_id
from domain.shared.page import PageRequest
from services.shared.masks import fields_in
from services.shared.names import id_in
from services.shared.paging import page_request
from services.shared.times import timestamp


def skill(request: pb.CreateSkillRequest, at: str = "") -> Skill:
    """`at` is the path of the request within its batch, such as `requests[3].`."""
    fields = request.skill
    return Skill(request.skill_id, fields.title, fields.description, _skills(fields.prerequisites, f"{at}skill.prerequisites"))


def skill_change(request: pb.UpdateSkillRequest) -> SkillChange:
    mask = fields_in(request.update_mask, {"title", "description", "prerequisites"})
    fields = request.skill
    return SkillChange(
        title=fields.title if "title" in mask else None,
        description=fields.description if "description" in mask else None,
        prerequisites=_skills(fields.prerequisites, "skill.prerequisites") if "prerequisites" in mask else None,
    )


def skill_message(each: Skill) -> pb.Skill:
    return pb.Skill(
        name=f"skills/{each.id}",
        title=each.title,
        description=each.description,
        prerequisites=_skill_names(each.prerequisites),
        create_time=timestamp(each.created_at) if each.created_at else None,
    )


def item(request: pb.CreateItemRequest, at: str = "") -> Item:
    """`at` is the path of the request within its batch, such as `requests[3].`."""
    fields = request.item
    return Item(
        id=request.item_id,
        skills=_skills(fields.skills, f"{at}item.skills"),
        body=_encoded(fields.body),
        key=_encoded(fields.key),
        title=fields.title,
    )


def item_change(request: pb.UpdateItemRequest) -> ItemChange:
    mask = fields_in(request.update_mask, {"title", "skills", "body", "key"})
    fields = request.item
    return ItemChange(
        title=fields.title if "title" in mask else None,
        skills=_skills(fields.skills, "item.skills") if "skills" in mask else None,
        body=_encoded(fields.body) if "body" in mask else None,
        key=_encoded(fields.key) if "key" in mask else None,
    )


def item_message(each: Item) -> item_pb2.Item:
    return item_pb2.Item(
        name=f"items/{each.id}",
        title=each.title,
        skills=_skill_names(each.skills),
        body=item_pb2.Body.FromString(each.body),
        key=item_pb2.Key.FromString(each.key),
        revision=each.revision,
        create_time=timestamp(each.created_at) if each.created_at else None,
        update_time=timestamp(each.updated_at) if each.updated_at else None,
    )


def course(request: pb.CreateCourseRequest) -> Course:
    fields = request.course
    return Course(request.course_id, fields.title, fields.description, _skills(fields.skills, "course.skills"))


def course_change(request: pb.UpdateCourseRequest) -> CourseChange:
    mask = fields_in(request.update_mask, {"title", "description", "skills"})
    fields = request.course
    return CourseChange(
        title=fields.title if "title" in mask else None,
        description=fields.description if "description" in mask else None,
        skills=_skills(fields.skills, "course.skills") if "skills" in mask else None,
    )


def course_message(each: Course) -> pb.Course:
    edition = each.edition
    return pb.Course(
        name=f"courses/{each.id}",
        title=each.title,
        description=each.description,
        skills=_skill_names(each.skills),
        publication=edition.number if edition else 0,
        publish_time=timestamp(edition.published_at) if edition else None,
        item_count=edition.item_count if edition else 0,
        create_time=timestamp(each.created_at) if each.created_at else None,
    )


def publication_message(each: Publication) -> pb.Publication:
    return pb.Publication(
        course=f"courses/{each.course}",
        number=each.number,
        publish_time=timestamp(each.published_at),
        skills=[
            pb.PublishedSkill(skill=f"skills/{one.id}", title=one.title, prerequisites=_skill_names(one.prerequisites))
            for one in each.skills
        ],
        items=[
            pb.PublishedItem(item=f"items/{one.id}", revision=one.revision, skills=_skill_names(one.skills)) for one in each.items
        ],
    )


def page_of(page_size: int, page_token: str, maximum: int = 1_000) -> PageRequest:
    """Returns the page asked for of a list ordered by id."""
    request = page_request(page_size, page_token, maximum=maximum)
    if request.after is not None:
        if len(request.after) != 1:
            raise InvalidInput.of("page_token", "must be the next_page_token of the page before, unchanged")
        chosen_id(request.after[0], "page_token")
    return request


def batch_paths(count: int, maximum: int) -> list[str]:
    """Returns the path of each entry of a batch, or raises InvalidInput if there are none or too many."""
    if not 1 <= count <= maximum:
        raise InvalidInput.of("requests", f"must have 1 to {maximum} entries, has {count}")
    return [f"requests[{index}]." for index in range(count)]


def _skills(names: Sequence[str], field: str) -> tuple[str, ...]:
    return tuple(id_in(name, "skills", f"{field}[{index}]") for index, name in enumerate(names))


def _skill_names(ids: Sequence[str]) -> list[str]:
    return [f"skills/{each}" for each in ids]


def _encoded(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)
