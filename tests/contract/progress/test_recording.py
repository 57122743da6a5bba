"""One suite for every store of progress: what counting promises, whichever technology keeps it."""

import asyncio
import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import uuid4

import pytest

from domain.progress.model import Answer, AttemptNotFound, SkillNeverPractised, Verdict
from domain.progress.ports import NewUnit
from domain.progress.use_cases.record_attempts import RecordAttempts
from domain.shared.errors import InvalidInput
from domain.shared.page import PageRequest

NOW = datetime(2026, 9, 1, 8, 30, 15, 123456, tzinfo=UTC)


def answer(learner: str = "ada", item: str = "half", *, skills: tuple[str, ...] = ("add",), correct: bool = True) -> Answer:
    return Answer(str(uuid4()), learner, "fractions", item, skills, float(correct), correct, NOW - timedelta(minutes=1))


@pytest.fixture
def record(new_unit: NewUnit) -> RecordAttempts:
    return RecordAttempts(new_unit, lambda: NOW)


async def test_a_counted_answer_comes_back_as_it_was_told(record: RecordAttempts, new_unit: NewUnit, organization: str) -> None:
    told = replace(
        answer(skills=("add", "simplify"), correct=False),
        score=0.25,
        item_revision=3,
        decision=str(uuid4()),
        response_time=timedelta(seconds=12, microseconds=7),
        hints_revealed=2,
    )
    [outcome] = await record(organization, [told])
    assert outcome.update is not None
    async with new_unit(organization) as unit:
        attempt = await unit.records.attempt("ada", told.id)
    assert attempt.answer == told
    assert attempt == outcome.update.attempt
    assert attempt.sequence == 1
    assert attempt.recorded_at == NOW


async def test_an_answer_counts_once_however_often_it_comes(record: RecordAttempts, new_unit: NewUnit, organization: str) -> None:
    told = answer()
    verdicts = [each.verdict for each in await record(organization, [told, told])]
    verdicts += [each.verdict for each in await record(organization, [told])]
    assert verdicts == [Verdict.COUNTED, Verdict.REPEATED, Verdict.REPEATED]
    async with new_unit(organization) as unit:
        assert (await unit.records.learner("ada")).attempt_count == 1


@pytest.mark.parametrize("learner", ["ada", "bob"])
async def test_an_id_with_another_content_is_a_conflict(
    record: RecordAttempts, new_unit: NewUnit, organization: str, learner: str
) -> None:
    told = answer()
    await record(organization, [told])
    [outcome] = await record(organization, [replace(told, learner=learner, item="third")])
    assert outcome.verdict is Verdict.CONFLICT
    async with new_unit(organization) as unit:
        assert (await unit.records.learner(learner)).attempt_count == (learner == "ada")


async def test_a_refused_answer_costs_its_neighbours_nothing(record: RecordAttempts, organization: str) -> None:
    bad = replace(answer(), score=float("nan"))
    outcomes = await record(organization, [answer(), bad, answer()])
    assert [each.verdict for each in outcomes] == [Verdict.COUNTED, Verdict.REFUSED, Verdict.COUNTED]
    assert "attempt.score" in outcomes[1].reason


async def test_the_same_id_may_be_used_in_another_organization(record: RecordAttempts, organization: str) -> None:
    told = answer()
    outcomes = [*await record(organization, [told]), *await record(f"{organization}-2", [replace(told, item="third")])]
    assert [each.verdict for each in outcomes] == [Verdict.COUNTED, Verdict.COUNTED]


async def test_another_organization_sees_nothing(record: RecordAttempts, new_unit: NewUnit, organization: str) -> None:
    told = answer()
    await record(organization, [told])
    async with new_unit(f"{organization}-2") as unit:
        with pytest.raises(AttemptNotFound):
            await unit.records.attempt("ada", told.id)
        with pytest.raises(SkillNeverPractised):
            await unit.records.skill("ada", "add")
        assert not (await unit.records.attempts(None, None, PageRequest(10))).elements
        assert (await unit.records.learner("ada")).attempt_count == 0


