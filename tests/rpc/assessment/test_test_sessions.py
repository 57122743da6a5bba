from base64 import urlsafe_b64encode
from datetime import timedelta
from math import nan
from uuid import uuid4

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from paideia.assessment.v1 import assessment_service_pb2 as pb
from paideia.assessment.v1 import tests_pb2

from tests.e2e.test_bad_input import FAULTS, mutations
from tests.rpc.assessment.test_assessment import texts
from tests.rpc.assessment.test_refusals import changed, refusal, violated
from tests.unit.assessment.fakes import NOW
from tests.unit.assessment.sittings import calibrated

AUTHOR, TEACHER = ("north", "ann", "AUTHOR"), ("north", "tess", "TEACHER")
RIGHT = pb.Answer(numeric=pb.NumericAnswer(value="1"))


def bank_request(**changes):
    items = [
        tests_pb2.CalibratedItem(item=f"items/{each.item}", slope=each.slope, difficulty=each.difficulty, guess=each.guess)
        for each in calibrated(30)
    ]
    usual = {
        "request_id": str(uuid4()),
        "parent": "itemBanks/numbers",
        "model": tests_pb2.RESPONSE_MODEL_3PL,
        "calibration": "fit-1",
        "items": items,
    }
    return pb.PublishItemBankVersionRequest(**usual | changes)


def blueprint(**changes):
    usual = {
        "title": "Placement",
        "course": "courses/exam",
        "adaptive": tests_pb2.AdaptiveForm(min_length=3, max_length=6, standard_error=0.3),
        "content_areas": [
            tests_pb2.ContentArea(skill="skills/adding", min_share=0.3),
            tests_pb2.ContentArea(skill="skills/comparing", max_count=3),
            tests_pb2.ContentArea(skill="skills/reducing", max_share=0.5),
        ],
        "norm": tests_pb2.PercentileNorm(normal=tests_pb2.AbilityPrior(mean=0.2)),
        "time_limit": Duration(seconds=1800),
    }
    return tests_pb2.TestBlueprint(**usual | changes)


def creation(**changes):
    return pb.CreateTestBlueprintRequest(
        request_id=str(uuid4()), test_blueprint_id="placement", test_blueprint=blueprint(**changes)
    )


async def prepared(assessment, **changes):
    author = assessment.calls.as_(*AUTHOR)
    version = await assessment.stub.PublishItemBankVersion(bank_request(), metadata=author)
    return await assessment.stub.CreateTestBlueprint(creation(**{"bank_version": version.name} | changes), metadata=author)


async def made_blueprint(assessment):
    request = pb.GetTestBlueprintRequest(name="testBlueprints/placement")
    return await assessment.stub.GetTestBlueprint(request, metadata=assessment.calls.as_(*AUTHOR))


async def started(assessment, who=None):
    await prepared(assessment)
    request = pb.StartTestRequest(request_id=str(uuid4()), parent="learners/ada", blueprint="testBlueprints/placement")
    return await assessment.stub.StartTest(request, metadata=who or assessment.calls.as_())


def answer_to(session, **changes):
    usual = {
        "request_id": str(uuid4()),
        "name": session.name,
        "item": session.item.name.replace("learners/ada/", ""),
        "answer": RIGHT,
    }
    return pb.AnswerTestItemRequest(**usual | changes)


async def test_an_author_publishes_a_bank_and_reads_it_back(assessment):
    author = assessment.calls.as_(*AUTHOR)
    request = bank_request()
    version = await assessment.stub.PublishItemBankVersion(request, metadata=author)
    assert (version.item_count, version.calibration, version.model) == (30, "fit-1", tests_pb2.RESPONSE_MODEL_3PL)
    assert list(version.items) == list(request.items)
    assert not version.items[0].HasField("slope_error")
    assert await assessment.stub.PublishItemBankVersion(request, metadata=author) == version
    assert await assessment.stub.GetItemBankVersion(pb.GetItemBankVersionRequest(name=version.name), metadata=author) == version
    bank = await assessment.stub.GetItemBank(pb.GetItemBankRequest(name="itemBanks/numbers"), metadata=author)
    assert (bank.newest_version, bank.version_count, bank.item_count) == (version.name, 1, 30)
    banks = await assessment.stub.ListItemBanks(pb.ListItemBanksRequest(), metadata=author)
    assert list(banks.item_banks) == [bank]
    versions = await assessment.stub.ListItemBankVersions(
        pb.ListItemBankVersionsRequest(parent="itemBanks/numbers"), metadata=author
    )
    assert [(each.name, len(each.items)) for each in versions.versions] == [(version.name, 0)]


