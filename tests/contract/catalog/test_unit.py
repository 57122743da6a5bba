"""One suite for every catalog store: what a unit promises, whichever technology keeps it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from paideia.catalog.v1 import events_pb2
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from adapters.catalog.memory import MemoryCatalog
from adapters.catalog.postgres import PostgresCatalogUnit
from domain.catalog.model import (
    Course,
    CourseAlreadyExists,
    CourseAlreadyPublished,
    CourseNotFound,
    CourseNotPublished,
    Item,
    ItemChange,
    ItemChangedMeanwhile,
    ItemNotFound,
    Skill,
    SkillChange,
    SkillNotFound,
)
from domain.catalog.ports import CatalogUnit
from domain.catalog.use_cases.create_skills import CreateSkills
from domain.catalog.use_cases.publish_course import PublishCourse
from domain.catalog.use_cases.update_item import UpdateItem
from domain.catalog.use_cases.update_skill import UpdateSkill
from domain.shared.caller import Caller, Role
from domain.shared.errors import InvalidInput
from domain.shared.page import PageRequest

NOW = datetime(2026, 9, 1, 8, 30, 15, 123456, tzinfo=UTC)
NewUnit = Callable[[str], CatalogUnit]


@pytest.fixture(params=["memory", "postgres"])
def store(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture
async def engine(store: str, request: pytest.FixtureRequest) -> AsyncIterator[AsyncEngine | None]:
    if store == "memory":
        yield None
        return
    dsn = request.getfixturevalue("postgres").dsn("paideia_catalog")
    engine = create_async_engine(dsn.replace("postgresql://", "postgresql+asyncpg://", 1), pool_size=12)
    yield engine
    await engine.dispose()


@pytest.fixture
def new_unit(engine: AsyncEngine | None) -> NewUnit:
    return MemoryCatalog().unit if engine is None else lambda organization: PostgresCatalogUnit(engine, organization)


@pytest.fixture
def north() -> str:
    """An organization of the test's own, so that tests may share a database."""
    return f"north-{uuid4()}"


class NoFaults:
    async def faults(self, organization: str, items: object) -> list[object]:
        return []


def author(organization: str) -> Caller:
    return Caller(organization, "ada", frozenset({Role.AUTHOR}))


def skill(skill_id: str, *before: str) -> Skill:
    return Skill(skill_id, skill_id.title(), f"About {skill_id}", before, NOW)


def item(item_id: str, *skills: str, revision: int = 1) -> Item:
    return Item(item_id, skills, b"body\0" + item_id.encode(), b"\xff key", "Title", revision, NOW, NOW)


async def given(new_unit: NewUnit, organization: str, *things: Skill | Item | Course) -> None:
    async with new_unit(organization) as unit:
        await unit.skills.add([each for each in things if isinstance(each, Skill)])
        await unit.items.add([each for each in things if isinstance(each, Item)])
        for each in things:
            if isinstance(each, Course):
                await unit.courses.add(each)
        await unit.commit()


async def test_what_was_committed_is_there_unchanged(new_unit: NewUnit, north: str) -> None:
    sql, joins, course = skill("sql"), skill("joins", "sql"), Course("db", "Data", "Bases", ("joins", "sql"), NOW)
    await given(new_unit, north, sql, joins, item("j1", "joins", "sql"), course)
    async with new_unit(north) as unit:
        assert await unit.skills.get("joins") == joins
        assert await unit.skills.find(["sql", "none"]) == {"sql": sql}
        assert await unit.items.get("j1") == item("j1", "joins", "sql")
        assert await unit.courses.get("db") == course


async def test_leaving_without_commit_undoes_the_save(new_unit: NewUnit, north: str) -> None:
    async with new_unit(north) as unit:
        await unit.skills.add([skill("sql")])
        await unit.courses.add(Course("sql", "SQL", created_at=NOW))
    async with new_unit(north) as unit:
        with pytest.raises(CourseNotFound):
            await unit.courses.get("sql")
        with pytest.raises(SkillNotFound):
            await unit.skills.get("sql")


async def test_an_error_inside_undoes_the_save(new_unit: NewUnit, north: str) -> None:
    async def fail_halfway() -> None:
        async with new_unit(north) as unit:
            await unit.skills.add([skill("sql")])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_halfway()
    async with new_unit(north) as unit:
        assert await unit.skills.find(["sql"]) == {}


