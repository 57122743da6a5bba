"""One suite for every store of paths: what a unit promises, whichever technology keeps it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from paideia.paths.v1 import events_pb2
from paideia.paths.v1 import paths_service_pb2 as pb
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from adapters.paths.memory import MemoryGraphs, MemoryMasteries, MemoryPathsStore
from adapters.paths.postgres import PostgresPathsUnit
from domain.paths.adapting import measured, revised
from domain.paths.effort import Pace
from domain.paths.model import (
    MOST_ACTIVE,
    Cause,
    OverrideKind,
    Path,
    PathAdapted,
    PathAlreadyExists,
    PathNotFound,
    Revision,
    TooManyPaths,
)
from domain.paths.ports import PathsUnit
from domain.paths.use_cases.apply_updates import ApplyUpdates
from domain.paths.use_cases.create_path import CreatePath
from domain.shared.caller import Caller, Role
from domain.shared.page import PageRequest
from tests.unit.paths import making
from tests.unit.paths.making import FRACTIONS, NOW, TODAY, knowing, override, repaired, update

NewUnit = Callable[[str], PathsUnit]


@pytest.fixture(params=["memory", "postgres"])
def store(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture
async def engine(store: str, request: pytest.FixtureRequest) -> AsyncIterator[AsyncEngine | None]:
    if store == "memory":
        yield None
        return
    dsn = request.getfixturevalue("postgres").dsn("paideia_paths")
    engine = create_async_engine(dsn.replace("postgresql://", "postgresql+asyncpg://", 1), pool_size=12)
    yield engine
    await engine.dispose()


@pytest.fixture
def new_unit(engine: AsyncEngine | None) -> NewUnit:
    return MemoryPathsStore().unit if engine is None else lambda organization: PostgresPathsUnit(engine, organization)


@pytest.fixture
def north() -> str:
    """An organization of the test's own, so that tests may share a database."""
    return f"north-{uuid4()}"


def full(path_id: str = "p", learner: str = "ada") -> Path:
    """A path that has something in every field."""
    planned = making.path(
        override(OverrideKind.PIN_FIRST, "sub", note="exam “soon” \N{SNOWMAN}"),
        override(OverrideKind.LOCK_ORDER, "add", "sub"),
        mastery=knowing(3, count=0.9, add=0.1 + 0.2),
        skills=("fractions",),
    )
    return replace(
        planned,
        id=path_id,
        learner=learner,
        title="To fractions",
        learner_may_skip=True,
        teacher_settings={"due_date": "grace"},
        pace=Pace(3, 100.1),
        repair=2,
        archived_at=None,
    )


async def given(new_unit: NewUnit, organization: str, *paths: Path) -> None:
    async with new_unit(organization) as unit:
        for each in paths:
            await unit.paths.add(each)
        await unit.commit()


def revision(number: int, path_id: str = "p") -> Revision:
    at = NOW + timedelta(minutes=number, microseconds=123456)
    return Revision("ada", path_id, number, Cause.MASTERY, at, f"Reason {number}.", "", (f"a{number}", "b"))


async def test_what_was_committed_is_there_unchanged(new_unit: NewUnit, north: str) -> None:
    archived = replace(full("old"), archived_at=datetime(2026, 9, 2, 1, 2, 3, 456789, tzinfo=UTC))
    await given(new_unit, north, full(), archived)
    async with new_unit(north) as unit:
        assert await unit.paths.get("ada", "p") == full()
        assert await unit.paths.hold("ada", "old") == archived


async def test_a_saved_path_replaces_the_one_before(new_unit: NewUnit, north: str) -> None:
    await given(new_unit, north, full())
    after = measured(full(), [update(4, sub=0.85)], NOW)
    async with new_unit(north) as unit:
        await unit.paths.save(after)
        await unit.commit()
    async with new_unit(north) as unit:
        assert await unit.paths.get("ada", "p") == after


async def test_leaving_without_commit_undoes_everything(new_unit: NewUnit, north: str) -> None:
    async with new_unit(north) as unit:
        await unit.paths.add(full())
        await unit.revisions.add(revision(1))
    async with new_unit(north) as unit:
        with pytest.raises(PathNotFound):
            await unit.paths.get("ada", "p")
        assert (await unit.revisions.page("ada", "p", PageRequest(10))).elements == ()


async def test_an_id_is_a_learners_own(new_unit: NewUnit, north: str) -> None:
    await given(new_unit, north, full(), full(learner="bob"))
    async with new_unit(north) as unit:
        with pytest.raises(PathAlreadyExists):
            await unit.paths.add(full())


async def test_another_organization_sees_nothing(new_unit: NewUnit, north: str) -> None:
    await given(new_unit, north, full())
    async with new_unit(f"south-{uuid4()}") as unit:
        with pytest.raises(PathNotFound):
            await unit.paths.get("ada", "p")
        assert await unit.paths.hold_of(["ada"]) == []
        assert (await unit.paths.page(PageRequest(10), None, None, True)).elements == ()
        assert (await unit.paths.outdated("maths", 9, PageRequest(10))).elements == ()


