"""One suite for every store: recomputing a learner agrees to the last bit with what was counted, finds what is wrong and repairs it."""

import asyncio
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import uuid4

import numpy as np
import pytest

from domain.progress.model import Answer, LearnerState, SkillState
from domain.progress.ports import NewUnit
from domain.progress.recomputation import Order
from domain.progress.use_cases.recompute_mastery import RecomputeMastery
from domain.progress.use_cases.record_attempts import RecordAttempts
from domain.progress.versions import DOCUMENTS, MODELS, ModelVersionNotFound, ModelVersions
from domain.progress.workbook import Workbook
from domain.psychometrics.response_model import Gaussian
from domain.shared.caller import Caller, Role
from domain.shared.page import PageRequest

NOW = datetime(2026, 9, 1, 8, 30, 15, 123456, tzinfo=UTC)
SKILLS = ("add", "simplify", "compare", "sum")


def answers(count: int, seed: int = 1, learners: tuple[str, ...] = ("ada",)) -> list[Answer]:
    """With days between them, some at one moment, some with clocks gone back."""
    chance, moment, made = random.Random(seed), NOW - timedelta(days=400), []
    for _ in range(count):
        moment = min(moment + timedelta(days=chance.choice([0.0, 0.001, 0.3, 4.0, -0.5])), NOW)
        score = chance.choice([0.0, 0.4, 1.0, 1.0])
        made.append(
            Answer(
                str(uuid4()),
                chance.choice(learners),
                chance.choice(["fractions", ""]),
                f"item-{chance.randrange(6)}",
                tuple(chance.sample(SKILLS, chance.randint(1, 3))),
                score,
                score == 1,
                moment,
            )
        )
    return made


@pytest.fixture
def record(new_unit: NewUnit) -> RecordAttempts:
    return RecordAttempts(new_unit, lambda: NOW)


@pytest.fixture
def recompute(new_unit: NewUnit) -> RecomputeMastery:
    return RecomputeMastery(new_unit, MODELS, lambda: NOW)


@pytest.fixture
def admin(organization: str) -> Caller:
    return Caller(organization, "root", frozenset({Role.ADMIN}))


async def stored(new_unit: NewUnit, organization: str, learner: str = "ada") -> LearnerState:
    async with new_unit(organization) as unit:
        return await unit.records.learner(learner)


def same(one: LearnerState, other: LearnerState) -> bool:
    """To the last bit, but for how often they were repaired."""
    return (
        one.attempt_count == other.attempt_count
        and one.courses == other.courses
        and one.skills.keys() == other.skills.keys()
        and all(_bits(one.skills[each]) == _bits(other.skills[each]) for each in one.skills)
    )


def _bits(state: SkillState) -> tuple[object, ...]:
    return state.knowledge.tobytes(), state.deviation, state.mastery


async def test_a_sound_state_is_recomputed_to_the_last_bit(
    record: RecordAttempts, recompute: RecomputeMastery, new_unit: NewUnit, organization: str, admin: Caller
) -> None:
    told = answers(600, learners=("ada", "ada", "bob"))
    start = 0
    for size in (1, 7, 200, 1, 391):
        await record(organization, told[start : start + size])
        start += size
    for order in (Order.AS_IT_STANDS, Order.COUNTED):
        found = await recompute(admin, "ada", order)
        assert found.differences == []
        assert (found.difference_count, found.repaired, found.without_evidence) == (0, False, 0)
        assert found.mastery.attempt_count == sum(each.learner == "ada" for each in told)


async def test_whatever_is_wrong_is_told_and_repaired_once(
    record: RecordAttempts, recompute: RecomputeMastery, new_unit: NewUnit, organization: str, admin: Caller
) -> None:
    await record(organization, answers(40))
    right = await stored(new_unit, organization)
    add = right.skills["add"]
    wrong = replace(
        right,
        attempt_count=39,
        skills={
            **{skill: state for skill, state in right.skills.items() if skill != "sum"},
            "add": SkillState(np.roll(add.knowledge, 1), Gaussian(0.5, 0.1), add.mastery._replace(correct_count=99)),
            "never": SkillState(add.knowledge, add.deviation, add.mastery._replace(skill="never")),
        },
        courses={"fractions": right.courses["fractions"]._replace(ability=Gaussian(9.0, 0.1))},
    )
    async with new_unit(organization) as unit:
        await unit.records.repair(wrong)
        await unit.commit()
    looked = await recompute(admin, "ada", Order.AS_IT_STANDS, validate_only=True)
    assert not looked.repaired
    assert not same(await stored(new_unit, organization), right)
    found = await recompute(admin, "ada", Order.AS_IT_STANDS)
    assert found.repaired
    assert found.differences == looked.differences
    told = {(each.kind, each.of, each.field) for each in found.differences}
    assert {
        ("learner", "ada", "attempt_count"),
        ("skill", "add", "correct_count"),
        ("skill", "add", "deviation_mean"),
        ("skill", "add", "knowledge"),
        ("skill", "never", "mean"),
        ("skill", "sum", "mean"),
        ("course", "fractions", "ability_mean"),
        ("course", "", "ability_mean"),
    } <= told
    assert same(await stored(new_unit, organization), right)
    again = await recompute(admin, "ada", Order.AS_IT_STANDS)
    assert (again.difference_count, again.repaired) == (0, False)


