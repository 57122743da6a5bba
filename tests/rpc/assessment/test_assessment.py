from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from paideia.assessment.v1 import assessment_service_pb2 as pb
from paideia.catalog.v1 import item_pb2

from domain.assessment.model.answers import OrderingAnswer
from domain.assessment.model.items import (
    ChoiceKey,
    ClozeKey,
    MatchingKey,
    NumericKey,
    OrderingKey,
    ShortTextKey,
)
from services.assessment.messages import answer_message
from tests.unit.assessment.examples import CORRECT
from tests.unit.assessment.fakes import NOW

LEARNER = "learners/ada"


def submit_request(kind="single", **changes):
    usual = {
        "request_id": str(uuid4()),
        "learner": LEARNER,
        "course": "courses/demo",
        "item": f"items/{kind}",
        "answer": answer_message(CORRECT[kind][1]),
    }
    return pb.SubmitResponseRequest(**usual | changes)


@pytest.mark.parametrize("kind", CORRECT)
async def test_a_learner_sees_answers_and_reads_an_item_of_every_kind(assessment, kind):
    me = assessment.calls.as_()
    view = await assessment.stub.GetItemView(
        pb.GetItemViewRequest(name=f"{LEARNER}/items/{kind}", course="courses/demo"), metadata=me
    )
    assert (view.name, view.revision, view.hint_count) == (f"{LEARNER}/items/{kind}", 1, 2)
    assert view.body.WhichOneof("interaction")
    request = submit_request(kind)
    response = await assessment.stub.SubmitResponse(request, metadata=me)
    assert (response.score, response.correct, response.explanation) == (1.0, True, "Because.")
    assert response.name == f"{LEARNER}/responses/{request.request_id}"
    assert response.answer == request.answer
    assert await assessment.stub.GetResponse(pb.GetResponseRequest(name=response.name), metadata=me) == response
    listed = await assessment.stub.ListResponses(pb.ListResponsesRequest(parent=LEARNER), metadata=me)
    assert list(listed.responses) == [response]


def secrets(key):
    """The texts of a key that would give the answer away."""
    match key:
        case ChoiceKey():
            return set(key.feedback.values())
        case NumericKey():
            return {key.value, *key.feedback, *key.feedback.values(), *key.units.values()} - {""}
        case ShortTextKey():
            return {*key.accepted, *key.patterns, *key.feedback, *key.feedback.values()}
        case ClozeKey():
            return set().union(*map(secrets, key.gaps.values()))
    return set()


def texts(message):
    """Every text anywhere within a message."""
    for field, value in message.ListFields():
        for each in value if field.is_repeated else [value]:
            if field.message_type is not None:
                yield from texts(each)
            elif isinstance(each, str):
                yield each


@pytest.mark.parametrize("kind", CORRECT)
async def test_nothing_of_a_key_is_told_before_the_answer(assessment, kind):
    item, _ = CORRECT[kind]
    me, name = assessment.calls.as_(), f"{LEARNER}/items/{kind}"
    view = await assessment.stub.GetItemView(pb.GetItemViewRequest(name=name, course="courses/demo"), metadata=me)
    hint = await assessment.stub.RevealHint(
        pb.RevealHintRequest(request_id=str(uuid4()), name=name, course="courses/demo"), metadata=me
    )
    told = {*texts(view), *texts(hint)}
    hidden = secrets(item.key.answer) | {item.key.explanation, item.key.hints[1]}
    assert not told & hidden
    # Names and enums aside, what is told is the visible body and the one hint.
    shown = view.body.SerializeToString() + hint.SerializeToString()
    assert not [each for each in hidden if len(each) > 3 and each.encode() in shown]
    key = item.key.answer
    if isinstance(key, OrderingKey):
        assert tuple(each.id for each in view.body.ordering.entries) != key.order
    if isinstance(key, MatchingKey):
        assert {each.id for each in view.body.matching.targets} >= set(key.matches.values())
    if isinstance(key, ChoiceKey):
        assert {each.id for each in view.body.choice.choices} > set(key.correct)


async def test_the_same_request_gives_the_same_answer_and_counts_once(assessment):
    request, me = submit_request(), assessment.calls.as_()
    first = await assessment.stub.SubmitResponse(request, metadata=me)
    assessment.world.now += timedelta(minutes=1)
    assert await assessment.stub.SubmitResponse(request, metadata=me) == first
    assert len(assessment.world.tables.attempts) == 1


