import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from domain.assessment.model.answers import NumericAnswer, ShortTextAnswer
from domain.assessment.model.responses import Response, RevealedHint
from domain.assessment.ports import PublishedBatch
from domain.shared.errors import InvalidInput
from domain.shared.page import PageRequest
from tests.unit.assessment.examples import CORRECT

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def response(learner="ada", item="single", **changes):
    usual = Response(
        id=str(uuid4()),
        learner=learner,
        course="demo",
        item=item,
        item_revision=1,
        answer=NumericAnswer("3/4", "m"),
        score=2 / 3,
        correct=False,
        feedback=("Nearly.", "Look again."),
        explanation="",
        hints_revealed=0,
        decision="",
        response_time=None,
        answered_at=NOW,
        received_at=NOW,
    )
    return replace(usual, **changes)


async def reveal(store, number=1, learner="ada", item="single"):
    hint = RevealedHint(str(uuid4()), learner, "demo", item, number, f"hint {number}", 5 - number)
    async with store.new_unit(store.north) as unit:
        await unit.hints.add(hint)
        await unit.commit()
    return hint


@pytest.mark.parametrize("kind", CORRECT)
async def test_a_response_comes_back_as_it_was_kept(store, kind):
    sent = response(
        answer=CORRECT[kind][1],
        decision=str(uuid4()),
        response_time=timedelta(seconds=12, microseconds=345678),
        answered_at=NOW - timedelta(microseconds=1),
    )
    assert await store.responses.keep(store.north, sent, ["fractions"]) == sent
    assert await store.responses.find(store.north, sent.id) == sent


async def test_texts_of_any_characters_are_kept(store):
    sent = response(answer=ShortTextAnswer("\0 \u2028 \U0001f600 \\u0000 ' \""), feedback=("\x7f \\",))
    await store.responses.keep(store.north, sent, ["fractions"])
    assert await store.responses.find(store.north, sent.id) == sent


async def test_a_response_publishes_its_attempt(store):
    sent = response(decision="8f14e45f-ceea-467f-a8c5-8a3f6b1d2c3e", response_time=timedelta(seconds=1.5))
    await store.responses.keep(store.north, sent, ["fractions", "reading"])
    (event,) = await store.attempts(store.north)
    assert (event.id, event.learner, event.course) == (sent.id, "learners/ada", "courses/demo")
    assert event.occur_time.ToDatetime(UTC) == NOW
    assert list(event.attempt.skills) == ["skills/fractions", "skills/reading"]
    assert (event.attempt.item, event.attempt.score, event.attempt.correct) == ("items/single", 2 / 3, False)
    assert event.attempt.response_time.ToTimedelta() == timedelta(seconds=1.5)
    assert event.attempt.decision == "decisions/8f14e45f-ceea-467f-a8c5-8a3f6b1d2c3e"


async def test_a_taken_id_returns_the_response_that_has_it_and_publishes_nothing(store):
    first = response()
    await store.responses.keep(store.north, first, ["fractions"])
    assert await store.responses.keep(store.north, replace(first, learner="bob", score=0.0), ["fractions"]) == first
    assert len(await store.attempts(store.north)) == 1


async def test_many_workers_with_one_request_make_one_response(store):
    sent = response()
    workers = [store.responses, store.another(), store.another()]
    kept = await asyncio.gather(
        *(workers[n % 3].keep(store.north, replace(sent, learner=f"learner{n}"), ["fractions"]) for n in range(30))
    )
    assert len({each.learner for each in kept}) == 1
    (event,) = await store.attempts(store.north)
    assert event.learner == f"learners/{kept[0].learner}"


async def test_many_workers_with_requests_of_their_own_lose_none(store):
    workers = [store.responses, store.another(), store.another()]
    sent = [response(learner=f"learner{n % 7}") for n in range(300)]
    await asyncio.gather(*(workers[n % 3].keep(store.north, each, ["fractions"]) for n, each in enumerate(sent)))
    assert {each.id for each in await store.attempts(store.north)} == {each.id for each in sent}