async def test_a_blueprint_is_answered_as_it_was_written(assessment):
    made = await prepared(assessment)
    sent = blueprint(bank_version=made.bank_version)
    assert made.adaptive == sent.adaptive
    assert [each.skill for each in made.content_areas] == [each.skill for each in sent.content_areas]
    assert (made.pool_size, made.time_limit, made.visibility) == (30, sent.time_limit, tests_pb2.RESULT_VISIBILITY_SCORE)
    assert made.norm.normal.deviation == 1
    assert "standard_error 0.3 is out of reach" in made.warnings[0]
    teacher = assessment.calls.as_(*TEACHER)
    got = await assessment.stub.GetTestBlueprint(pb.GetTestBlueprintRequest(name=made.name), metadata=teacher)
    listed = await assessment.stub.ListTestBlueprints(pb.ListTestBlueprintsRequest(), metadata=teacher)
    assert [got, *listed.test_blueprints] == [made, made]
    retire = pb.RetireTestBlueprintRequest(request_id=str(uuid4()), name=made.name)
    retired = await assessment.stub.RetireTestBlueprint(retire, metadata=assessment.calls.as_(*AUTHOR))
    assert retired.HasField("retire_time")


async def test_a_learner_takes_a_test_and_sees_the_score_only_at_its_end(assessment):
    session, me = await started(assessment), assessment.calls.as_()
    assert (session.state, session.title, session.max_length) == (pb.TEST_STATE_OPEN, "Placement", 6)
    seen = set()
    while session.state == pb.TEST_STATE_OPEN:
        assert not session.HasField("result")
        assert not session.steps
        told = {*texts(session)}
        assert not told & {"1", "Think.", "Think harder.", "Because."}  # nothing of the key, and no hint
        seen.add(session.item.name)
        assert await assessment.stub.GetTestSession(pb.GetTestSessionRequest(name=session.name), metadata=me) == session
        session = await assessment.stub.AnswerTestItem(answer_to(session), metadata=me)
    assert len(seen) == session.answered_count == session.result.answered_count == session.result.correct_count == 6
    assert session.result.ability.mean > 0.5
    assert session.result.ability.standard_error < 1
    assert session.result.percentile > 60
    assert [each.skill for each in session.result.areas] == ["skills/adding", "skills/comparing", "skills/reducing"]
    assert not session.steps
    listed = await assessment.stub.ListTestSessions(pb.ListTestSessionsRequest(parent="learners/ada"), metadata=me)
    assert list(listed.test_sessions) == [session]
    assert len(assessment.world.tables.attempts) == 6


async def test_a_teacher_starts_and_audits_a_test(assessment):
    teacher = assessment.calls.as_(*TEACHER)
    session = await started(assessment, teacher)
    session = await assessment.stub.AnswerTestItem(answer_to(session), metadata=teacher)
    answered, current = session.steps
    assert (answered.correct, answered.score, current.response) == (True, 1.0, "")
    assert answered.selection.ability.standard_error == 1
    assert current.selection.ability.standard_error < 1
    assert all(0 < each.selection.propensity <= 1 and each.selection.information > 0 for each in session.steps)
    assert session.result.ability.mean == current.selection.ability.mean
    response = await assessment.stub.GetResponse(pb.GetResponseRequest(name=answered.response), metadata=teacher)
    assert response.test_session == session.name


async def test_the_same_requests_give_the_same_session(assessment):
    await prepared(assessment)
    me = assessment.calls.as_()
    start = pb.StartTestRequest(request_id=str(uuid4()), parent="learners/ada", blueprint="testBlueprints/placement")
    session = await assessment.stub.StartTest(start, metadata=me)
    assert await assessment.stub.StartTest(start, metadata=me) == session
    request = answer_to(session)
    after = await assessment.stub.AnswerTestItem(request, metadata=me)
    assert await assessment.stub.AnswerTestItem(request, metadata=me) == after
    finish = pb.FinishTestRequest(request_id=str(uuid4()), name=session.name)
    ended = await assessment.stub.FinishTest(finish, metadata=me)
    assert ended.state == pb.TEST_STATE_FINISHED
    assert await assessment.stub.FinishTest(finish, metadata=me) == ended
    assert await assessment.stub.AnswerTestItem(request, metadata=me) == ended


