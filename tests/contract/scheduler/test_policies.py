"""The repository of policies and what is done with it, in memory and in PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from adapters.scheduler.policies_memory import MemoryPolicyStore
from adapters.scheduler.policies_postgres import PostgresPolicyUnit
from domain.scheduler.policies import (
    POLICIES,
    PolicyAlreadyExists,
    PolicyChangedMeanwhile,
    PolicyDraft,
    PolicyNotFound,
    PolicyNotLive,
    PolicyVersion,
)
from domain.scheduler.policy import PRACTICE_2
from domain.scheduler.policy_book import HeldPolicies
from domain.scheduler.ports import NewPolicyUnit
from domain.scheduler.use_cases.create_policy import CreatePolicy
from domain.scheduler.use_cases.get_policy import GetPolicy
from domain.scheduler.use_cases.list_policies import ListPolicies
from domain.scheduler.use_cases.roll_back_policy import RollBackPolicy
from domain.scheduler.use_cases.stage_policy import StageOrder, StagePolicy
from domain.shared.caller import Caller, Role
from domain.shared.errors import RequestIdReused
from domain.shared.page import PageRequest
from domain.shared.rollout import IllegalStage, Stage, StageTaken
from tests.unit.scheduler.making import NOW

DEFINITION: dict[str, Any] = {
    "model_version": PRACTICE_2.model_version,
    "arms": PRACTICE_2.to_document()["arms"],
    "met_mean": 0.1 + 0.2,
}


@pytest.fixture(params=["memory", "postgres"])
async def new_policy_unit(request: pytest.FixtureRequest) -> AsyncIterator[NewPolicyUnit]:
    if request.param == "memory":
        yield MemoryPolicyStore().unit
        return
    async with asyncpg.create_pool(request.getfixturevalue("postgres").dsn("paideia_scheduler"), min_size=0, max_size=8) as pool:
        yield lambda organization: PostgresPolicyUnit(pool, organization)


class Desk:
    """What an administrator of one organization can do."""

    def __init__(self, new_unit: NewPolicyUnit, organization: str) -> None:
        self.caller = Caller(organization, "root", frozenset({Role.ADMIN}))
        self.book = HeldPolicies(new_unit, lambda: NOW)
        self._create = CreatePolicy(new_unit, lambda: NOW)
        self._stage = StagePolicy(new_unit, self.book, lambda: NOW)
        self._roll_back = RollBackPolicy(new_unit, self.book, lambda: NOW)
        self._get = GetPolicy(new_unit)
        self._list = ListPolicies(new_unit)

    async def create(self, name: str, request_id: str = "", **changes: Any) -> PolicyVersion:
        draft = PolicyDraft(name, DEFINITION | changes.pop("definition", {}), **changes)
        return await self._create(self.caller, request_id or str(uuid4()), draft)

    async def stage(
        self, name: str, stage: Stage, share: float = 0.0, request_id: str = "", revision: int | None = None
    ) -> PolicyVersion:
        return await self._stage(self.caller, StageOrder(request_id or str(uuid4()), name, stage, share, revision))

    async def canary(self, name: str, **changes: Any) -> PolicyVersion:
        await self.create(name, **changes)
        await self.stage(name, Stage.SHADOW)
        return await self.stage(name, Stage.CANARY, 0.5)

    async def live(self, name: str, **changes: Any) -> PolicyVersion:
        await self.canary(name, **changes)
        return await self.stage(name, Stage.LIVE)

    async def roll_back(
        self, name: str, request_id: str = "", revision: int | None = None
    ) -> tuple[PolicyVersion, PolicyVersion | None]:
        return await self._roll_back(self.caller, request_id or str(uuid4()), name, revision)

    async def stages(self) -> dict[str, Stage]:
        page = await self._list(self.caller, PageRequest(100))
        return {each.id: each.standing.stage for each in page.elements}

    async def history(self, name: str) -> list[Stage]:
        return [each.after.stage for each in (await self._get(self.caller, name))[1]]

    async def get(self, name: str) -> PolicyVersion:
        return (await self._get(self.caller, name))[0]

    async def page(self, size: int, after: tuple[str, ...] | None = None) -> tuple[list[str], tuple[str, ...] | None]:
        page = await self._list(self.caller, PageRequest(size, after))
        return [each.id for each in page.elements], page.next


@pytest.fixture
def desk(new_policy_unit: NewPolicyUnit, organization: str) -> Desk:
    return Desk(new_policy_unit, organization)


async def test_a_policy_comes_back_to_the_last_digit(desk: Desk) -> None:
    made = await desk.create("next", course="sql", description="Rather less review. Ünïcode, too.")
    assert await desk.get("next") == made
    assert made.policy == replace(PRACTICE_2, version="next", met_mean=0.1 + 0.2)


async def test_an_id_is_taken_for_ever_and_nothing_changes_what_has_it(desk: Desk) -> None:
    made = await desk.create("next")
    with pytest.raises(PolicyAlreadyExists):
        await desk.create("next", definition={"recency": 5})
    await desk.stage("next", Stage.RETIRED)
    with pytest.raises(PolicyAlreadyExists):
        await desk.create("next")
    held = await desk.get("next")
    assert (held.policy, held.digest) == (made.policy, made.digest)


async def test_a_rollout_is_on_record(desk: Desk) -> None:
    await desk.live("first")
    await desk.live("second")
    await desk.roll_back("second")
    assert await desk.history("first") == [Stage.DRAFT, Stage.SHADOW, Stage.CANARY, Stage.LIVE, Stage.RETIRED, Stage.LIVE]
    assert await desk.history("second") == [Stage.DRAFT, Stage.SHADOW, Stage.CANARY, Stage.LIVE, Stage.RETIRED]
    assert (await desk.book.assigned(desk.caller.organization, "sql", "ada")).serving.version == "first"


async def test_rolling_back_the_first_policy_brings_back_the_built_in_one(desk: Desk) -> None:
    await desk.live("first")
    retired, live = await desk.roll_back("first")
    assert (retired.standing.stage, live) == (Stage.RETIRED, None)
    assert (await desk.book.assigned(desk.caller.organization, "sql", "ada")).serving == PRACTICE_2
    with pytest.raises(PolicyNotLive):
        await desk.roll_back("first")


async def test_a_course_and_all_courses_are_scopes_of_their_own(desk: Desk) -> None:
    await desk.live("everywhere")
    await desk.live("course", course="sql")
    await desk.canary("try", course="sql")
    await desk.canary("try-everywhere")
    assert (await desk.stages())["everywhere"] is Stage.LIVE
    _, live = await desk.roll_back("course")
    assert live is None
    assert (await desk.stages())["everywhere"] is Stage.LIVE


@pytest.mark.parametrize("act", ["create", "stage", "go live", "roll back"])
async def test_a_repeat_returns_the_first_answer_and_another_request_of_its_id_is_refused(desk: Desk, act: str) -> None:
    await desk.live("before")
    await desk.canary("next")
    calls = {
        "create": (lambda r: desk.create("new", r), lambda r: desk.create("new", r, description="other")),
        "stage": (lambda r: desk.stage("next", Stage.CANARY, 0.3, r), lambda r: desk.stage("next", Stage.CANARY, 0.4, r)),
        "go live": (lambda r: desk.stage("next", Stage.LIVE, 0.0, r), lambda r: desk.stage("next", Stage.SHADOW, 0.0, r)),
        "roll back": (lambda r: desk.roll_back("before", r), lambda r: desk.roll_back("before", r, 7)),
    }
    meanwhile = {
        "create": lambda: desk.stage("new", Stage.RETIRED),
        "stage": lambda: desk.stage("next", Stage.LIVE),
        "go live": lambda: desk.roll_back("next"),
        "roll back": lambda: desk.stage("next", Stage.LIVE),
    }
    first_call, other_call = calls[act]
    request_id = str(uuid4())
    first = await first_call(request_id)
    await meanwhile[act]()
    stages = await desk.stages()
    assert await first_call(request_id) == first
    with pytest.raises(RequestIdReused):
        await other_call(request_id)
    assert await desk.stages() == stages


async def test_an_order_for_an_earlier_revision_is_refused(desk: Desk) -> None:
    made = await desk.create("next")
    await desk.stage("next", Stage.SHADOW, revision=made.standing.revision)
    with pytest.raises(PolicyChangedMeanwhile):
        await desk.stage("next", Stage.RETIRED, revision=made.standing.revision)
    await desk.stage("next", Stage.CANARY, 0.1)
    live = await desk.stage("next", Stage.LIVE)
    with pytest.raises(PolicyChangedMeanwhile):
        await desk.roll_back("next", revision=live.standing.revision - 1)


async def test_of_many_canaries_that_go_live_at_once_one_is_live_and_each_knows_the_one_before(
    desk: Desk, new_policy_unit: NewPolicyUnit, organization: str
) -> None:
    names = [f"policy-{n}" for n in range(6)]
    desks = [Desk(new_policy_unit, organization) for _ in names]
    for name in names:
        await desk.create(name)

    async def race(own: Desk, name: str) -> None:
        for stage, share in ((Stage.SHADOW, 0.1), (Stage.CANARY, 0.1), (Stage.LIVE, 0.0)):
            while True:
                try:
                    await own.stage(name, stage, share)
                    break
                except StageTaken:
                    await asyncio.sleep(0)

    async with asyncio.timeout(60):
        await asyncio.gather(*(race(*each) for each in zip(desks, names, strict=True)))
    stages = await desk.stages()
    assert sorted(stages.values()) == [Stage.LIVE, *[Stage.RETIRED] * 5]
    # The chain of what replaced what leads through all of them: no change was lost.
    chain = [next(name for name, stage in stages.items() if stage is Stage.LIVE)]
    while (before := (await desk.get(chain[-1])).standing.replaced) is not None:
        chain.append(before)
    assert sorted(chain) == names


async def test_of_many_concurrent_repeats_one_acts(desk: Desk, new_policy_unit: NewPolicyUnit, organization: str) -> None:
    await desk.create("next")
    request_id = str(uuid4())
    desks = [Desk(new_policy_unit, organization) for _ in range(8)]
    answers = await asyncio.gather(*(each.stage("next", Stage.SHADOW, 0.2, request_id) for each in desks))
    assert {each.standing.revision for each in answers} == {2}
    assert await desk.history("next") == [Stage.DRAFT, Stage.SHADOW]


async def test_of_two_that_roll_back_at_once_one_is_told_so(
    desk: Desk, new_policy_unit: NewPolicyUnit, organization: str
) -> None:
    await desk.live("first")
    await desk.live("second")
    outcomes = await asyncio.gather(
        desk.roll_back("second"), Desk(new_policy_unit, organization).roll_back("second"), return_exceptions=True
    )
    assert {type(each) for each in outcomes} == {tuple, PolicyNotLive}
    assert await desk.stages() == {"first": Stage.LIVE, "second": Stage.RETIRED}


async def test_leaving_without_commit_undoes_everything_and_lets_the_next_one_in(
    new_policy_unit: NewPolicyUnit, desk: Desk, organization: str
) -> None:
    version = PolicyDraft("next", DEFINITION).version(NOW)
    with pytest.raises(IllegalStage):
        async with new_policy_unit(organization) as unit:
            await unit.policies.hold()
            await unit.policies.add(version)
            POLICIES.staging(version, Stage.LIVE, 0.0, [])
    async with asyncio.timeout(10):
        await desk.create("next")


async def test_pages_are_in_the_order_of_ids(desk: Desk) -> None:
    names = ["B", "a", "a-1", "a.b", "b", "Z9", "_".join("xy")]
    for each in names:
        await desk.create(each)
    seen: list[str] = []
    after: tuple[str, ...] | None = None
    while True:
        found, after = await desk.page(3, after)
        seen += found
        if after is None:
            break
    assert seen == sorted(names)


async def test_another_organization_sees_nothing_and_has_ids_of_its_own(desk: Desk, new_policy_unit: NewPolicyUnit) -> None:
    await desk.live("next")
    other = Desk(new_policy_unit, f"other-{uuid4()}")
    with pytest.raises(PolicyNotFound):
        await other.get("next")
    with pytest.raises(PolicyNotFound):
        await other.stage("next", Stage.RETIRED)
    with pytest.raises(PolicyNotFound):
        await other.roll_back("next")
    assert await other.stages() == {}
    assert (await other.book.assigned(other.caller.organization, "sql", "ada")).serving == PRACTICE_2
    await other.create("next")


async def test_the_table_itself_has_room_for_one_live_policy_in_a_scope(postgres: Any, organization: str) -> None:
    insert = (
        "INSERT INTO scheduler.policies (organization_id, id, course, description, definition, digest, created_at, stage, share, revision) "
        "VALUES ($1, $2, '', '', '{}', '', now(), 'live', 0, 1)"
    )
    connection = await asyncpg.connect(postgres.superuser_dsn)
    try:
        await connection.execute(insert, organization, "one")
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.execute(insert, organization, "two")
    finally:
        await connection.close()


async def test_before_its_migration_the_built_in_policy_decides(postgres: Any, organization: str) -> None:
    nowhere = {"search_path": "pg_temp"}
    async with asyncpg.create_pool(postgres.dsn("paideia_scheduler"), min_size=0, max_size=1, server_settings=nowhere) as pool:
        book = HeldPolicies(lambda organization: PostgresPolicyUnit(pool, organization), lambda: NOW)
        assert (await book.assigned(organization, "sql", "ada")).serving == PRACTICE_2