async def test_pages_follow_learner_and_id_and_what_is_asked_for(new_unit: NewUnit, north: str) -> None:
    archived = replace(full("z"), archived_at=NOW)
    elsewhere = replace(full("b", "bob"), course="latin")
    await given(new_unit, north, elsewhere, full("p-2"), full("p-10"), archived, full("a", "bob"), full("a", "Zoe"))

    async def everything(**wanted: object) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        request: PageRequest | None = PageRequest(2)
        while request:
            async with new_unit(north) as unit:
                asked = {"learner": None, "course": None, "archived": False} | wanted
                page = await unit.paths.page(request, **asked)  # type: ignore[arg-type]
            found += [(each.learner, each.id) for each in page.elements]
            request = PageRequest(2, page.next) if page.next else None
        return found

    assert await everything() == [("Zoe", "a"), ("ada", "p-10"), ("ada", "p-2"), ("bob", "a"), ("bob", "b")]
    assert await everything(archived=True, learner="ada") == [("ada", "p-10"), ("ada", "p-2"), ("ada", "z")]
    assert await everything(course="latin") == [("bob", "b")]
    async with new_unit(north) as unit:
        assert [(each.learner, each.id) for each in await unit.paths.hold_of(["bob", "ada", "nobody"])] == [
            ("ada", "p-10"),
            ("ada", "p-2"),
            ("bob", "a"),
            ("bob", "b"),
        ]
        assert await unit.paths.hold_learner("ada") == 2


async def test_paths_from_an_earlier_publication_are_found_page_by_page(new_unit: NewUnit, north: str) -> None:
    newer = replace(full("newer"), publication=2)
    archived = replace(full("old"), archived_at=NOW)
    await given(new_unit, north, full("a"), full("b"), full("a", "bob"), newer, archived, replace(full("x"), course="latin"))
    async with new_unit(north) as unit:
        first = await unit.paths.outdated("maths", 2, PageRequest(2))
        rest = await unit.paths.outdated("maths", 2, PageRequest(2, first.next))
    assert first.elements == (("ada", "a"), ("ada", "b"))
    assert (rest.elements, rest.next) == ((("bob", "a"),), None)


async def test_revisions_come_newest_first_page_by_page(new_unit: NewUnit, north: str) -> None:
    await given(new_unit, north, full(), full("q"))
    async with new_unit(north) as unit:
        for each in (*(revision(number) for number in range(1, 13)), revision(1, "q")):
            await unit.revisions.add(each)
        await unit.commit()
    async with new_unit(north) as unit:
        first = await unit.revisions.page("ada", "p", PageRequest(10))
        rest = await unit.revisions.page("ada", "p", PageRequest(10, first.next))
    assert [each.number for each in first.elements] == list(range(12, 2, -1))
    assert rest.elements == (revision(2), revision(1))
    assert rest.next is None


async def test_updates_that_come_at_once_all_count(new_unit: NewUnit, north: str) -> None:
    await given(new_unit, north, making.path(), making.path(path_id="q"))
    apply = ApplyUpdates(new_unit, lambda: NOW)
    moves = {1: {"count": 0.85}, 2: {"add": 0.9}, 3: {"sub": 0.4}, 4: {"mul": 0.3}}
    log = [update(number, **means) for number, means in moves.items()]
    log.insert(3, repaired(3, count=0.85, add=0.9, sub=0.81))
    # Every batch brings all that came before it again, as a log does after a crash.
    batches = [log[:last] for last in range(1, 6)]
    await asyncio.gather(*(apply(north, batch) for batch in batches))
    async with new_unit(north) as unit:
        for path_id in ("p", "q"):
            path = await unit.paths.get("ada", path_id)
            assert (path.sequence, path.repair) == (4, 1)
            assert {each.skill for each in path.steps if each.reached} == {"count", "add", "sub"}
            revisions = (await unit.revisions.page("ada", path_id, PageRequest(10))).elements
            assert len(revisions) == path.revision - 1


async def test_a_learner_gets_no_more_paths_than_allowed_even_at_once(new_unit: NewUnit, north: str) -> None:
    graphs = MemoryGraphs()
    graphs.put(north, FRACTIONS)
    create = CreatePath(new_unit, graphs, MemoryMasteries(), lambda: NOW)
    teacher = Caller(north, "grace", frozenset({Role.TEACHER}))
    wanted = [making.bare(path_id=f"p-{number}") for number in range(MOST_ACTIVE + 3)]
    answers = await asyncio.gather(*(create(teacher, each) for each in wanted), return_exceptions=True)
    assert sum(isinstance(each, Path) for each in answers) == MOST_ACTIVE
    assert sum(isinstance(each, TooManyPaths) for each in answers) == 3


async def test_an_event_waits_in_the_outbox_if_its_unit_commits(
    new_unit: NewUnit, north: str, engine: AsyncEngine | None, request: pytest.FixtureRequest
) -> None:
    if engine is None:
        pytest.skip("the memory has no outbox")
    planned, event = revised(None, replace(full(), revision=0), Cause.CREATED, "grace created the path", NOW, "grace")
    assert isinstance(event, PathAdapted)
    for commits in (False, True):
        async with new_unit(north) as unit:
            await unit.paths.add(planned)
            await unit.events.add(event)
            if commits:
                await unit.commit()
    owner = create_async_engine(
        request.getfixturevalue("postgres").superuser_dsn.replace("postgresql://", "postgresql+asyncpg://", 1)
    )
    async with owner.connect() as connection:
        rows = (
            await connection.execute(text("SELECT * FROM paths.outbox WHERE organization_id = :north"), {"north": north})
        ).all()
    await owner.dispose()
    assert [(row.topic, row.key) for row in rows] == [("paths.changes", "learners/ada")]
    told = events_pb2.PathAdapted.FromString(rows[0].payload)
    assert (told.path, told.course, told.revision) == ("learners/ada/paths/p", "courses/maths", 1)
    assert (told.cause, told.user) == (pb.REVISION_CAUSE_CREATED, "users/grace")
    assert (told.state, told.verdict) == (pb.PATH_STATE_ACTIVE, pb.VERDICT_ON_TRACK)
    assert (told.steps_left, told.steps_done) == (4, 0)
    assert told.revision_time.ToDatetime().date() == TODAY
