"""What the catalog's rpcs do when all is well."""

from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from paideia.catalog.v1 import catalog_service_pb2 as pb
from paideia.catalog.v1 import item_pb2


def some_id() -> str:
    return str(uuid4())


async def test_skills_are_created_with_prerequisites_in_any_order(catalog: Any) -> None:
    skill = await catalog.as_author("GetSkill", pb.GetSkillRequest(name="skills/add"))
    assert (skill.name, skill.prerequisites) == ("skills/add", ["skills/count"])
    assert skill.create_time.seconds > 0


async def test_creating_skips_what_exists_when_asked(catalog: Any) -> None:
    requests = [
        pb.CreateSkillRequest(skill_id="add", skill=pb.Skill(title="Another title")),
        pb.CreateSkillRequest(skill_id="new", skill=pb.Skill(title="New", prerequisites=["skills/add"])),
    ]
    answer = await catalog.as_author(
        "BatchCreateSkills", pb.BatchCreateSkillsRequest(request_id=some_id(), requests=requests, skip_existing=True)
    )
    assert [(each.name, each.title) for each in answer.skills] == [("skills/add", "A skill"), ("skills/new", "New")]


async def test_an_item_comes_back_as_it_was_written(catalog: Any) -> None:
    item = await catalog.as_author("GetItem", pb.GetItemRequest(name="items/a2"))
    assert item.skills == ["skills/add", "skills/count"]
    assert item.body.stem == "1 + 1 = ?"
    assert item.body.WhichOneof("interaction") == "numeric"
    assert (item.key.numeric.value, item.key.hints) == ("2", ["Count."])
    assert item.revision == 1


async def test_updating_changes_only_what_the_mask_names(catalog: Any) -> None:
    fields = item_pb2.Item(name="items/a1", title="New title", revision=1)
    request = pb.UpdateItemRequest(request_id=some_id(), item=fields, update_mask=FieldMask(paths=["title"]))
    item = await catalog.as_author("UpdateItem", request)
    assert (item.title, item.body.stem, item.revision) == ("New title", "1 + 1 = ?", 2)


async def test_learners_get_an_edit_with_the_next_publication(catalog: Any) -> None:
    fields = item_pb2.Item(name="items/a1", body=item_pb2.Body(stem="1 + 2 = ?", numeric=item_pb2.NumericInteraction()))
    await catalog.as_author(
        "UpdateItem", pb.UpdateItemRequest(request_id=some_id(), item=fields, update_mask=FieldMask(paths=["body"]))
    )
    pinned = pb.BatchGetPublishedItemsRequest(course="courses/maths", items=["items/a1", "items/none"])
    service = catalog.calls.as_service("north")
    before = await catalog.stub.BatchGetPublishedItems(pinned, metadata=service)
    await catalog.as_author("PublishCourse", pb.PublishCourseRequest(request_id=some_id(), name="courses/maths"))
    after = await catalog.stub.BatchGetPublishedItems(pinned, metadata=service)
    assert [(before.publication, before.items[0].body.stem), (after.publication, after.items[0].body.stem)] == [
        (1, "1 + 1 = ?"),
        (2, "1 + 2 = ?"),
    ]
    assert (len(after.items), after.items[0].key.numeric.value) == (1, "2")


async def test_a_publication_shows_the_graph_and_the_pool(catalog: Any) -> None:
    publication = await catalog.stub.GetPublication(
        pb.GetPublicationRequest(course="courses/maths"), metadata=catalog.calls.as_service("north")
    )
    assert (publication.course, publication.number) == ("courses/maths", 1)
    assert [(each.skill, list(each.prerequisites)) for each in publication.skills] == [
        ("skills/add", ["skills/count"]),
        ("skills/count", []),
    ]
    assert [(each.item, each.revision, list(each.skills)) for each in publication.items] == [
        ("items/a1", 1, ["skills/add"]),
        ("items/a2", 1, ["skills/add", "skills/count"]),
    ]


async def test_publishing_is_announced(catalog: Any) -> None:
    assert [(each.course, each.number) for each in catalog.memory.states["north"].events] == [("maths", 1)]


@pytest.mark.parametrize(
    ("role", "titles"),
    [("LEARNER", ["Maths"]), ("TEACHER", ["Empty", "Draft of maths"]), ("AUTHOR", ["Empty", "Draft of maths"])],
)
async def test_learners_see_publications_and_staff_see_drafts(catalog: Any, role: str, titles: list[str]) -> None:
    fields = pb.Course(name="courses/maths", title="Draft of maths")
    await catalog.as_author(
        "UpdateCourse", pb.UpdateCourseRequest(request_id=some_id(), course=fields, update_mask=FieldMask(paths=["title"]))
    )
    listed = await catalog.stub.ListCourses(pb.ListCoursesRequest(), metadata=catalog.calls.as_("north", "bo", role))
    assert [each.title for each in listed.courses] == titles
    course = await catalog.stub.GetCourse(
        pb.GetCourseRequest(name="courses/maths"), metadata=catalog.calls.as_("north", "bo", role)
    )
    assert (course.title, course.publication, course.item_count) == (titles[-1], 1, 2)


async def test_lists_go_on_with_the_token(catalog: Any) -> None:
    first = await catalog.as_author("ListItems", pb.ListItemsRequest(page_size=1))
    second = await catalog.as_author("ListItems", pb.ListItemsRequest(page_size=1, page_token=first.next_page_token))
    assert [first.items[0].name, second.items[0].name] == ["items/a1", "items/a2"]
    assert second.next_page_token == ""


async def test_items_are_listed_by_skill(catalog: Any) -> None:
    listed = await catalog.as_author("ListItems", pb.ListItemsRequest(skill="skills/count"))
    assert [each.name for each in listed.items] == ["items/a2"]
