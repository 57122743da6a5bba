"""Between the messages of banks, blueprints and test sessions and the domain."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

from paideia.assessment.v1 import assessment_service_pb2 as pb
from paideia.assessment.v1 import tests_pb2

from domain.assessment.model.responses import Submission
from domain.assessment.testing.balance import ContentArea
from domain.assessment.testing.banks import Bank, BankVersion, CalibratedItem, ResponseModel
from domain.assessment.testing.blueprints import (
    AdaptiveForm,
    Blueprint,
    FixedForm,
    Randomesque,
    Retakes,
    SympsonHetter,
    Visibility,
)
from domain.assessment.testing.norms import Norm, NormalNorm, Prior, TableNorm
from domain.assessment.testing.sessions import Result, Score, Selection, State, Step
from domain.assessment.use_cases.sitting import SessionView
from domain.shared.errors import InvalidInput
from domain.shared.ids import canonical_uuid
from services.assessment.messages import answer_from, view_message
from services.shared.names import id_in, ids_in
from services.shared.times import duration, span, timestamp

_MODELS = {
    tests_pb2.RESPONSE_MODEL_1PL: ResponseModel.ONE,
    tests_pb2.RESPONSE_MODEL_2PL: ResponseModel.TWO,
    tests_pb2.RESPONSE_MODEL_3PL: ResponseModel.THREE,
}
_MODEL_NUMBERS = {model: number for number, model in _MODELS.items()}
_VISIBILITIES = {
    tests_pb2.RESULT_VISIBILITY_UNSPECIFIED: Visibility.SCORE,
    tests_pb2.RESULT_VISIBILITY_NONE: Visibility.NONE,
    tests_pb2.RESULT_VISIBILITY_SCORE: Visibility.SCORE,
    tests_pb2.RESULT_VISIBILITY_ITEMS: Visibility.ITEMS,
}
_VISIBILITY_NUMBERS = {visibility: number for number, visibility in _VISIBILITIES.items() if number}
_STATES = {
    State.OPEN: pb.TEST_STATE_OPEN,
    State.PRECISE: pb.TEST_STATE_PRECISE,
    State.COMPLETE: pb.TEST_STATE_COMPLETE,
    State.OUT_OF_TIME: pb.TEST_STATE_OUT_OF_TIME,
    State.FINISHED: pb.TEST_STATE_FINISHED,
}


def model_from(number: int) -> ResponseModel:
    try:
        return _MODELS[number]  # type: ignore[index]  # an open enum: any number may come
    except KeyError:
        raise InvalidInput.of("model", "must be RESPONSE_MODEL_1PL, _2PL or _3PL") from None


def calibrated_from(items: Sequence[tests_pb2.CalibratedItem]) -> list[CalibratedItem]:
    """Raises InvalidInput naming the item whose name cannot be read."""
    return [
        CalibratedItem(
            item=id_in(each.item, "items", f"items[{place}].item"),
            slope=each.slope,
            difficulty=each.difficulty,
            guess=each.guess,
            slope_error=each.slope_error if each.HasField("slope_error") else None,
            difficulty_error=each.difficulty_error if each.HasField("difficulty_error") else None,
            guess_error=each.guess_error if each.HasField("guess_error") else None,
        )
        for place, each in enumerate(items)
    ]


def version_message(version: BankVersion) -> tests_pb2.ItemBankVersion:
    return tests_pb2.ItemBankVersion(
        name=_version_name(version.bank, version.version),
        model=_MODEL_NUMBERS[version.model],
        calibration=version.calibration,
        items=[
            tests_pb2.CalibratedItem(
                item=f"items/{each.item}",
                slope=each.slope,
                difficulty=each.difficulty,
                guess=each.guess,
                slope_error=each.slope_error,
                difficulty_error=each.difficulty_error,
                guess_error=each.guess_error,
            )
            for each in version.items
        ],
        item_count=version.item_count,
        publish_time=timestamp(version.published_at),
    )


def bank_message(bank: Bank) -> tests_pb2.ItemBank:
    return tests_pb2.ItemBank(
        name=f"itemBanks/{bank.newest.bank}",
        newest_version=_version_name(bank.newest.bank, bank.newest.version),
        version_count=bank.version_count,
        item_count=bank.newest.item_count,
        publish_time=timestamp(bank.newest.published_at),
    )


def _version_name(bank: str, version: str) -> str:
    return f"itemBanks/{bank}/versions/{version}" if bank else ""


@contextmanager
def fields_of(message: str) -> Iterator[None]:
    """Puts the name of the message that holds them before the fields that a refusal names."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput([replace(each, field=f"{message}.{each.field}") for each in error.violations]) from error


