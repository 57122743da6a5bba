"""One suite for every store of models and histories: what a unit promises, whichever technology keeps it."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from adapters.inference.memory import AtOnce, MemoryArtifacts
from domain.inference.artifact import digest_of
from domain.inference.history import NEWEST, Entry
from domain.inference.model import (
    ModelAlreadyExists,
    ModelChange,
    ModelChangedMeanwhile,
    ModelNotFound,
    PredictionsCompared,
    RegisteredModel,
    Told,
)
from domain.inference.ports import NewInferenceUnit
from domain.inference.use_cases.get_model import GetModel
from domain.inference.use_cases.list_models import ListModels
from domain.inference.use_cases.record_answers import RecordAnswers
from domain.inference.use_cases.register_model import NewModel, RegisterModel
from domain.inference.use_cases.roll_back_model import RollBackModel
from domain.inference.use_cases.stage_model import StageModel, StageOrder
from domain.shared.caller import Caller, Role
from domain.shared.page import PageRequest
from domain.shared.rollout import Stage, StageTaken
from tests.unit.inference.making import NOW, artifact, registered


class Desk:
    """What an administrator of one organization can do."""

    def __init__(self, new_unit: NewInferenceUnit, organization: str) -> None:
        self.caller = Caller(organization, "root", frozenset({Role.ADMIN}))
        self.artifacts = MemoryArtifacts()
        self.register_ = RegisterModel(new_unit, self.artifacts, AtOnce(), lambda: NOW)
        self.stage_ = StageModel(new_unit, lambda: NOW + timedelta(days=1))
        self.roll_back_ = RollBackModel(new_unit, lambda: NOW + timedelta(days=2))
        self.get_ = GetModel(new_unit)
        self.list_ = ListModels(new_unit)

    async def register(self, name: str = "next") -> RegisteredModel:
        return await self.register_(self.caller, NewModel(name, artifact(), digest_of(artifact()), "Ünïcode, too."))

    async def stage(self, name: str, stage: Stage, share: float = 0.0, revision: int | None = None) -> RegisteredModel:
        return await self.stage_(self.caller, StageOrder(name, stage, share, revision))

    async def live(self, name: str) -> RegisteredModel:
        await self.register(name)
        await self.stage(name, Stage.SHADOW)
        await self.stage(name, Stage.CANARY, 0.25)
        return await self.stage(name, Stage.LIVE)

    async def stages(self) -> dict[str, Stage]:
        page = await self.list_(self.caller, PageRequest(100))
        return {each.id: each.standing.stage for each in page.elements}


@pytest.fixture
def desk(new_unit: NewInferenceUnit, north: str) -> Desk:
    return Desk(new_unit, north)


async def test_a_model_comes_back_as_it_was_registered_with_its_artifact_and_changes(desk: Desk) -> None:
    made = await desk.register()
    assert await desk.get_(desk.caller, "next") == (made, [ModelChange("next", made.standing, "root", NOW)])
    assert (made.kind, made.evaluation) == ("logistic", {"quality": {"auc": 0.75, "answers": 30}})
    assert await desk.artifacts.get(desk.caller.organization, made.digest) == artifact()


async def test_an_id_is_taken_for_ever(desk: Desk) -> None:
    await desk.register()
    await desk.stage("next", Stage.RETIRED)
    with pytest.raises(ModelAlreadyExists):
        await desk.register()


async def test_what_goes_live_replaces_and_rollback_brings_back(desk: Desk) -> None:
    await desk.live("old")
    live = await desk.live("next")
    assert (live.standing.replaced, await desk.stages()) == ("old", {"next": Stage.LIVE, "old": Stage.RETIRED})
    gone, back = await desk.roll_back_(desk.caller, "next", None)
    assert (gone.standing.stage, back and back.standing.stage) == (Stage.RETIRED, Stage.LIVE)
    assert await desk.stages() == {"next": Stage.RETIRED, "old": Stage.LIVE}
    _, changes = await desk.get_(desk.caller, "old")
    assert [each.after.stage for each in changes] == [
        Stage.DRAFT,
        Stage.SHADOW,
        Stage.CANARY,
        Stage.LIVE,
        Stage.RETIRED,
        Stage.LIVE,
    ]


async def test_of_many_who_stage_at_once_one_wins_and_the_others_are_told(desk: Desk) -> None:
    for name in ("a", "b", "c", "d"):
        await desk.register(name)
        if name != "d":
            await desk.stage(name, Stage.SHADOW)
    done = await asyncio.gather(*(desk.stage(each, Stage.CANARY, 0.1) for each in "abc"), return_exceptions=True)
    assert sorted(type(each).__name__ for each in done) == [RegisteredModel.__name__, StageTaken.__name__, StageTaken.__name__]
    with pytest.raises(ModelChangedMeanwhile):
        await desk.stage("d", Stage.SHADOW, revision=7)


async def test_pages_go_in_the_order_of_ids(desk: Desk) -> None:
    for name in ("b", "a", "C", "c"):
        await desk.register(name)
    first = await desk.list_(desk.caller, PageRequest(3))
    rest = await desk.list_(desk.caller, PageRequest(3, first.next))
    assert [[each.id for each in page.elements] for page in (first, rest)] == [["C", "a", "b"], ["c"]]
    assert rest.next is None


async def test_another_organization_sees_nothing(desk: Desk, new_unit: NewInferenceUnit) -> None:
    await desk.register()
    await RecordAnswers(new_unit)(desk.caller.organization, [told(1)])
    async with new_unit(f"south-{uuid4()}") as unit:
        with pytest.raises(ModelNotFound):
            await unit.models.get("next")
        assert await unit.models.in_use() == []
        assert await unit.histories.of(["ada"]) == {}


async def test_leaving_without_commit_undoes_everything(new_unit: NewInferenceUnit, north: str) -> None:
    async with new_unit(north) as unit:
        await unit.models.add(registered())
        await unit.histories.add({"ada": [told(1).entry]})
    async with new_unit(north) as unit:
        assert (await unit.models.page(PageRequest(10))).elements == ()
        assert await unit.histories.of(["ada"]) == {}


def told(number: int, learner: str = "ada") -> Told:
    skills = ("a", "b") if number % 2 else ("a",)
    return Told(
        learner, Entry(1e9 + number + 0.123456, number % 3, f"{number:036}", f"item-{number % 7}", skills, number % 2 == 0)
    )


async def test_answers_are_kept_once_in_order_and_the_newest_alone(new_unit: NewInferenceUnit, north: str) -> None:
    record = RecordAnswers(new_unit)
    everything = [told(n) for n in range(NEWEST + 30)]
    await record(north, everything[100:])
    await record(north, [*everything[:120], told(5, "bob")])
    await record(north, everything[::-1])
    async with new_unit(north) as unit:
        kept = await unit.histories.of(["ada", "bob", "nobody"])
    assert kept == {"ada": tuple(each.entry for each in everything[-NEWEST:]), "bob": (told(5).entry,)}


async def test_answers_that_come_to_many_writers_at_once_are_all_kept(new_unit: NewInferenceUnit, north: str) -> None:
    record = RecordAnswers(new_unit)
    batches = [[told(n, learner) for n in range(at, 60, 6) for learner in ("ada", "bob", "eve")] for at in range(6)]
    await asyncio.gather(*(record(north, each) for each in batches))
    async with new_unit(north) as unit:
        kept = await unit.histories.of(["ada", "bob", "eve"])
    assert all(kept[each] == tuple(told(n).entry for n in range(60)) for each in ("ada", "bob", "eve"))


async def test_an_event_commits_with_the_unit(new_unit: NewInferenceUnit, north: str) -> None:
    model = replace(registered(), description="")
    async with new_unit(north) as unit:
        await unit.events.add(PredictionsCompared("ada", ("x",), 3, model, (0.25,), ((model, (0.5,)),), NOW))
        await unit.commit()
