import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from domain.assessment.model.answers import NumericAnswer
from domain.assessment.model.responses import Submission
from domain.assessment.testing.banks import BankVersionNotFound, ResponseModel
from domain.assessment.testing.blueprints import (
    AdaptiveForm,
    BlueprintExists,
    BlueprintNotFound,
    BlueprintRetired,
    FixedForm,
    Retakes,
    SympsonHetter,
    Visibility,
)
from domain.assessment.testing.norms import TableNorm
from domain.assessment.testing.sessions import (
    NotTheCurrentItem,
    SessionEnded,
    SessionNotFound,
    SessionUnderWay,
    State,
)
from domain.assessment.use_cases.get_response import GetResponse
from domain.assessment.use_cases.list_responses import ListResponses
from domain.shared.caller import Caller, Role
from domain.shared.errors import InvalidInput, NotFound, RequestIdReused
from domain.shared.page import PageRequest
from tests.unit.assessment.sittings import BALANCED, RIGHT, USUAL, WRONG, calibrated, course_items

SHORT = replace(USUAL, form=AdaptiveForm(max_length=5))


def caller(store, user="ada", role=Role.LEARNER, organization=""):
    return Caller(organization or store.north, user, frozenset({role}))


async def prepared(store, exam, blueprint=SHORT):
    """Publishes the bank and the blueprint."""
    author = caller(store, "ann", Role.AUTHOR)
    kept = await exam.act.publish_bank_version(author, str(uuid4()), "numbers", ResponseModel.THREE, "fit-1", calibrated(30))
    return await exam.act.create_blueprint(author, str(uuid4()), replace(blueprint, bank_version=kept.version))


def submission(view, answer=RIGHT, **changes):
    usual = Submission(str(uuid4()), view.session.learner, "", view.item.item, answer, test_session=view.session.id)
    return replace(usual, **changes)


async def test_a_bank_version_comes_back_as_it_was_published_and_only_once(store, exam):
    author, items = caller(store, "ann", Role.AUTHOR), calibrated(4)
    items = (replace(items[0], slope_error=0.1, difficulty_error=0.2, guess_error=0.0), *items[1:])
    first = await exam.act.publish_bank_version(author, str(uuid4()), "numbers", ResponseModel.THREE, "fit-1", items)
    exam.now += timedelta(hours=1)
    assert await exam.act.publish_bank_version(author, str(uuid4()), "numbers", ResponseModel.THREE, "fit-1", items) == first
    assert await exam.act.get_bank_version(author, "numbers", first.version) == first
    assert first.items == items
    second = await exam.act.publish_bank_version(author, str(uuid4()), "numbers", ResponseModel.THREE, "fit-2", items)
    page = await exam.act.list_bank_versions(author, "numbers", PageRequest(1))
    rest = await exam.act.list_bank_versions(author, "numbers", PageRequest(1, page.next))
    assert [*page.elements, *rest.elements] == [replace(second, items=()), replace(first, items=())]
    assert rest.next is None
    bank = await exam.act.get_bank(author, "numbers")
    assert (bank.newest, bank.version_count) == (replace(second, items=()), 2)


async def test_a_request_id_publishes_one_version(store, exam):
    author, request = caller(store, "ann", Role.AUTHOR), str(uuid4())
    await exam.act.publish_bank_version(author, request, "numbers", ResponseModel.THREE, "", calibrated(4))
    with pytest.raises(RequestIdReused):
        await exam.act.publish_bank_version(author, request, "numbers", ResponseModel.THREE, "", calibrated(5))


async def test_banks_are_listed_by_id_and_only_the_organizations_own(store, exam):
    author = caller(store, "ann", Role.AUTHOR)
    for name in ("b", "a", "c"):
        await exam.act.publish_bank_version(author, str(uuid4()), name, ResponseModel.THREE, "", calibrated(4))
    page = await exam.act.list_banks(author, PageRequest(2))
    rest = await exam.act.list_banks(author, PageRequest(2, page.next))
    assert [each.newest.bank for each in [*page.elements, *rest.elements]] == ["a", "b", "c"]
    elsewhere = caller(store, "ann", Role.AUTHOR, store.south)
    assert (await exam.act.list_banks(elsewhere, PageRequest(2))).elements == ()
    with pytest.raises(NotFound):
        await exam.act.get_bank(elsewhere, "a")
    with pytest.raises(BankVersionNotFound):
        await exam.act.get_bank_version(elsewhere, "a", page.elements[0].newest.version)


