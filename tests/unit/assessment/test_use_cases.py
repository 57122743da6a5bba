from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from domain.assessment.model.answers import ChoiceAnswer, NumericAnswer
from domain.assessment.model.responses import ItemNotPublished, NoHintLeft, ResponseNotFound, Submission
from domain.shared.caller import Caller, Role
from domain.shared.errors import InvalidInput, RequestIdReused
from domain.shared.page import PageRequest
from tests.unit.assessment.examples import NUMERIC
from tests.unit.assessment.fakes import NOW, World

ADA = Caller("north", "ada", frozenset({Role.LEARNER}))


@pytest.fixture
def world():
    return World()


def submission(**changes):
    usual = {"id": str(uuid4()), "learner": "ada", "course": "demo", "item": "single", "answer": ChoiceAnswer(("b",))}
    return Submission(**usual | changes)


async def test_a_response_is_graded_kept_published_and_told(world):
    response = await world.submit(ADA, submission())
    assert (response.score, response.correct, response.feedback, response.explanation) == (1.0, True, ("Yes, b.",), "Because.")
    assert response.answered_at == NOW
    assert await world.get_response(ADA, "ada", response.id) == response
    assert world.tables.attempts == [("north", response, ("fractions",))]
    assert world.listener.heard == [response]


async def test_a_repeat_returns_the_first_answer_and_publishes_nothing_more(world):
    sent = submission()
    first = await world.submit(ADA, sent)
    world.now += timedelta(hours=1)
    assert await world.submit(ADA, sent) == first
    assert len(world.tables.attempts) == 1


async def test_a_repeat_is_answered_even_when_the_item_has_left_the_course(world):
    sent = submission()
    first = await world.submit(ADA, sent)
    world.catalog.publish("north", "demo", NUMERIC)
    await world.items.refresh("north", "demo", 2)
    assert await world.submit(ADA, sent) == first
    with pytest.raises(ItemNotPublished):
        await world.submit(ADA, submission())


@pytest.mark.parametrize(
    "change",
    [
        {"answer": ChoiceAnswer(("a",))},
        {"answer": NumericAnswer("1")},
        {"learner": "bob"},
        {"item": "multiple"},
        {"decision": str(uuid4())},
        {"response_time": timedelta(seconds=1)},
        {"answered_at": NOW - timedelta(seconds=1)},
        {"answered_at": NOW + timedelta(hours=1)},
        {"course": "none"},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_the_same_request_id_with_another_body_is_refused(world, change):
    sent = submission()
    await world.submit(ADA, sent)
    with pytest.raises(RequestIdReused):
        await world.submit(ADA, replace(sent, **change))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"answer": None}, "answer"),
        ({"answer": NumericAnswer("1")}, "answer.numeric"),
        ({"answered_at": NOW + timedelta(minutes=5, seconds=1)}, "answer_time"),
        ({"answered_at": datetime(1999, 12, 31, tzinfo=UTC)}, "answer_time"),
        ({"response_time": timedelta(seconds=-1)}, "response_time"),
        ({"response_time": timedelta(hours=24, seconds=1)}, "response_time"),
    ],
)
async def test_what_cannot_be_is_refused_by_its_field_and_does_not_count(world, change, field):
    with pytest.raises(InvalidInput) as refusal:
        await world.submit(ADA, submission(**change))
    assert [each.field for each in refusal.value.violations] == [field]
    assert world.tables.responses == {}
    assert world.tables.attempts == []


async def test_an_answer_given_earlier_keeps_its_time(world):
    earlier = NOW - timedelta(days=3)
    response = await world.submit(ADA, submission(answered_at=earlier, response_time=timedelta(seconds=12.5)))
    assert (response.answered_at, response.received_at) == (earlier, NOW)
    assert response.response_time == timedelta(seconds=12.5)


async def test_hints_come_one_at_a_time_are_remembered_by_the_response_and_begin_anew_after_it(world):
    first = await world.reveal_hint(ADA, str(uuid4()), "ada", "demo", "single")
    second = await world.reveal_hint(ADA, str(uuid4()), "ada", "demo", "single")
    assert [(each.number, each.text, each.remaining) for each in (first, second)] == [(1, "Think.", 1), (2, "Think harder.", 0)]
    with pytest.raises(NoHintLeft):
        await world.reveal_hint(ADA, str(uuid4()), "ada", "demo", "single")
    view = await world.get_item_view(ADA, "ada", "demo", "single")
    assert (view.hint_count, view.revealed_hints) == (2, ("Think.", "Think harder."))
    assert (await world.submit(ADA, submission())).hints_revealed == 2
    assert (await world.get_item_view(ADA, "ada", "demo", "single")).revealed_hints == ()
    assert (await world.submit(ADA, submission())).hints_revealed == 0
    assert (await world.reveal_hint(ADA, str(uuid4()), "ada", "demo", "single")).number == 1


async def test_a_repeated_request_reveals_no_second_hint_even_after_the_response(world):
    request = str(uuid4())
    first = await world.reveal_hint(ADA, request, "ada", "demo", "single")
    assert await world.reveal_hint(ADA, request, "ada", "demo", "single") == first
    await world.submit(ADA, submission())
    world.catalog.away = True
    assert await world.reveal_hint(ADA, request, "ada", "demo", "single") == first
    with pytest.raises(RequestIdReused):
        await world.reveal_hint(ADA, request, "ada", "demo", "multiple")


async def test_one_learners_hints_are_not_anothers(world):
    await world.reveal_hint(ADA, str(uuid4()), "ada", "demo", "single")
    assert (await world.get_item_view(ADA, "bob", "demo", "single")).revealed_hints == ()
    assert (await world.submit(ADA, submission(learner="bob"))).hints_revealed == 0


async def test_responses_are_listed_newest_first(world):
    sent = [await world.submit(ADA, submission(answered_at=NOW - timedelta(hours=hours))) for hours in (3, 1, 2)]
    page = await world.list_responses(ADA, "ada", PageRequest(2))
    rest = await world.list_responses(ADA, "ada", PageRequest(2, page.next))
    assert [*page.elements, *rest.elements] == [sent[1], sent[2], sent[0]]
    assert rest.next is None


async def test_anothers_response_is_not_found_under_ones_name(world):
    response = await world.submit(ADA, submission())
    with pytest.raises(ResponseNotFound):
        await world.get_response(ADA, "bob", response.id)
