from uuid import uuid4

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2, status_pb2
from paideia.assessment.v1 import assessment_service_pb2 as pb
from paideia.catalog.v1 import item_pb2

from tests.unit.assessment.fakes import NOW

VIEW = pb.GetItemViewRequest(name="learners/ada/items/single", course="courses/demo")
HINT = pb.RevealHintRequest(request_id=str(uuid4()), name="learners/ada/items/single", course="courses/demo")
SUBMIT = pb.SubmitResponseRequest(
    request_id=str(uuid4()),
    learner="learners/ada",
    course="courses/demo",
    item="items/single",
    answer=pb.Answer(choice=pb.ChoiceAnswer(chosen=["b"])),
)
GET = pb.GetResponseRequest(name=f"learners/ada/responses/{uuid4()}")
LIST = pb.ListResponsesRequest(parent="learners/ada")
CHECK = pb.CheckItemsRequest(items=[item_pb2.Item()])
REQUESTS = {
    "GetItemView": VIEW,
    "RevealHint": HINT,
    "SubmitResponse": SUBMIT,
    "GetResponse": GET,
    "ListResponses": LIST,
    "CheckItems": CHECK,
}


def changed(request, **fields):
    made = type(request)()
    made.CopyFrom(request)
    for name, value in fields.items():
        if hasattr(value, "DESCRIPTOR"):
            getattr(made, name).CopyFrom(value)
        else:
            setattr(made, name, value)
    return made


def answer(**kind):
    return changed(SUBMIT, answer=pb.Answer(**kind))


async def refusal(assessment, method, request, metadata):
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await getattr(assessment.stub, method)(request, metadata=metadata)
    return refused.value


def violated(error):
    """The fields that a refusal names."""
    packed = next(value for key, value in error.trailing_metadata() if key == "grpc-status-details-bin")
    bad = error_details_pb2.BadRequest()
    for detail in status_pb2.Status.FromString(packed).details:
        detail.Unpack(bad)
    return [each.field for each in bad.field_violations]


@pytest.mark.parametrize(
    ("method", "request_", "field"),
    [
        ("GetItemView", changed(VIEW, name="items/single"), "name"),
        ("GetItemView", changed(VIEW, name="learners/ada/items/../x"), "name"),
        ("GetItemView", changed(VIEW, name=""), "name"),
        ("GetItemView", changed(VIEW, course="demo"), "course"),
        ("RevealHint", changed(HINT, request_id="1"), "request_id"),
        ("RevealHint", changed(HINT, name="learners/ada"), "name"),
        ("RevealHint", changed(HINT, course=""), "course"),
        ("SubmitResponse", changed(SUBMIT, request_id=""), "request_id"),
        ("SubmitResponse", changed(SUBMIT, request_id="x" * 36), "request_id"),
        ("SubmitResponse", changed(SUBMIT, learner="ada"), "learner"),
        ("SubmitResponse", changed(SUBMIT, learner=f"learners/{'a' * 200}"), "learner"),
        ("SubmitResponse", changed(SUBMIT, course="courses/"), "course"),
        ("SubmitResponse", changed(SUBMIT, item="courses/demo"), "item"),
        ("SubmitResponse", changed(SUBMIT, decision="decisions/x"), "decision"),
        ("SubmitResponse", changed(SUBMIT, decision=str(uuid4())), "decision"),
        ("SubmitResponse", changed(SUBMIT, answer=pb.Answer()), "answer"),
        ("SubmitResponse", answer(choice=pb.ChoiceAnswer(chosen=["zz"])), "answer.choice.chosen"),
        ("SubmitResponse", answer(choice=pb.ChoiceAnswer(chosen=["a", "b"])), "answer.choice.chosen"),
        ("SubmitResponse", answer(numeric=pb.NumericAnswer(value="1")), "answer.numeric"),
        ("SubmitResponse", answer(short_text=pb.ShortTextAnswer(text="x" * 5_000_000)), "answer.short_text"),
        ("SubmitResponse", changed(SUBMIT, response_time=Duration(seconds=-1)), "response_time"),
        ("SubmitResponse", changed(SUBMIT, response_time=Duration(seconds=90_000)), "response_time"),
        ("SubmitResponse", changed(SUBMIT, response_time=Duration(seconds=2**62)), "response_time"),
        ("SubmitResponse", changed(SUBMIT, answer_time=Timestamp(seconds=int(NOW.timestamp()) + 301)), "answer_time"),
        ("SubmitResponse", changed(SUBMIT, answer_time=Timestamp(seconds=2**62)), "answer_time"),
        ("GetResponse", pb.GetResponseRequest(name="learners/ada/responses/1"), "name"),
        ("GetResponse", pb.GetResponseRequest(name="learners/ada"), "name"),
        ("ListResponses", changed(LIST, parent="ada"), "parent"),
        ("ListResponses", changed(LIST, page_size=-1), "page_size"),
        ("ListResponses", changed(LIST, page_token="%%"), "page_token"),
        ("ListResponses", changed(LIST, page_token="WyJ4Il0="), "page_token"),
    ],
)
async def test_a_wrong_field_is_named(assessment, method, request_, field):
    # A teacher, so that names of other learners reach the handler.
    error = await refusal(assessment, method, request_, assessment.calls.as_("north", "tess", "TEACHER"))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert violated(error) == [field]
    assert assessment.world.tables.responses == {}


