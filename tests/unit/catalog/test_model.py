from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.catalog.model import (
    Course,
    CourseAlreadyPublished,
    CourseEmpty,
    CourseNotFound,
    Edition,
    Item,
    ItemChange,
    Publication,
    PublishedItem,
    Skill,
    SkillChange,
    SkillNotFound,
    missing_skills,
)

NOW = datetime(2026, 9, 1, 8, tzinfo=UTC)
SKILLS = {
    "count": Skill("count", "Counting"),
    "add": Skill("add", "Adding", prerequisites=("count",)),
    "multiply": Skill("multiply", "Multiplying", prerequisites=("add",)),
}
POOL = [PublishedItem("m2", 1, ("multiply",)), PublishedItem("m1", 3, ("multiply", "count"))]


def edition_of(publication: Publication) -> Edition:
    return Edition(
        number=publication.number,
        published_at=publication.published_at,
        title=publication.title,
        description=publication.description,
        skills=tuple(each.id for each in publication.skills),
        item_count=len(publication.items),
        fingerprint=publication.fingerprint(),
    )


def published(course: Course) -> Course:
    return replace(course, edition=edition_of(course.publish(SKILLS, POOL, NOW)))


def test_a_publication_bridges_prerequisites_outside_the_course() -> None:
    publication = Course("maths", "Maths", skills=("multiply", "count")).publish(SKILLS, POOL, NOW)
    assert [(each.id, each.prerequisites) for each in publication.skills] == [("count", ()), ("multiply", ("count",))]


def test_a_publication_orders_its_items_and_counts_from_one() -> None:
    publication = Course("maths", "Maths", skills=("multiply", "count")).publish(SKILLS, POOL, NOW)
    assert publication.number == 1
    assert [each.id for each in publication.items] == ["m1", "m2"]


def test_a_course_without_items_cannot_be_published() -> None:
    with pytest.raises(CourseEmpty):
        Course("maths", "Maths", skills=("count",)).publish(SKILLS, [], NOW)


def test_publishing_again_without_a_change_is_refused() -> None:
    with pytest.raises(CourseAlreadyPublished):
        published(Course("maths", "Maths", skills=("multiply", "count"))).publish(SKILLS, list(reversed(POOL)), NOW)


@pytest.mark.parametrize(
    ("course", "skills", "pool"),
    [
        (Course("maths", "Mathematics", skills=("multiply", "count")), SKILLS, POOL),
        (Course("maths", "Maths", "New", skills=("multiply", "count")), SKILLS, POOL),
        (Course("maths", "Maths", skills=("multiply", "count", "add")), SKILLS, POOL),
        (Course("maths", "Maths", skills=("multiply", "count")), SKILLS, [PublishedItem("m1", 4, ("count",)), POOL[0]]),
        (Course("maths", "Maths", skills=("multiply", "count")), SKILLS, POOL[:1]),
        (Course("maths", "Maths", skills=("multiply", "count")), SKILLS | {"count": Skill("count", "To count")}, POOL),
        (Course("maths", "Maths", skills=("multiply", "count")), SKILLS | {"add": Skill("add", "Adding")}, POOL),
    ],
    ids=["title", "description", "skills", "revision", "fewer items", "skill title", "bridge gone"],
)
def test_any_change_a_learner_would_see_makes_the_next_publication(
    course: Course, skills: dict[str, Skill], pool: list[PublishedItem]
) -> None:
    edition = published(Course("maths", "Maths", skills=("multiply", "count"))).edition
    assert replace(course, edition=edition).publish(skills, pool, NOW).number == 2


def test_learners_see_the_publication_and_not_the_draft() -> None:
    course = replace(published(Course("maths", "Maths", skills=("multiply", "count"))), title="Draft title", skills=())
    assert course.as_published().title == "Maths"
    assert course.as_published().skills == ("count", "multiply")


def test_to_learners_a_draft_is_not_there() -> None:
    with pytest.raises(CourseNotFound):
        Course("maths", "Maths").as_published()


@pytest.mark.parametrize(
    ("skill", "field"),
    [
        (Skill("", "T"), "skill_id"),
        (Skill("no spaces", "T"), "skill_id"),
        (Skill("a" * 129, "T"), "skill_id"),
        (Skill("a", ""), "skill.title"),
        (Skill("a", "  "), "skill.title"),
        (Skill("a", "t" * 201), "skill.title"),
        (Skill("a", "nul\0"), "skill.title"),
        (Skill("a", "T", "d" * 2_001), "skill.description"),
        (Skill("a", "T", prerequisites=("b", "b")), "skill.prerequisites[1]"),
        (Skill("a", "T", prerequisites=("b/c",)), "skill.prerequisites[0]"),
        (Skill("a", "T", prerequisites=tuple(map(str, range(51)))), "skill.prerequisites"),
    ],
)
def test_faults_of_a_skill_name_the_field(skill: Skill, field: str) -> None:
    assert [fault.field for fault in skill.faults("requests[3].")] == [f"requests[3].{field}"]


@pytest.mark.parametrize(
    ("item", "field"),
    [
        (Item("a b", ("s",), b"", b""), "item_id"),
        (Item("a", (), b"", b""), "item.skills"),
        (Item("a", tuple(map(str, range(21))), b"", b""), "item.skills"),
        (Item("a", ("s", "s"), b"", b""), "item.skills[1]"),
        (Item("a", ("s",), b"", b"", "t" * 201), "item.title"),
    ],
)
def test_faults_of_an_item_name_the_field(item: Item, field: str) -> None:
    assert [fault.field for fault in item.faults()] == [field]


@pytest.mark.parametrize(
    ("course", "field"),
    [
        (Course("a b", "T"), "course_id"),
        (Course("a", ""), "course.title"),
        (Course("a", "T", "d" * 10_001), "course.description"),
        (Course("a", "T", skills=("s", "s")), "course.skills[1]"),
        (Course("a", "T", skills=tuple(map(str, range(1_001)))), "course.skills"),
    ],
)
def test_faults_of_a_course_name_the_field(course: Course, field: str) -> None:
    assert [fault.field for fault in course.faults()] == [field]


def test_all_faults_are_named_at_once() -> None:
    assert len(Skill("a b", "", "d" * 3_000, ("x", "x")).faults()) == 4


@given(title=st.none() | st.text(), key=st.none() | st.binary())
def test_a_revision_counts_on_and_keeps_what_is_not_changed(title: str | None, key: bytes | None) -> None:
    item = Item("a", ("s",), b"body", b"key", "Title", 4, NOW, NOW)
    revised = item.revised(ItemChange(title=title, key=key), datetime(2027, 1, 1, tzinfo=UTC))
    assert revised.revision == 5
    assert (revised.body, revised.skills, revised.created_at) == (b"body", ("s",), NOW)
    assert revised.title == ("Title" if title is None else title)
    assert revised.key == (b"key" if key is None else key)


def test_a_change_may_empty_a_field() -> None:
    changed = Skill("a", "T", "text", ("b",)).changed(SkillChange(description="", prerequisites=()))
    assert (changed.description, changed.prerequisites) == ("", ())


def test_missing_skills_are_named() -> None:
    with pytest.raises(SkillNotFound, match="no skill b, c"):
        missing_skills(["c", "a", "b"], ["a"])