async def test_an_answer_given_in_a_test_is_no_response_that_can_be_submitted_again(assessment):
    session, me = await started(assessment), assessment.calls.as_()
    request = answer_to(session)
    await assessment.stub.AnswerTestItem(request, metadata=me)
    name = f"learners/ada/responses/{request.request_id}"
    assert (await refusal(assessment, "GetResponse", pb.GetResponseRequest(name=name), me)).code() is grpc.StatusCode.NOT_FOUND
    submit = pb.SubmitResponseRequest(
        request_id=request.request_id, learner="learners/ada", course="courses/exam", item=request.item, answer=request.answer
    )
    assert (await refusal(assessment, "SubmitResponse", submit, me)).code() is grpc.StatusCode.ALREADY_EXISTS


START = pb.StartTestRequest(request_id=str(uuid4()), parent="learners/ada", blueprint="testBlueprints/placement")
SESSION = f"learners/ada/testSessions/{START.request_id}"
ANSWER = pb.AnswerTestItemRequest(request_id=str(uuid4()), name=SESSION, item="items/q1", answer=RIGHT)
READS = {
    "GetItemBank": pb.GetItemBankRequest(name="itemBanks/none"),
    "GetItemBankVersion": pb.GetItemBankVersionRequest(name="itemBanks/numbers/versions/none"),
    "GetTestBlueprint": pb.GetTestBlueprintRequest(name="testBlueprints/none"),
    "RetireTestBlueprint": pb.RetireTestBlueprintRequest(request_id=str(uuid4()), name="testBlueprints/none"),
    "CreateTestBlueprint": creation(bank_version="itemBanks/numbers/versions/none"),
    "StartTest": changed(START, blueprint="testBlueprints/none"),
    "GetTestSession": pb.GetTestSessionRequest(name=SESSION),
    "AnswerTestItem": ANSWER,
    "FinishTest": pb.FinishTestRequest(request_id=str(uuid4()), name=SESSION),
}


@pytest.mark.parametrize("method", READS)
async def test_what_is_not_there_is_not_found(assessment, method):
    await prepared(assessment)
    error = await refusal(assessment, method, READS[method], assessment.calls.as_("north", "ann", "ADMIN"))
    assert error.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("method", READS)
async def test_another_organization_finds_nothing(assessment, method):
    session = await started(assessment)
    made = pb.GetTestBlueprintRequest(name="testBlueprints/placement")
    version = (await made_blueprint(assessment)).bank_version
    request = {
        "GetItemBank": pb.GetItemBankRequest(name="itemBanks/numbers"),
        "GetItemBankVersion": pb.GetItemBankVersionRequest(name=version),
        "GetTestBlueprint": made,
        "RetireTestBlueprint": pb.RetireTestBlueprintRequest(request_id=str(uuid4()), name=made.name),
        "CreateTestBlueprint": creation(bank_version=version),
        "StartTest": START,
        "GetTestSession": pb.GetTestSessionRequest(name=session.name),
        "AnswerTestItem": answer_to(session),
        "FinishTest": pb.FinishTestRequest(request_id=str(uuid4()), name=session.name),
    }[method]
    error = await refusal(assessment, method, request, assessment.calls.as_("south", "ada", "ADMIN"))
    assert error.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("method", ["StartTest", "GetTestSession", "AnswerTestItem", "FinishTest"])
async def test_a_learner_reaches_no_other_learner(assessment, method):
    error = await refusal(assessment, method, {**READS, "StartTest": START}[method], assessment.calls.as_("north", "bob"))
    assert error.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize(
    ("method", "request_", "who"),
    [
        ("PublishItemBankVersion", bank_request, ("LEARNER",)),
        ("PublishItemBankVersion", bank_request, ("TEACHER",)),
        ("CreateTestBlueprint", creation, ("TEACHER",)),
        ("RetireTestBlueprint", lambda: READS["RetireTestBlueprint"], ("LEARNER",)),
        ("GetItemBankVersion", lambda: READS["GetItemBankVersion"], ("LEARNER",)),
        ("GetTestBlueprint", lambda: READS["GetTestBlueprint"], ("LEARNER",)),
        ("StartTest", lambda: START, ("AUTHOR",)),
        ("AnswerTestItem", lambda: ANSWER, ("AUTHOR", "OPERATOR")),
    ],
)
async def test_roles_that_the_contract_does_not_name_are_refused(assessment, method, request_, who):
    error = await refusal(assessment, method, request_(), assessment.calls.as_("north", "ada", *who))
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize("method", [*READS, "PublishItemBankVersion"])
async def test_nobody_calls_without_a_token(assessment, method):
    request = READS[method] if method in READS else bank_request()
    assert (await refusal(assessment, method, request, ())).code() is grpc.StatusCode.UNAUTHENTICATED