def blueprint_from(blueprint_id: str, message: tests_pb2.TestBlueprint) -> Blueprint:
    """Raises InvalidInput naming the blueprint's field that cannot be read; what the fields say is checked by the domain."""
    bank, version = "", ""
    if message.bank_version:
        bank, version = ids_in(message.bank_version, ("itemBanks", "versions"), "bank_version")
    return Blueprint(
        id=blueprint_id,
        title=message.title,
        course=id_in(message.course, "courses", "course"),
        form=_form_from(message),
        bank=bank,
        bank_version=version,
        areas=tuple(_area_from(each, f"content_areas[{place}]") for place, each in enumerate(message.content_areas)),
        prior=_prior_from(message.prior),
        time_limit=span(message.time_limit, "time_limit") if message.HasField("time_limit") else None,
        retakes=Retakes(
            message.retakes.max_sessions,
            span(message.retakes.wait, "retakes.wait") if message.retakes.HasField("wait") else timedelta(0),
        ),
        norm=_norm_from(message.norm),
        visibility=_visibility_from(message.visibility),
    )


def _visibility_from(number: int) -> Visibility:
    try:
        return _VISIBILITIES[number]  # type: ignore[index]  # an open enum: any number may come
    except KeyError:
        raise InvalidInput.of("visibility", "must be RESULT_VISIBILITY_NONE, _SCORE or _ITEMS") from None


def _form_from(message: tests_pb2.TestBlueprint) -> AdaptiveForm | FixedForm:
    match message.WhichOneof("form"):
        case "fixed":
            items = [id_in(each, "items", f"fixed.items[{place}]") for place, each in enumerate(message.fixed.items)]
            return FixedForm(tuple(items), message.fixed.shuffled)
        case "adaptive":
            form = message.adaptive
            return AdaptiveForm(
                max_length=form.max_length,
                min_length=form.min_length or 1,
                standard_error=form.standard_error if form.HasField("standard_error") else None,
                start_ability=form.start_ability if form.HasField("start_ability") else None,
                easier_by=form.easier_by,
                easy_items=form.easy_items,
                exposure=_exposure_from(form),
            )
    raise InvalidInput.of("form", "must be given: adaptive or fixed")


def _exposure_from(form: tests_pb2.AdaptiveForm) -> Randomesque | SympsonHetter | None:
    match form.WhichOneof("exposure"):
        case "randomesque":
            return Randomesque(form.randomesque.size)
        case "sympson_hetter":
            return SympsonHetter(form.sympson_hetter.max_rate)
    return None


def _area_from(area: tests_pb2.ContentArea, field: str) -> ContentArea:
    return ContentArea(
        skill=id_in(area.skill, "skills", f"{field}.skill"),
        min_share=area.min_share,
        max_share=area.max_share if area.HasField("max_share") else 1.0,
        min_count=area.min_count,
        max_count=area.max_count if area.HasField("max_count") else None,
    )


def _prior_from(prior: tests_pb2.AbilityPrior) -> Prior:
    return Prior(prior.mean, prior.deviation or 1.0)


def _norm_from(norm: tests_pb2.PercentileNorm) -> Norm | None:
    match norm.WhichOneof("reference"):
        case "normal":
            return NormalNorm(_prior_from(norm.normal))
        case "table":
            return TableNorm(tuple((each.ability, each.percentile) for each in norm.table.rows))
    return None


def blueprint_message(blueprint: Blueprint) -> tests_pb2.TestBlueprint:
    message = tests_pb2.TestBlueprint(
        name=f"testBlueprints/{blueprint.id}",
        title=blueprint.title,
        course=f"courses/{blueprint.course}",
        bank_version=_version_name(blueprint.bank, blueprint.bank_version),
        content_areas=map(_area_message, blueprint.areas),
        prior=_prior_message(blueprint.prior),
        time_limit=duration(blueprint.time_limit) if blueprint.time_limit is not None else None,
        retakes=tests_pb2.RetakePolicy(max_sessions=blueprint.retakes.max_sessions, wait=duration(blueprint.retakes.wait)),
        norm=_norm_message(blueprint.norm),
        visibility=_VISIBILITY_NUMBERS[blueprint.visibility],
        pool_size=blueprint.pool_size,
        warnings=blueprint.warnings,
        create_time=timestamp(blueprint.created_at) if blueprint.created_at else None,
        retire_time=timestamp(blueprint.retired_at) if blueprint.retired_at else None,
    )
    match blueprint.form:
        case FixedForm(items, shuffled):
            message.fixed.MergeFrom(tests_pb2.FixedForm(items=[f"items/{each}" for each in items], shuffled=shuffled))
        case AdaptiveForm() as form:
            message.adaptive.MergeFrom(_adaptive_message(form))
    return message