async def test_moves_that_were_tampered_with_are_repaired_and_predictions_only_told(
    record: RecordAttempts, recompute: RecomputeMastery, new_unit: NewUnit, organization: str, admin: Caller
) -> None:
    told = answers(10)
    await record(organization, told)
    async with new_unit(organization) as unit:
        attempt = await unit.records.attempt("ada", told[4].id)
        await unit.records.correct([attempt._replace(moves=tuple([each._replace(after=0.123) for each in attempt.moves]))])
        await unit.commit()
    found = await recompute(admin, "ada", Order.AS_IT_STANDS)
    assert {(each.kind, each.of) for each in found.differences} == {("attempt", told[4].id)}
    async with new_unit(organization) as unit:
        assert await unit.records.attempt("ada", told[4].id) == attempt


async def test_the_order_of_occurrence_can_be_restored_and_taken_back(
    record: RecordAttempts, recompute: RecomputeMastery, new_unit: NewUnit, organization: str, admin: Caller
) -> None:
    told = answers(60, seed=3)
    in_order = sorted(told, key=lambda each: each.answered_at)
    await record(organization, told)
    as_counted = await stored(new_unit, organization)
    found = await recompute(admin, "ada", Order.OCCURRED)
    assert found.repaired
    # The mastery of a learner does not depend on others, so it is what counting in that order would have made.
    await record(f"{organization}-2", [replace(each, id=str(uuid4())) for each in in_order])
    reordered, expected = await stored(new_unit, organization), await stored(new_unit, f"{organization}-2")
    assert all((reordered.skills[each].knowledge == expected.skills[each].knowledge).all() for each in SKILLS)
    async with new_unit(organization) as unit:
        page = await unit.records.attempts("ada", None, PageRequest(100))
    assert [each.answer.id for each in page.elements] == [each.id for each in told]
    assert [each.sequence for each in page.elements] == list(range(1, 61))
    assert (await recompute(admin, "ada", Order.AS_IT_STANDS)).difference_count == 0
    await record(organization, answers(5, seed=4))
    assert (await recompute(admin, "ada", Order.AS_IT_STANDS)).difference_count == 0
    assert (await recompute(admin, "ada", Order.COUNTED)).repaired
    async with new_unit(organization) as unit:
        evidence = await unit.records.evidence("ada", "add", 100)
    assert all(new.move.before == old.move.after for new, old in pairwise(evidence))
    assert not same(as_counted, reordered)


async def test_a_repair_is_published_once_with_the_whole_state(
    record: RecordAttempts, recompute: RecomputeMastery, new_unit: NewUnit, organization: str, admin: Caller
) -> None:
    await record(organization, answers(30, seed=3))
    for revision in (1, 2):
        await recompute(admin, "ada", Order.OCCURRED if revision == 1 else Order.COUNTED)
        assert (await stored(new_unit, organization)).revision == revision


async def test_nobody_elses_attempts_are_read(
    record: RecordAttempts, recompute: RecomputeMastery, organization: str, admin: Caller
) -> None:
    await record(organization, answers(10))
    for caller, learner in ((admin, "bob"), (Caller(f"{organization}-2", "root", frozenset({Role.ADMIN})), "ada")):
        found = await recompute(caller, learner, Order.AS_IT_STANDS)
        assert (found.mastery.attempt_count, found.difference_count, found.repaired) == (0, 0, False)
        assert not found.mastery.skills


async def test_attempts_of_every_version_are_recomputed_by_their_own(
    new_unit: NewUnit, recompute: RecomputeMastery, organization: str, admin: Caller
) -> None:
    told = answers(90)
    each_in_turn = [MODELS.get(each["id"]) for each in DOCUMENTS]
    for place, version in enumerate([*each_in_turn, *each_in_turn]):
        batch = told[15 * place : 15 * (place + 1)]
        async with new_unit(organization) as unit:
            await unit.records.open(batch)
            state = await unit.records.learner("ada")
            workbook = Workbook(
                {"ada": state.attempt_count},
                {},
                {("ada", course): each for course, each in state.courses.items()},
                {("ada", skill): each for skill, each in state.skills.items()},
                await unit.records.items({each.item for each in batch}),
                version,
            )
            workbook.count(batch, NOW)
            await unit.records.save(workbook)
            await unit.commit()
    assert (await recompute(admin, "ada", Order.COUNTED)).differences == []
    with pytest.raises(ModelVersionNotFound):
        await RecomputeMastery(recompute.new_unit, ModelVersions(DOCUMENTS[:1]), lambda: NOW)(admin, "ada", Order.COUNTED)


async def test_a_learner_who_goes_on_answering_loses_nothing(
    record: RecordAttempts, recompute: RecomputeMastery, new_unit: NewUnit, organization: str, admin: Caller
) -> None:
    told = answers(300, seed=5)
    await record(organization, told[:100])

    async def answering() -> None:
        for each in told[100:]:
            await record(organization, [each])

    async def recomputing(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(8):
            await recompute(admin, "ada", chance.choice([Order.OCCURRED, Order.COUNTED, Order.AS_IT_STANDS]))

    await asyncio.gather(answering(), recomputing(1), recomputing(2))
    await recompute(admin, "ada", Order.COUNTED)
    state = await stored(new_unit, organization)
    assert state.attempt_count == 300
    await record(f"{organization}-2", [replace(each, id=str(uuid4())) for each in told])
    alone = await stored(new_unit, f"{organization}-2")
    # What is known of the items rests on the abilities that stood at the time; mastery rests on the answers alone.
    for skill in SKILLS:
        assert state.skills[skill].knowledge.tobytes() == alone.skills[skill].knowledge.tobytes()
        assert state.skills[skill].mastery == alone.skills[skill].mastery
    assert (await recompute(admin, "ada", Order.AS_IT_STANDS)).difference_count == 0