async def test_a_blueprint_comes_back_as_it_was_created(store, exam):
    blueprint = replace(
        BALANCED,
        form=AdaptiveForm(8, 3, 0.5, -0.25, 0.5, 2, SympsonHetter(0.6)),
        time_limit=timedelta(minutes=40),
        retakes=Retakes(3, timedelta(days=2, seconds=1)),
        norm=TableNorm(((-1.0, 5.0), (1.0, 95.0))),
        visibility=Visibility.ITEMS,
    )
    made = await prepared(store, exam, blueprint)
    author = caller(store, "ann", Role.AUTHOR)
    assert await exam.act.get_blueprint(author, "placement") == made
    assert (made.pool_size, len(made.pool)) == (30, 30)
    assert any(each.admission < 1 for each in made.pool)
    (listed,) = (await exam.act.list_blueprints(author, PageRequest(10))).elements
    assert listed == replace(made, pool=())


async def test_a_repeated_creation_is_one_and_another_blueprint_does_not_take_its_id(store, exam):
    author, request = caller(store, "ann", Role.AUTHOR), str(uuid4())
    fixed = replace(SHORT, form=FixedForm(("q1", "q2")), bank="", bank_version="")
    first = await exam.act.create_blueprint(author, request, fixed)
    assert await exam.act.create_blueprint(author, request, fixed) == first
    with pytest.raises(RequestIdReused):
        await exam.act.create_blueprint(author, request, replace(fixed, title="Other"))
    with pytest.raises(BlueprintExists):
        await exam.act.create_blueprint(author, str(uuid4()), fixed)
    made = await asyncio.gather(
        *(exam.another().create_blueprint(author, repeat, replace(fixed, id="raced")) for repeat in [str(uuid4())] * 4)
    )
    assert len({each.created_at for each in made}) == 1


async def test_a_test_is_taken_in_many_processes_as_in_one(store, exam):
    made = await prepared(store, exam, BALANCED)
    ada, request = caller(store), str(uuid4())
    view = await exam.act.start_test(ada, request, "ada", made.id)
    served = []
    while view.item:
        served.append(view.item.item)
        elsewhere = exam.another()
        assert await elsewhere.get_session(ada, "ada", request) == view
        view = await elsewhere.answer_item(ada, submission(view, RIGHT if len(served) % 2 else WRONG))
    assert view.session.answered_count == len(served) == len(set(served))
    teacher = caller(store, "tess", Role.TEACHER)
    seen = (await exam.act.get_session(teacher, "ada", request)).session
    assert [each.item for each in seen.steps] == served
    assert [each.correct for each in seen.steps] == [number % 2 == 0 for number in range(len(served))]
    attempts = await store.attempts(store.north)
    assert [each.attempt.item.removeprefix("items/") for each in attempts] == served
    assert {each.attempt.test_session for each in attempts} == {f"learners/ada/testSessions/{request}"}
    assert [each.id for each in exam.listener.heard] == [each.response for each in seen.steps]


async def test_a_double_submission_counts_once_and_both_get_the_same_session(store, exam):
    made = await prepared(store, exam)
    ada = caller(store)
    view = await exam.act.start_test(ada, str(uuid4()), "ada", made.id)
    sent = submission(view)
    views = await asyncio.gather(*(exam.another().answer_item(ada, sent) for _ in range(8)))
    assert all(each == views[0] for each in views)
    assert views[0].session.answered_count == 1
    assert len(await store.attempts(store.north)) == 1


async def test_of_two_answers_to_one_item_only_one_counts(store, exam):
    made = await prepared(store, exam)
    ada = caller(store)
    view = await exam.act.start_test(ada, str(uuid4()), "ada", made.id)
    both = await asyncio.gather(
        *(exam.another().answer_item(ada, submission(view, answer)) for answer in (RIGHT, WRONG)), return_exceptions=True
    )
    assert sorted(isinstance(each, NotTheCurrentItem) for each in both) == [False, True]
    assert len(await store.attempts(store.north)) == 1