async def test_the_attempts_of_one_learner_are_published_in_the_order_of_their_answers(store):
    sent = [response() for _ in range(5)]
    for each in sent:
        await asyncio.gather(store.responses.keep(store.north, each, ["fractions"]), *_others(store))
    mine = [each.id for each in await store.attempts(store.north) if each.learner == "learners/ada"]
    assert mine == [each.id for each in sent]


def _others(store):
    return [store.responses.keep(store.north, response(learner=f"other{n}"), ["fractions"]) for n in range(3)]


async def test_a_response_takes_the_hints_before_it_and_no_others(store):
    await reveal(store, 1)
    await reveal(store, 2)
    await reveal(store, 1, learner="bob")
    await reveal(store, 1, item="multiple")
    kept = await store.responses.keep(store.north, response(), ["fractions"])
    assert kept.hints_revealed == 2
    assert (await store.responses.find(store.north, kept.id)).hints_revealed == 2
    assert [each.attempt.hints_revealed for each in await store.attempts(store.north)] == [2]
    async with store.new_unit(store.north) as unit:
        assert await unit.hints.active("ada", "single") == []
        assert len(await unit.hints.active("bob", "single")) == 1
        assert len(await unit.hints.active("ada", "multiple")) == 1


async def test_of_two_responses_at_once_one_takes_the_hints(store):
    await reveal(store, 1)
    kept = await asyncio.gather(*(store.responses.keep(store.north, response(), ["fractions"]) for _ in range(10)))
    assert sum(each.hints_revealed for each in kept) == 1


async def test_a_repeat_takes_no_hints(store):
    sent = response()
    await store.responses.keep(store.north, sent, ["fractions"])
    await reveal(store, 1)
    assert (await store.responses.keep(store.north, sent, ["fractions"])).hints_revealed == 0
    async with store.new_unit(store.north) as unit:
        assert len(await unit.hints.active("ada", "single")) == 1


async def test_another_organization_sees_nothing_and_may_use_the_same_id(store):
    sent = response()
    await store.responses.keep(store.north, sent, ["fractions"])
    assert await store.responses.find(store.south, sent.id) is None
    assert (await store.responses.page(store.south, "ada", PageRequest(10))).elements == ()
    theirs = replace(sent, score=0.0)
    assert await store.responses.keep(store.south, theirs, ["fractions"]) == theirs


async def test_pages_hold_every_response_of_the_learner_once_newest_first(store):
    times = [NOW - timedelta(minutes=n // 2) for n in range(7)]
    sent = [response(answered_at=each) for each in times]
    for each in [*sent, response(learner="bob")]:
        await store.responses.keep(store.north, each, ["fractions"])
    found, after = [], None
    while True:
        page = await store.responses.page(store.north, "ada", PageRequest(3, after))
        found += page.elements
        if (after := page.next) is None:
            break
    assert found == sorted(sent, key=lambda each: (each.answered_at, each.id), reverse=True)


async def test_a_full_last_page_has_no_next(store):
    for _ in range(2):
        await store.responses.keep(store.north, response(), ["fractions"])
    assert (await store.responses.page(store.north, "ada", PageRequest(2))).next is None


@pytest.mark.parametrize("cursor", [("x",), ("2026-11-22", "x"), ("2026-11-22T12:00:00", str(uuid4())), ("a", "b", "c")])
async def test_a_cursor_that_no_page_returned_is_refused(store, cursor):
    with pytest.raises(InvalidInput, match="page_token"):
        await store.responses.page(store.north, "ada", PageRequest(2, cursor))


async def test_a_response_shows_the_explanation_of_the_revision_it_answered(store, request):
    first, second = CORRECT["single"][0], replace(CORRECT["single"][0], revision=2)
    await store.held.hold(store.north, "demo", ["single"], PublishedBatch(1, (first,)))
    sent = response(explanation=first.key.explanation)
    await store.responses.keep(store.north, sent, ["fractions"])
    changed = replace(second, key=replace(second.key, explanation="Another."))
    await store.held.hold(store.north, "demo", ["single"], PublishedBatch(2, (changed,)))
    assert (await store.responses.find(store.north, sent.id)).explanation == "Because."