async def test_times_and_the_decision_are_kept(assessment):
    earlier, decision = Timestamp(), f"decisions/{uuid4()}"
    earlier.FromDatetime(NOW - timedelta(days=1))
    request = submit_request(answer_time=earlier, response_time=Duration(seconds=3, nanos=500_000_000), decision=decision)
    response = await assessment.stub.SubmitResponse(request, metadata=assessment.calls.as_())
    assert (response.answer_time, response.response_time, response.decision) == (earlier, request.response_time, decision)
    bare = await assessment.stub.SubmitResponse(submit_request(), metadata=assessment.calls.as_())
    assert not bare.HasField("response_time")
    assert bare.answer_time.ToDatetime(UTC) == NOW == datetime(2026, 11, 22, 12, tzinfo=UTC)


async def test_a_hint_is_revealed_and_shown_until_the_response(assessment):
    me, name = assessment.calls.as_(), f"{LEARNER}/items/single"
    request = pb.RevealHintRequest(request_id=str(uuid4()), name=name, course="courses/demo")
    hint = await assessment.stub.RevealHint(request, metadata=me)
    assert (hint.number, hint.text, hint.remaining) == (1, "Think.", 1)
    assert await assessment.stub.RevealHint(request, metadata=me) == hint
    view = await assessment.stub.GetItemView(pb.GetItemViewRequest(name=name, course="courses/demo"), metadata=me)
    assert list(view.revealed_hints) == ["Think."]
    response = await assessment.stub.SubmitResponse(submit_request(), metadata=me)
    assert response.hints_revealed == 1


async def test_a_teacher_answers_for_a_learner_and_reads_the_responses(assessment):
    teacher = assessment.calls.as_("north", "tess", "TEACHER")
    response = await assessment.stub.SubmitResponse(submit_request(), metadata=teacher)
    listed = await assessment.stub.ListResponses(pb.ListResponsesRequest(parent=LEARNER), metadata=teacher)
    assert list(listed.responses) == [response]


async def test_responses_are_paged(assessment):
    me = assessment.calls.as_()
    sent = set()
    for _ in range(3):
        sent.add((await assessment.stub.SubmitResponse(submit_request(), metadata=me)).name)
    first = await assessment.stub.ListResponses(pb.ListResponsesRequest(parent=LEARNER, page_size=2), metadata=me)
    rest = await assessment.stub.ListResponses(
        pb.ListResponsesRequest(parent=LEARNER, page_size=2, page_token=first.next_page_token), metadata=me
    )
    assert {each.name for each in [*first.responses, *rest.responses]} == sent
    assert rest.next_page_token == ""


async def test_a_wrong_cloze_tells_what_each_gap_has_earned(assessment):
    gaps = {"n": pb.GapAnswer(numeric=pb.NumericAnswer(value="7")), "c": pb.GapAnswer(choice=pb.ChoiceAnswer(chosen=["x"]))}
    answer = pb.Answer(cloze=pb.ClozeAnswer(gaps=gaps))
    response = await assessment.stub.SubmitResponse(submit_request("cloze", answer=answer), metadata=assessment.calls.as_())
    assert (response.score, response.correct, list(response.feedback)) == (pytest.approx(1 / 3), False, ["No."])
    assert response.answer == answer


async def test_items_are_checked_and_every_fault_named(assessment):
    good = item_pb2.Item(
        body=item_pb2.Body(stem="?", numeric=item_pb2.NumericInteraction()),
        key=item_pb2.Key(numeric=item_pb2.NumericKey(value="3/4")),
    )
    bad = item_pb2.Item(
        body=item_pb2.Body(
            stem="{{g}}",
            cloze=item_pb2.ClozeInteraction(
                gaps=[item_pb2.Gap(id="g", choice=item_pb2.ChoiceInteraction(choices=[item_pb2.Option(id="a", text="a")]))]
            ),
        ),
        key=item_pb2.Key(cloze=item_pb2.ClozeKey(gaps={"g": item_pb2.GapKey(choice=item_pb2.ChoiceKey(correct=["b"]))})),
    )
    answer = await assessment.stub.CheckItems(
        pb.CheckItemsRequest(items=[good, bad, item_pb2.Item()]), metadata=assessment.calls.as_service(context="catalog")
    )
    assert [(each.index, each.field) for each in answer.faults] == [
        (1, "body.cloze.gaps[0].choice.choices"),
        (1, "key.cloze.gaps.g.choice.correct"),
        (2, "body.stem"),
        (2, "body"),
    ]
    assert all(each.description for each in answer.faults)


@pytest.mark.parametrize("kind", CORRECT)
def test_answers_survive_the_wire(kind):
    assert isinstance(answer_message(CORRECT[kind][1]), pb.Answer)
    assert answer_message(OrderingAnswer(("a", "b"))).ordering.order == ["a", "b"]