async def test_another_organization_sees_nothing(new_unit: NewUnit, north: str) -> None:
    await given(new_unit, north, skill("sql"), item("q1", "sql"), Course("db", "Data", skills=("sql",), created_at=NOW))
    async with new_unit(f"south-{uuid4()}") as unit:
        assert (await unit.skills.page(PageRequest(10))).elements == ()
        assert (await unit.items.page(PageRequest(10), None)).elements == ()
        assert (await unit.courses.page(PageRequest(10), published_only=False)).elements == ()
        with pytest.raises(ItemNotFound):
            await unit.items.get("q1")


async def test_two_organizations_may_use_the_same_ids(new_unit: NewUnit, north: str) -> None:
    south = f"south-{uuid4()}"
    await given(new_unit, north, skill("sql"), item("q1", "sql"))
    await given(new_unit, south, skill("sql"), replace(item("q1", "sql"), title="South's"))
    async with new_unit(north) as unit:
        assert (await unit.items.get("q1")).title == "Title"


async def test_adding_leaves_what_is_there(new_unit: NewUnit, north: str) -> None:
    await given(new_unit, north, skill("sql"), item("q1", "sql"))
    async with new_unit(north) as unit:
        assert await unit.skills.add([replace(skill("sql"), title="Other"), skill("xml")]) == {"xml"}
        assert await unit.items.add([replace(item("q1", "sql"), title="Other"), item("q2", "sql")]) == {"q2"}
        assert (await unit.skills.get("sql")).title == "Sql"
        assert (await unit.items.get("q1")).title == "Title"


async def test_adding_nothing_adds_nothing(new_unit: NewUnit, north: str) -> None:
    async with new_unit(north) as unit:
        assert await unit.skills.add([]) == frozenset()
        assert await unit.items.add([]) == frozenset()
        assert await unit.skills.find([]) == {}


async def test_large_batches_are_added_whole(new_unit: NewUnit, north: str) -> None:
    skills = [skill(f"s{n}", *([f"s{n - 1}"] if n else [])) for n in range(1_000)]
    items = [item(f"i{n}", f"s{n}", f"s{n + 1}") for n in range(500)]
    async with new_unit(north) as unit:
        assert len(await unit.skills.add(skills)) == 1_000
        assert len(await unit.items.add(items)) == 500
        assert len(await unit.skills.with_ancestors(["s999"])) == 1_000
        assert len(await unit.items.pool([f"s{n}" for n in range(500)])) == 499


async def test_a_course_id_can_be_taken_once(new_unit: NewUnit, north: str) -> None:
    await given(new_unit, north, Course("db", "Data", created_at=NOW))
    async with new_unit(north) as unit:
        with pytest.raises(CourseAlreadyExists):
            await unit.courses.add(Course("db", "Other", created_at=NOW))


async def test_pages_go_through_all_in_the_order_of_ids(new_unit: NewUnit, north: str) -> None:
    ids = ["B", "a", "a-1", "a.1", "b", "~z", "10", "9"][::-1]
    ids.remove("~z")  # ids begin with a letter or digit
    await given(new_unit, north, *(skill(each) for each in ids))
    seen: list[str] = []
    request: PageRequest | None = PageRequest(3)
    async with new_unit(north) as unit:
        while request:
            page = await unit.skills.page(request)
            seen += [each.id for each in page.elements]
            request = PageRequest(3, page.next) if page.next else None
    assert seen == sorted(ids)


async def test_a_full_last_page_has_no_next(new_unit: NewUnit, north: str) -> None:
    await given(new_unit, north, skill("a"), skill("b"))
    async with new_unit(north) as unit:
        assert (await unit.skills.page(PageRequest(2))).next is None


async def test_items_are_listed_by_the_skills_they_practise_now(new_unit: NewUnit, north: str) -> None:
    await given(new_unit, north, skill("a"), skill("b"), item("1", "a"), item("2", "a", "b"), item("3", "b"))
    async with new_unit(north) as unit:
        await unit.items.save((await unit.items.get("1")).revised(ItemChange(skills=("b",)), NOW))
        await unit.commit()
    async with new_unit(north) as unit:
        assert [each.id for each in (await unit.items.page(PageRequest(9), "a")).elements] == ["2"]
        assert [each.id for each in (await unit.items.page(PageRequest(9), "b")).elements] == ["1", "2", "3"]
        assert [each.id for each in (await unit.items.page(PageRequest(2), None)).elements] == ["1", "2"]