def one_item(**changes):
    return [tests_pb2.CalibratedItem(**{"item": "items/q1", "slope": 1.0} | changes)]


@pytest.mark.parametrize(
    ("method", "request_", "field"),
    [
        ("PublishItemBankVersion", bank_request(request_id="1"), "request_id"),
        ("PublishItemBankVersion", bank_request(parent="numbers"), "parent"),
        ("PublishItemBankVersion", bank_request(model=0), "model"),
        ("PublishItemBankVersion", bank_request(model=9), "model"),
        ("PublishItemBankVersion", bank_request(items=[]), "items"),
        ("PublishItemBankVersion", bank_request(calibration="x" * 129), "calibration"),
        ("PublishItemBankVersion", bank_request(items=one_item(item="q1")), "items[0].item"),
        ("PublishItemBankVersion", bank_request(items=one_item(slope=nan)), "items[0].slope"),
        ("PublishItemBankVersion", bank_request(items=one_item(guess=0.6)), "items[0].guess"),
        ("GetItemBank", pb.GetItemBankRequest(name="numbers"), "name"),
        ("GetItemBankVersion", pb.GetItemBankVersionRequest(name="itemBanks/numbers"), "name"),
        ("ListItemBanks", pb.ListItemBanksRequest(page_size=-1), "page_size"),
        ("ListItemBankVersions", pb.ListItemBankVersionsRequest(parent="itemBanks/"), "parent"),
        ("CreateTestBlueprint", changed(creation(), request_id=""), "request_id"),
        ("CreateTestBlueprint", changed(creation(), test_blueprint_id="a b"), "test_blueprint_id"),
        ("CreateTestBlueprint", creation(course="exam"), "test_blueprint.course"),
        ("CreateTestBlueprint", creation(bank_version="numbers"), "test_blueprint.bank_version"),
        ("CreateTestBlueprint", creation(), "test_blueprint.bank_version"),
        ("CreateTestBlueprint", creation(bank_version="itemBanks/a/versions/b", visibility=7), "test_blueprint.visibility"),
        ("CreateTestBlueprint", creation(bank_version="itemBanks/a/versions/b", title=""), "test_blueprint.title"),
        ("CreateTestBlueprint", creation(time_limit=Duration(seconds=2**62)), "test_blueprint.time_limit"),
        (
            "CreateTestBlueprint",
            pb.CreateTestBlueprintRequest(
                request_id=str(uuid4()),
                test_blueprint_id="x",
                test_blueprint=tests_pb2.TestBlueprint(course="courses/exam", title="x"),
            ),
            "test_blueprint.form",
        ),
        ("GetTestBlueprint", pb.GetTestBlueprintRequest(name="placement"), "name"),
        ("ListTestBlueprints", pb.ListTestBlueprintsRequest(page_token="%"), "page_token"),
        ("StartTest", changed(START, request_id="x"), "request_id"),
        ("StartTest", changed(START, parent="ada"), "parent"),
        ("StartTest", changed(START, blueprint="placement"), "blueprint"),
        ("GetTestSession", pb.GetTestSessionRequest(name="learners/ada/testSessions/1"), "name"),
        ("AnswerTestItem", changed(ANSWER, request_id="x"), "request_id"),
        ("AnswerTestItem", changed(ANSWER, item="q1"), "item"),
        ("AnswerTestItem", changed(ANSWER, answer=pb.Answer()), "answer"),
        ("AnswerTestItem", changed(ANSWER, response_time=Duration(seconds=-1)), "response_time"),
        ("FinishTest", pb.FinishTestRequest(request_id="x", name=SESSION), "request_id"),
        ("ListTestSessions", pb.ListTestSessionsRequest(parent="learners/ada", page_token="WyJ4Il0="), "page_token"),
    ],
)
async def test_a_wrong_field_is_named(assessment, method, request_, field):
    error = await refusal(assessment, method, request_, assessment.calls.as_("north", "ann", "ADMIN"))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert violated(error) == [field]