async def test_leaving_without_commit_undoes_everything(new_unit: NewUnit, organization: str) -> None:
    told = answer()
    async with new_unit(organization) as unit:
        workbook = await unit.records.open([told])
        workbook.count([told], NOW)
        await unit.records.save(workbook)
        await unit.events.add(workbook.updates)
    async with new_unit(organization) as unit:
        assert not (await unit.records.attempts("ada", None, PageRequest(10))).elements
        assert not (await unit.records.learner("ada")).skills


async def test_answers_of_any_age_are_taken(record: RecordAttempts, new_unit: NewUnit, organization: str) -> None:
    moments = [
        datetime(2000, 1, 1, tzinfo=UTC),
        datetime(2024, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2025, 1, 1, tzinfo=UTC),
        datetime(2025, 7, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2026, 8, 1, 1, tzinfo=UTC).astimezone(),
        NOW + timedelta(hours=23),
    ]
    told = [replace(answer(), answered_at=each) for each in moments]
    assert {each.verdict for each in await record(organization, told)} == {Verdict.COUNTED}
    async with new_unit(organization) as unit:
        found = (await unit.records.attempts("ada", None, PageRequest(10))).elements
        assert [each.answer for each in found] == told
        assert [(await unit.records.attempt("ada", each.id)).sequence for each in told] == [1, 2, 3, 4, 5, 6]


async def test_one_by_one_and_all_at_once_come_to_the_same(record: RecordAttempts, new_unit: NewUnit, organization: str) -> None:
    chance = random.Random(7)
    told = [
        answer(
            chance.choice(["ada", "bob"]),
            chance.choice(["half", "third", "fifth"]),
            skills=tuple(chance.sample(["add", "simplify", "compare"], chance.randint(1, 3))),
            correct=chance.random() < 0.6,
        )
        for _ in range(60)
    ]
    together = await record(organization, told)
    single = [outcome for each in told for outcome in await record(f"{organization}-2", [each])]
    for one, other in zip(together, single, strict=True):
        assert one.update is not None
        assert other.update is not None
        assert one.update.attempt.predicted == pytest.approx(other.update.attempt.predicted, abs=1e-9)
        assert one.update.ability.mean == pytest.approx(other.update.ability.mean, abs=1e-9)
        assert one.update.difficulty == pytest.approx(other.update.difficulty, abs=1e-9)
        assert one.update.skills == other.update.skills


async def test_evidence_is_the_newest_first_and_chains(record: RecordAttempts, new_unit: NewUnit, organization: str) -> None:
    told = [answer(correct=place % 2 == 0) for place in range(7)]
    other = answer(skills=("simplify",))
    await record(organization, [*told[:3], other, *told[3:]])
    async with new_unit(organization) as unit:
        mastery = (await unit.records.skill("ada", "add")).mastery
        evidence = await unit.records.evidence("ada", "add", 5)
    assert [each.attempt.answer.id for each in evidence] == [each.id for each in reversed(told[2:])]
    assert evidence[0].move.after == mastery.estimate.mean
    assert all(new.move.before == old.move.after for new, old in pairwise(evidence))
    assert (mastery.attempt_count, mastery.correct_count) == (7, 4)


async def test_the_newest_answer_time_counts_even_if_an_older_answer_comes_later(
    record: RecordAttempts, new_unit: NewUnit, organization: str
) -> None:
    newer, older = answer(), replace(answer(), answered_at=NOW - timedelta(days=3))
    await record(organization, [newer])
    await record(organization, [older])
    async with new_unit(organization) as unit:
        assert (await unit.records.skill("ada", "add")).mastery.last_answered_at == newer.answered_at


async def test_pages_hold_every_attempt_once_in_order(record: RecordAttempts, new_unit: NewUnit, organization: str) -> None:
    told = [answer(learner) for learner in ("bob", "ada", "Zoe", "ada", "bob", "ada", "a-b", "a_b")]
    await record(organization, told)
    seen: list[tuple[str, int]] = []
    request = PageRequest(3)
    async with new_unit(organization) as unit:
        while True:
            page = await unit.records.attempts(None, "fractions", request)
            seen += [(each.answer.learner, each.sequence) for each in page.elements]
            if page.next is None:
                break
            request = PageRequest(3, page.next)
        assert seen == sorted(seen)
        assert Counter(learner for learner, _ in seen) == Counter(each.learner for each in told)
        assert not (await unit.records.attempts(None, "decimals", PageRequest(3))).elements
        own = await unit.records.attempts("ada", None, PageRequest(2))
        rest = await unit.records.attempts("ada", None, PageRequest(2, own.next))
    assert [each.sequence for each in (*own.elements, *rest.elements)] == [1, 2, 3]
    assert rest.next is None