async def test_the_pool_is_every_item_whose_skills_are_all_inside(new_unit: NewUnit, north: str) -> None:
    await given(new_unit, north, skill("a"), skill("b"), skill("c"), item("1", "a"), item("2", "b", "a"), item("3", "a", "c"))
    async with new_unit(north) as unit:
        assert [(each.id, each.revision, each.skills) for each in await unit.items.pool(["a", "b"])] == [
            ("1", 1, ("a",)),
            ("2", 1, ("b", "a")),
        ]
        assert await unit.items.pool([]) == []


async def test_a_revision_must_follow_the_current_one(new_unit: NewUnit, north: str) -> None:
    await given(new_unit, north, skill("a"), item("1", "a"))
    async with new_unit(north) as unit:
        await unit.items.save(item("1", "a", revision=2))
        with pytest.raises(ItemChangedMeanwhile):
            await unit.items.save(item("1", "a", revision=2))
        with pytest.raises(ItemChangedMeanwhile):
            await unit.items.save(item("none", "a", revision=2))


async def test_ancestors_go_all_the_way_back_and_no_further(new_unit: NewUnit, north: str) -> None:
    await given(new_unit, north, skill("c"), skill("b", "c"), skill("a", "b"), skill("other", "c"))
    async with new_unit(north) as unit:
        assert set(await unit.skills.with_ancestors(["a"])) == {"a", "b", "c"}
        assert set(await unit.skills.with_ancestors([])) == set()


async def test_a_publication_pins_revisions_against_later_edits(new_unit: NewUnit, north: str) -> None:
    await given(new_unit, north, skill("a"), item("1", "a"), item("2", "a"), Course("x", "X", skills=("a",), created_at=NOW))
    publish = PublishCourse(new_unit, lambda: NOW)
    course = await publish(author(north), "x")
    assert course.edition is not None
    assert (course.edition.number, course.edition.item_count) == (1, 2)
    async with new_unit(north) as unit:
        await unit.items.save((await unit.items.get("1")).revised(ItemChange(body=b"new"), NOW))
        await unit.courses.save(replace(await unit.courses.get("x"), title="Draft"))
        await unit.commit()
    async with new_unit(north) as unit:
        publication = await unit.publications.newest("x")
        assert (publication.title, publication.published_at) == ("X", NOW)
        assert [(each.id, each.revision) for each in publication.items] == [("1", 1), ("2", 1)]
        assert await unit.publications.items("x", ["2", "1", "none"]) == (1, [item("1", "a"), item("2", "a")])
        assert await unit.publications.items("x", ["none"]) == (1, [])
        assert (await unit.courses.get("x")).as_published().title == "X"
    assert (await publish(author(north), "x")).edition.number == 2  # type: ignore[union-attr]
    async with new_unit(north) as unit:
        number, items = await unit.publications.items("x", ["1"])
        assert (number, items[0].revision, items[0].body) == (2, 2, b"new")


async def test_a_draft_has_no_publication(new_unit: NewUnit, north: str) -> None:
    await given(new_unit, north, Course("x", "X", created_at=NOW))
    async with new_unit(north) as unit:
        for course in ("x", "none"):
            with pytest.raises(CourseNotPublished):
                await unit.publications.newest(course)
            with pytest.raises(CourseNotPublished):
                await unit.publications.items(course, ["1"])


async def test_learners_list_only_what_is_published(new_unit: NewUnit, north: str) -> None:
    await given(new_unit, north, skill("a"), item("1", "a"), *(Course(x, x, skills=("a",), created_at=NOW) for x in "xyz"))
    await PublishCourse(new_unit, lambda: NOW)(author(north), "y")
    async with new_unit(north) as unit:
        assert [each.id for each in (await unit.courses.page(PageRequest(9), published_only=True)).elements] == ["y"]
        assert [each.id for each in (await unit.courses.page(PageRequest(9), published_only=False)).elements] == ["x", "y", "z"]