@pytest.mark.parametrize("method", ["PublishItemBankVersion", "CreateTestBlueprint", "AnswerTestItem"])
async def test_no_value_of_any_field_makes_it_fail(assessment, method):
    session = await started(assessment)
    author = assessment.calls.as_("north", "ann", "ADMIN")
    request = {
        "PublishItemBankVersion": bank_request(
            items=one_item(difficulty=0.1, guess=0.1, slope_error=0.1, difficulty_error=0.1, guess_error=0.1)
        ),
        "CreateTestBlueprint": changed(
            creation(
                bank_version=(await made_blueprint(assessment)).bank_version,
                adaptive=tests_pb2.AdaptiveForm(
                    min_length=2,
                    max_length=4,
                    standard_error=0.5,
                    start_ability=0.1,
                    easier_by=0.1,
                    easy_items=1,
                    randomesque=tests_pb2.Randomesque(size=3),
                ),
                prior=tests_pb2.AbilityPrior(mean=0.1, deviation=1.1),
                retakes=tests_pb2.RetakePolicy(max_sessions=2, wait=Duration(seconds=5)),
                visibility=tests_pb2.RESULT_VISIBILITY_ITEMS,
            ),
            test_blueprint_id="another",
        ),
        "AnswerTestItem": answer_to(session, response_time=Duration(seconds=4)),
    }[method]
    codes = set()
    for _ in mutations(request):
        if method == "CreateTestBlueprint":
            request.request_id = request.request_id and str(uuid4())
        call = getattr(assessment.stub, method)(request, metadata=author)
        codes.add(code := await call.code())
        assert code not in FAULTS, f"{await call.details()}: {request}"
    assert grpc.StatusCode.INVALID_ARGUMENT in codes


async def test_an_answer_that_is_not_expected_now_is_refused(assessment):
    session, me = await started(assessment), assessment.calls.as_()
    other = answer_to(session, item="items/q0" if not session.item.name.endswith("/q0") else "items/q1")
    assert (await refusal(assessment, "AnswerTestItem", other, me)).code() is grpc.StatusCode.FAILED_PRECONDITION
    wrong = answer_to(session, answer=pb.Answer(choice=pb.ChoiceAnswer(chosen=["a"])))
    error = await refusal(assessment, "AnswerTestItem", wrong, me)
    assert (error.code(), violated(error)) == (grpc.StatusCode.INVALID_ARGUMENT, ["answer.choice"])
    again = pb.StartTestRequest(request_id=str(uuid4()), parent="learners/ada", blueprint="testBlueprints/placement")
    assert (await refusal(assessment, "StartTest", again, me)).code() is grpc.StatusCode.FAILED_PRECONDITION
    assessment.world.now = NOW + timedelta(minutes=30)
    assert (await refusal(assessment, "AnswerTestItem", answer_to(session), me)).code() is grpc.StatusCode.FAILED_PRECONDITION
    ended = await assessment.stub.GetTestSession(pb.GetTestSessionRequest(name=session.name), metadata=me)
    assert (ended.state, ended.HasField("item")) == (pb.TEST_STATE_OUT_OF_TIME, False)


async def test_the_id_of_a_blueprint_is_taken_once(assessment):
    made = await prepared(assessment)
    author = assessment.calls.as_(*AUTHOR)
    error = await refusal(assessment, "CreateTestBlueprint", creation(bank_version=made.bank_version), author)
    assert error.code() is grpc.StatusCode.ALREADY_EXISTS


async def test_a_page_token_of_another_list_finds_nothing_and_a_broken_one_is_refused(assessment):
    author = assessment.calls.as_(*AUTHOR)
    await prepared(assessment)
    await assessment.stub.PublishItemBankVersion(bank_request(calibration="fit-2"), metadata=author)
    first = await assessment.stub.ListItemBankVersions(
        pb.ListItemBankVersionsRequest(parent="itemBanks/numbers", page_size=1), metadata=author
    )
    elsewhere = pb.ListItemBankVersionsRequest(parent="itemBanks/other", page_token=first.next_page_token)
    assert not (await assessment.stub.ListItemBankVersions(elsewhere, metadata=author)).versions
    banks = await assessment.stub.ListItemBanks(pb.ListItemBanksRequest(page_size=1), metadata=author)
    assert banks.next_page_token == ""
    for token in ('["x"]', '["0001-01-01T00:00:00+23:00", "x"]', '["2026-01-01T00:00:00", "x"]'):
        broken = changed(elsewhere, page_token=urlsafe_b64encode(token.encode()).decode())
        assert violated(await refusal(assessment, "ListItemBankVersions", broken, author)) == ["page_token"]