@pytest.mark.parametrize("count", [0, 501])
async def test_items_to_check_are_1_to_500(assessment, count):
    request = pb.CheckItemsRequest(items=[item_pb2.Item()] * count)
    error = await refusal(assessment, "CheckItems", request, assessment.calls.as_service())
    assert (error.code(), violated(error)) == (grpc.StatusCode.INVALID_ARGUMENT, ["items"])


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("GetItemView", changed(VIEW, course="courses/none")),
        ("GetItemView", changed(VIEW, name="learners/ada/items/none")),
        ("RevealHint", changed(HINT, name="learners/ada/items/none")),
        ("SubmitResponse", changed(SUBMIT, course="courses/none")),
        ("SubmitResponse", changed(SUBMIT, item="items/none")),
        ("GetResponse", GET),
    ],
)
async def test_what_is_not_there_is_not_found(assessment, method, request_):
    error = await refusal(assessment, method, request_, assessment.calls.as_())
    assert error.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("method", sorted(set(REQUESTS) - {"CheckItems", "ListResponses"}))
async def test_another_organization_finds_nothing(assessment, method):
    kept = await assessment.stub.SubmitResponse(SUBMIT, metadata=assessment.calls.as_())
    request = pb.GetResponseRequest(name=kept.name) if method == "GetResponse" else REQUESTS[method]
    error = await refusal(assessment, method, request, assessment.calls.as_("south", "ada"))
    assert error.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("method", sorted(set(REQUESTS) - {"CheckItems"}))
async def test_a_learner_reaches_no_other_learner(assessment, method):
    error = await refusal(assessment, method, REQUESTS[method], assessment.calls.as_("north", "bob"))
    assert error.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("method", REQUESTS)
async def test_nobody_calls_without_a_token(assessment, method):
    error = await refusal(assessment, method, REQUESTS[method], ())
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize(
    ("method", "roles"),
    [
        ("CheckItems", ("AUTHOR", "ADMIN")),
        ("SubmitResponse", ("AUTHOR",)),
        ("RevealHint", ("AUTHOR",)),
        ("GetResponse", ("OPERATOR",)),
    ],
)
async def test_roles_that_the_contract_does_not_name_are_refused(assessment, method, roles):
    error = await refusal(assessment, method, REQUESTS[method], assessment.calls.as_("north", "ada", *roles))
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_a_request_id_used_for_another_answer_is_refused(assessment):
    me = assessment.calls.as_()
    await assessment.stub.SubmitResponse(SUBMIT, metadata=me)
    error = await refusal(assessment, "SubmitResponse", answer(choice=pb.ChoiceAnswer(chosen=["a"])), me)
    assert error.code() is grpc.StatusCode.ALREADY_EXISTS


async def test_a_request_id_used_for_another_hint_is_refused(assessment):
    me = assessment.calls.as_()
    await assessment.stub.RevealHint(HINT, metadata=me)
    error = await refusal(assessment, "RevealHint", changed(HINT, name="learners/ada/items/multiple"), me)
    assert error.code() is grpc.StatusCode.ALREADY_EXISTS


async def test_no_hint_is_left_after_the_last(assessment):
    me = assessment.calls.as_()
    for _ in range(2):
        await assessment.stub.RevealHint(changed(HINT, request_id=str(uuid4())), metadata=me)
    error = await refusal(assessment, "RevealHint", changed(HINT, request_id=str(uuid4())), me)
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION


async def test_an_item_that_cannot_be_known_now_is_unavailable(assessment):
    assessment.world.catalog.away = True
    error = await refusal(assessment, "SubmitResponse", SUBMIT, assessment.calls.as_())
    assert error.code() is grpc.StatusCode.UNAVAILABLE