async def test_many_workers_publishing_at_once_make_one_publication(new_unit: NewUnit, north: str) -> None:
    await given(new_unit, north, skill("a"), item("1", "a"), Course("x", "X", skills=("a",), created_at=NOW))
    publish = PublishCourse(new_unit, lambda: NOW)
    outcomes = await asyncio.gather(*(publish(author(north), "x") for _ in range(12)), return_exceptions=True)
    refused = [each for each in outcomes if isinstance(each, CourseAlreadyPublished)]
    assert (len(refused), len(outcomes) - len(refused)) == (11, 1)


async def test_many_workers_editing_and_publishing_never_share_a_number(new_unit: NewUnit, north: str) -> None:
    await given(
        new_unit, north, skill("a"), *(item(f"{n}", "a") for n in range(8)), Course("x", "X", skills=("a",), created_at=NOW)
    )
    publish = PublishCourse(new_unit, lambda: NOW)

    async def edit_and_publish(worker: int) -> int | None:
        async with new_unit(north) as unit:
            await unit.items.save((await unit.items.get(f"{worker}")).revised(ItemChange(title="new"), NOW))
            await unit.commit()
        try:
            edition = (await publish(author(north), "x")).edition
        except CourseAlreadyPublished:  # another worker's publication had this edit
            return None
        return edition.number if edition else None

    numbers = [each for each in await asyncio.gather(*map(edit_and_publish, range(8))) if each]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))
    async with new_unit(north) as unit:
        assert {each.revision for each in (await unit.publications.newest("x")).items} == {2}


async def test_of_many_workers_revising_one_item_each_gets_its_own_revision(new_unit: NewUnit, north: str) -> None:
    await given(new_unit, north, skill("a"), item("1", "a"))
    update = UpdateItem(new_unit, NoFaults(), lambda: NOW)  # type: ignore[arg-type]
    outcomes = await asyncio.gather(
        *(update(author(north), "1", ItemChange(title=f"by {n}")) for n in range(10)), return_exceptions=True
    )
    saved = [each for each in outcomes if isinstance(each, Item)]
    assert all(isinstance(each, Item | ItemChangedMeanwhile) for each in outcomes)
    assert sorted(each.revision for each in saved) == list(range(2, 2 + len(saved)))
    async with new_unit(north) as unit:
        assert (await unit.items.get("1")).revision == 1 + len(saved)


async def test_changes_that_would_close_a_cycle_together_are_not_both_made(new_unit: NewUnit, north: str) -> None:
    await given(new_unit, north, skill("a"), skill("b"))
    update = UpdateSkill(new_unit)
    outcomes = await asyncio.gather(
        update(author(north), "a", SkillChange(prerequisites=("b",))),
        update(author(north), "b", SkillChange(prerequisites=("a",))),
        return_exceptions=True,
    )
    assert sum(isinstance(each, InvalidInput) for each in outcomes) == 1


async def test_workers_creating_the_same_skills_create_each_once(new_unit: NewUnit, north: str) -> None:
    create = CreateSkills(new_unit, lambda: NOW)
    batch = [skill(f"s{n}") for n in range(20)]
    paths = [f"requests[{n}]." for n in range(20)]
    orders = [batch, batch[::-1]] * 3  # opposite orders must not wait for each other in a circle
    answers = await asyncio.gather(*(create(author(north), order, paths, skip_existing=True) for order in orders))
    assert answers == orders


@pytest.mark.parametrize("store", ["postgres"], indirect=True)
async def test_the_event_leaves_with_the_state_or_not_at_all(new_unit: NewUnit, north: str, engine: AsyncEngine) -> None:
    await given(new_unit, north, skill("a"), item("1", "a"), Course("x", "X", skills=("a",), created_at=NOW))
    with pytest.raises(CourseNotFound):
        await PublishCourse(new_unit, lambda: NOW)(author(north), "none")
    await PublishCourse(new_unit, lambda: NOW)(author(north), "x")
    async with engine.connect() as connection:
        await connection.execute(text("SELECT set_config('paideia.organization', :north, true)"), {"north": north})
        rows = (await connection.execute(text("SELECT type, topic, key, payload FROM outbox"))).all()
    assert [(row.type, row.topic, row.key) for row in rows] == [
        ("paideia.catalog.v1.CoursePublished", "catalog.changes", "courses/x")
    ]
    event = events_pb2.CoursePublished.FromString(rows[0].payload)
    assert (event.course, event.publication) == ("courses/x", 1)