async def test_a_late_repeat_returns_the_session_as_it_is_by_then(store, exam):
    made = await prepared(store, exam)
    ada = caller(store)
    view = await exam.act.start_test(ada, str(uuid4()), "ada", made.id)
    first = submission(view)
    later = await exam.act.answer_item(ada, submission(await exam.act.answer_item(ada, first)))
    assert await exam.act.answer_item(ada, first) == later
    for change in ({"answer": WRONG}, {"item": later.item.item}, {"response_time": timedelta(seconds=1)}):
        with pytest.raises(RequestIdReused):
            await exam.act.answer_item(ada, replace(first, **change))


async def test_an_answer_that_cannot_be_read_does_not_count(store, exam):
    made = await prepared(store, exam)
    ada = caller(store)
    view = await exam.act.start_test(ada, str(uuid4()), "ada", made.id)
    with pytest.raises(InvalidInput):
        await exam.act.answer_item(ada, submission(view, NumericAnswer("one")))
    assert await exam.act.get_session(ada, "ada", view.session.id) == view
    assert await store.attempts(store.north) == []


async def test_a_repeated_start_is_one_session_and_one_test_is_taken_at_a_time(store, exam):
    made = await prepared(store, exam)
    ada, request = caller(store), str(uuid4())
    views = await asyncio.gather(*(exam.another().start_test(ada, request, "ada", made.id) for _ in range(5)))
    assert all(each == views[0] for each in views)
    with pytest.raises(SessionUnderWay):
        await exam.act.start_test(ada, str(uuid4()), "ada", made.id)
    with pytest.raises(RequestIdReused):
        await exam.act.start_test(caller(store, "bob"), request, "bob", made.id)
    started = await asyncio.gather(
        *(exam.another().start_test(caller(store, "eve"), str(uuid4()), "eve", made.id) for _ in range(4)), return_exceptions=True
    )
    assert sorted(type(each).__name__ for each in started) == ["SessionUnderWay"] * 3 + ["SessionView"]


async def test_a_session_whose_time_is_over_has_ended_whoever_asks(store, exam):
    made = await prepared(store, exam, replace(SHORT, time_limit=timedelta(minutes=10)))
    ada = caller(store)
    view = await exam.act.start_test(ada, str(uuid4()), "ada", made.id)
    view = await exam.act.answer_item(ada, sent := submission(view))
    exam.now += timedelta(minutes=10)
    with pytest.raises(SessionEnded):
        await exam.act.answer_item(ada, submission(view))
    (listed,) = (await exam.act.list_sessions(ada, "ada", PageRequest(10))).elements
    assert (listed.session.state, listed.session.result.answered_count) == (State.OUT_OF_TIME, 1)
    ended = await exam.act.get_session(ada, "ada", view.session.id)
    assert (ended.item, ended.session.ended_at) == (None, view.session.deadline)
    assert await exam.act.answer_item(ada, sent) == ended
    assert await exam.act.finish_test(ada, "ada", view.session.id) == ended
    assert len(await store.attempts(store.north)) == 1


async def test_a_test_that_is_finished_early_keeps_what_was_answered(store, exam):
    made = await prepared(store, exam)
    ada = caller(store)
    view = await exam.act.start_test(ada, str(uuid4()), "ada", made.id)
    view = await exam.act.answer_item(ada, submission(view))
    ended = await exam.act.finish_test(ada, "ada", view.session.id)
    assert (ended.session.state, ended.session.result.correct_count, ended.item) == (State.FINISHED, 1, None)
    assert await exam.act.finish_test(ada, "ada", view.session.id) == ended