@pytest.mark.parametrize("cursor", [("ada",), ("ada", "x"), ("ada", "-1"), ("ada", "9" * 30), ("ada", "1", "2")])
async def test_a_cursor_of_elsewhere_is_refused(new_unit: NewUnit, organization: str, cursor: tuple[str, ...]) -> None:
    async with new_unit(organization) as unit:
        with pytest.raises(InvalidInput, match="page_token"):
            await unit.records.attempts(None, None, PageRequest(3, cursor))


async def test_masteries_of_a_course_are_those_of_skills_practised_in_it(
    record: RecordAttempts, new_unit: NewUnit, organization: str
) -> None:
    await record(
        organization,
        [
            answer("bob", skills=("simplify", "add")),
            answer("ada"),
            replace(answer("ada", skills=("sum",)), course="integers"),
            replace(answer("eve", skills=("sum",)), course=""),
        ],
    )
    seen: list[tuple[str, str]] = []
    request = PageRequest(1)
    async with new_unit(organization) as unit:
        while True:
            page = await unit.records.masteries("fractions", request)
            seen += [(each.mastery.learner, each.mastery.skill) for each in page.elements]
            if page.next is None:
                break
            request = PageRequest(1, page.next)
        state = await unit.records.learner("ada")
    assert seen == [("ada", "add"), ("bob", "add"), ("bob", "simplify")]
    assert state.skills.keys() == {"add", "sum"}
    assert state.courses.keys() == {"fractions", "integers"}


async def test_many_workers_with_the_same_answers_count_each_once(
    record: RecordAttempts, new_unit: NewUnit, organization: str
) -> None:
    told = [answer(f"learner-{place % 7}", f"item-{place % 5}", correct=place % 3 > 0) for place in range(140)]

    async def work(seed: int) -> list[Verdict]:
        own = told.copy()
        random.Random(seed).shuffle(own)
        verdicts: list[Verdict] = []
        while own:
            batch, own = own[: 1 + seed % 4 * 10], own[1 + seed % 4 * 10 :]
            verdicts += [each.verdict for each in await record(organization, batch)]
        return verdicts

    verdicts = Counter(verdict for worker in await asyncio.gather(*map(work, range(8))) for verdict in worker)
    assert verdicts == {Verdict.COUNTED: 140, Verdict.REPEATED: 7 * 140}
    async with new_unit(organization) as unit:
        found = (await unit.records.attempts(None, None, PageRequest(1000))).elements
        counts = [(await unit.records.learner(f"learner-{place}")).attempt_count for place in range(7)]
        skills = [(await unit.records.skill(f"learner-{place}", "add")).mastery.attempt_count for place in range(7)]
        workbook = await unit.records.open(told)
    assert {each.answer.id for each in found} == {each.id for each in told}
    assert len(found) == 140
    assert counts == skills == [20] * 7
    for learner in range(7):
        sequences = [each.sequence for each in found if each.answer.learner == f"learner-{learner}"]
        assert sequences == list(range(1, 21))
    [outcome] = workbook.count([replace(told[0], id=str(uuid4()))], NOW)
    assert outcome.verdict is Verdict.COUNTED


async def test_one_id_for_two_learners_at_once_counts_for_one_of_them(record: RecordAttempts, organization: str) -> None:
    for _ in range(10):
        told = answer("ada")
        both = await asyncio.gather(
            record(organization, [told]), record(organization, [replace(told, learner="bob"), answer("bob")])
        )
        assert sorted(each.verdict.name for each in (both[0][0], both[1][0])) == ["CONFLICT", "COUNTED"]
        assert both[1][1].verdict is Verdict.COUNTED