def _adaptive_message(form: AdaptiveForm) -> tests_pb2.AdaptiveForm:
    message = tests_pb2.AdaptiveForm(
        min_length=form.min_length,
        max_length=form.max_length,
        standard_error=form.standard_error,
        start_ability=form.start_ability,
        easier_by=form.easier_by,
        easy_items=form.easy_items,
    )
    match form.exposure:
        case Randomesque(size):
            message.randomesque.size = size
        case SympsonHetter(rate):
            message.sympson_hetter.max_rate = rate
    return message


def _area_message(area: ContentArea) -> tests_pb2.ContentArea:
    return tests_pb2.ContentArea(
        skill=f"skills/{area.skill}",
        min_share=area.min_share,
        max_share=area.max_share,
        min_count=area.min_count,
        max_count=area.max_count,
    )


def _prior_message(prior: Prior) -> tests_pb2.AbilityPrior:
    return tests_pb2.AbilityPrior(mean=prior.mean, deviation=prior.deviation)


def _norm_message(norm: Norm | None) -> tests_pb2.PercentileNorm | None:
    match norm:
        case NormalNorm(population):
            return tests_pb2.PercentileNorm(normal=_prior_message(population))
        case TableNorm(rows):
            table = [tests_pb2.PercentileRow(ability=ability, percentile=percentile) for ability, percentile in rows]
            return tests_pb2.PercentileNorm(table=tests_pb2.PercentileTable(rows=table))
    return None


def submission_in_test(request: pb.AnswerTestItemRequest) -> Submission:
    """Raises InvalidInput naming the field at fault. The course is the session's, which only its keeper knows."""
    learner, session = session_in(request.name)
    return Submission(
        id=canonical_uuid(request.request_id, "request_id"),
        learner=learner,
        course="",
        item=id_in(request.item, "items", "item"),
        answer=answer_from(request.answer),
        response_time=span(request.response_time, "response_time") if request.HasField("response_time") else None,
        test_session=session,
    )


def session_in(name: str) -> tuple[str, str]:
    """The learner and the session that a name names."""
    learner, session = ids_in(name, ("learners", "testSessions"))
    return learner, canonical_uuid(session, "name")


def session_message(view: SessionView, *, selections: bool) -> pb.TestSession:
    """`selections` says whether the caller may see how items were chosen."""
    session = view.session
    return pb.TestSession(
        name=f"learners/{session.learner}/testSessions/{session.id}",
        blueprint=f"testBlueprints/{session.blueprint}",
        title=session.title,
        state=_STATES[session.state],
        answered_count=session.answered_count,
        min_length=session.min_length,
        max_length=session.max_length,
        item=view_message(view.item) if view.item else None,
        start_time=timestamp(session.started_at),
        deadline=timestamp(session.deadline) if session.deadline else None,
        end_time=timestamp(session.ended_at) if session.ended_at else None,
        result=_result_message(session.result) if session.result else None,
        steps=[_step_message(session.learner, each, selections) for each in session.steps],
    )


def _result_message(result: Result) -> pb.TestResult:
    return pb.TestResult(
        ability=_score_message(result.ability),
        percentile=result.percentile,
        correct_count=result.correct_count,
        answered_count=result.answered_count,
        areas=[
            pb.AreaResult(
                skill=f"skills/{each.skill}",
                correct_count=each.correct_count,
                answered_count=each.answered_count,
                ability=_score_message(each.ability),
            )
            for each in result.areas
        ],
    )


def _score_message(score: Score | None) -> pb.TestScore | None:
    return pb.TestScore(mean=score.mean, standard_error=score.error) if score else None


def _step_message(learner: str, step: Step, selections: bool) -> pb.TestStep:
    return pb.TestStep(
        item=f"items/{step.item}",
        revision=step.revision,
        serve_time=timestamp(step.served_at),
        response=f"learners/{learner}/responses/{step.response}" if step.response else "",
        correct=step.correct,
        score=step.score,
        answer_time=timestamp(step.answered_at) if step.answered_at else None,
        selection=_selection_message(step.selection) if selections else None,
    )


def _selection_message(selection: Selection) -> pb.TestSelection:
    return pb.TestSelection(
        ability=_score_message(selection.ability),
        aim=selection.aim,
        information=selection.information,
        propensity=selection.propensity,
        content_area=f"skills/{selection.area}" if selection.area else "",
    )