@pytest.mark.parametrize(("visibility", "result", "steps"), [("NONE", False, 0), ("SCORE", True, 0), ("ITEMS", True, 5)])
async def test_learners_see_nothing_before_the_end_and_then_what_the_blueprint_allows(store, exam, visibility, result, steps):
    made = await prepared(store, exam, replace(SHORT, visibility=Visibility(visibility)))
    ada, teacher = caller(store), caller(store, "tess", Role.TEACHER)
    get, page = GetResponse(store.responses), ListResponses(store.responses)
    view = await exam.act.start_test(ada, str(uuid4()), "ada", made.id)
    while view.item:
        assert (view.session.result, view.session.steps) == (None, ())
        view = await exam.act.answer_item(ada, sent := submission(view))
        if view.item:
            with pytest.raises(NotFound):
                await get(ada, "ada", sent.id)
            assert (await page(ada, "ada", PageRequest(10))).elements == ()
    assert (view.session.result is not None, len(view.session.steps)) == (result, steps)
    assert len((await page(ada, "ada", PageRequest(10))).elements) == steps
    assert len((await page(teacher, "ada", PageRequest(10))).elements) == 5
    assert (await get(teacher, "ada", sent.id)).test_session == view.session.id
    assert len((await exam.act.get_session(teacher, "ada", view.session.id)).session.steps) == 5


async def test_items_are_served_as_pinned_whatever_the_catalog_does_meanwhile(store, exam):
    made = await prepared(store, exam)
    ada = caller(store)
    exam.catalog.away = True
    view = await exam.act.start_test(ada, str(uuid4()), "ada", made.id)
    exam.publish(store.north, [replace(each, revision=2) for each in course_items(3)])
    while view.item:
        assert view.item.revision == 1
        view = await exam.another().answer_item(ada, submission(view))
    assert view.session.state is State.COMPLETE


async def test_a_retired_test_goes_on_and_is_not_started_again(store, exam):
    made = await prepared(store, exam)
    author = caller(store, "ann", Role.AUTHOR)
    view = await exam.act.start_test(caller(store), str(uuid4()), "ada", made.id)
    retired = await exam.act.retire_blueprint(author, made.id)
    exam.now += timedelta(days=1)
    assert await exam.act.retire_blueprint(author, made.id) == retired
    await exam.act.answer_item(caller(store), submission(view))
    with pytest.raises(BlueprintRetired):
        await exam.act.start_test(caller(store, "bob"), str(uuid4()), "bob", made.id)


async def test_another_organization_and_another_learner_find_no_session(store, exam):
    made = await prepared(store, exam)
    view = await exam.act.start_test(caller(store), str(uuid4()), "ada", made.id)
    for who, learner in ((caller(store, organization=store.south), "ada"), (caller(store, "bob"), "bob")):
        with pytest.raises(SessionNotFound):
            await exam.act.get_session(who, learner, view.session.id)
        with pytest.raises(SessionNotFound):
            await exam.act.answer_item(who, submission(view, learner=learner))
    with pytest.raises(BlueprintNotFound):
        await exam.act.start_test(caller(store, organization=store.south), str(uuid4()), "ada", made.id)


async def test_sessions_are_listed_newest_first_without_their_items(store, exam):
    made = await prepared(store, exam)
    ada, names = caller(store), []
    for _ in range(3):
        view = await exam.act.start_test(ada, str(uuid4()), "ada", made.id)
        await exam.act.finish_test(ada, "ada", view.session.id)
        names.append(view.session.id)
        exam.now += timedelta(minutes=1)
    page = await exam.act.list_sessions(ada, "ada", PageRequest(2))
    rest = await exam.act.list_sessions(ada, "ada", PageRequest(2, page.next))
    assert [each.session.id for each in [*page.elements, *rest.elements]] == names[::-1]
    assert rest.next is None
    assert all(each.session.steps == () and each.session.result for each in page.elements)


async def test_leaving_without_commit_undoes_everything(store, exam):
    made = await prepared(store, exam)
    view = await exam.act.start_test(caller(store), str(uuid4()), "ada", made.id)
    async with store.new_sitting(store.north) as unit:
        await unit.blueprints.retire(made.id, exam.now)
        await unit.sessions.save(replace(view.session, answered_count=3))
    async with store.new_sitting(store.north) as unit:
        assert (await unit.blueprints.get(made.id)).retired_at is None
        assert (await unit.sessions.find(view.session.id)).answered_count == 0
