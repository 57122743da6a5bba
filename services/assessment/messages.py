"""Between assessment's messages and the domain. Nothing of a key is ever written here but what the learner has earned."""

from collections.abc import Iterable

from paideia.assessment.v1 import assessment_service_pb2 as pb
from paideia.catalog.v1 import item_pb2

from domain.assessment.model.answers import (
    Answer,
    ChoiceAnswer,
    ClozeAnswer,
    GapAnswer,
    MatchingAnswer,
    NumericAnswer,
    OrderingAnswer,
    ShortTextAnswer,
)
from domain.assessment.model.items import (
    Body,
    ChoiceInteraction,
    ClozeInteraction,
    GapInteraction,
    MatchingInteraction,
    NumericInteraction,
    Option,
    OrderingInteraction,
    ShortTextInteraction,
)
from domain.assessment.model.responses import ItemView, Response, RevealedHint, Submission
from domain.shared.ids import canonical_uuid
from services.shared.names import id_in
from services.shared.times import duration, span, timestamp, when


def submission_from(request: pb.SubmitResponseRequest) -> Submission:
    """Raises InvalidInput naming the field at fault."""
    return Submission(
        id=canonical_uuid(request.request_id, "request_id"),
        learner=id_in(request.learner, "learners", "learner"),
        course=id_in(request.course, "courses", "course"),
        item=id_in(request.item, "items", "item"),
        answer=answer_from(request.answer),
        decision=canonical_uuid(id_in(request.decision, "decisions", "decision"), "decision") if request.decision else "",
        response_time=span(request.response_time, "response_time") if request.HasField("response_time") else None,
        answered_at=when(request.answer_time, "answer_time") if request.HasField("answer_time") else None,
    )


def answer_from(message: pb.Answer) -> Answer | None:
    """Returns None for an answer without a kind."""
    match message.WhichOneof("kind"):
        case "ordering":
            return OrderingAnswer(tuple(message.ordering.order))
        case "matching":
            return MatchingAnswer(dict(message.matching.matches))
        case "cloze":
            return ClozeAnswer({gap: _gap_answer_from(each) for gap, each in message.cloze.gaps.items()})
    return _gap_answer_from(message)


def _gap_answer_from(message: pb.Answer | pb.GapAnswer) -> GapAnswer | None:
    match message.WhichOneof("kind"):
        case "choice":
            return ChoiceAnswer(tuple(message.choice.chosen))
        case "numeric":
            return NumericAnswer(message.numeric.value, message.numeric.unit)
        case "short_text":
            return ShortTextAnswer(message.short_text.text)
    return None


def answer_message(answer: Answer) -> pb.Answer:
    match answer:
        case OrderingAnswer():
            return pb.Answer(ordering=pb.OrderingAnswer(order=answer.order))
        case MatchingAnswer():
            return pb.Answer(matching=pb.MatchingAnswer(matches=answer.matches))
        case ClozeAnswer():
            gaps = {gap: pb.GapAnswer(**_gap_answer(each)) for gap, each in answer.gaps.items() if each is not None}  # type: ignore[arg-type]
            return pb.Answer(cloze=pb.ClozeAnswer(gaps=gaps))
    return pb.Answer(**_gap_answer(answer))  # type: ignore[arg-type]


def _gap_answer(answer: GapAnswer) -> dict[str, pb.ChoiceAnswer | pb.NumericAnswer | pb.ShortTextAnswer]:
    match answer:
        case ChoiceAnswer():
            return {"choice": pb.ChoiceAnswer(chosen=answer.chosen)}
        case NumericAnswer():
            return {"numeric": pb.NumericAnswer(value=answer.value, unit=answer.unit)}
        case ShortTextAnswer():
            return {"short_text": pb.ShortTextAnswer(text=answer.text)}


def response_message(response: Response) -> pb.Response:
    return pb.Response(
        name=f"learners/{response.learner}/responses/{response.id}",
        course=f"courses/{response.course}",
        item=f"items/{response.item}",
        item_revision=response.item_revision,
        answer=answer_message(response.answer),
        score=response.score,
        correct=response.correct,
        feedback=response.feedback,
        explanation=response.explanation,
        hints_revealed=response.hints_revealed,
        decision=f"decisions/{response.decision}" if response.decision else "",
        response_time=None if response.response_time is None else duration(response.response_time),
        answer_time=timestamp(response.answered_at),
        test_session=f"learners/{response.learner}/testSessions/{response.test_session}" if response.test_session else "",
    )


def hint_message(hint: RevealedHint) -> pb.Hint:
    return pb.Hint(number=hint.number, text=hint.text, remaining=hint.remaining)


def view_message(view: ItemView) -> pb.ItemView:
    return pb.ItemView(
        name=f"learners/{view.learner}/items/{view.item}",
        course=f"courses/{view.course}",
        revision=view.revision,
        body=body_message(view.body),
        hint_count=view.hint_count,
        revealed_hints=view.revealed_hints,
    )


def body_message(body: Body) -> item_pb2.Body:
    message = item_pb2.Body(stem=body.stem)
    match body.interaction:
        case OrderingInteraction(entries):
            message.ordering.entries.extend(_options(entries))
        case MatchingInteraction(sources, targets):
            message.matching.sources.extend(_options(sources))
            message.matching.targets.extend(_options(targets))
        case ClozeInteraction(gaps):
            for gap in gaps:
                _write(message.cloze.gaps.add(id=gap.id), gap.interaction)
        case _:
            _write(message, body.interaction)
    return message


def _write(message: item_pb2.Body | item_pb2.Gap, interaction: GapInteraction | None) -> None:
    match interaction:
        case ChoiceInteraction(choices, multiple, fixed_order):
            message.choice.MergeFrom(
                item_pb2.ChoiceInteraction(choices=_options(choices), multiple=multiple, fixed_order=fixed_order)
            )
        case NumericInteraction(units):
            message.numeric.MergeFrom(item_pb2.NumericInteraction(units=units))
            message.numeric.SetInParent()
        case ShortTextInteraction():
            message.short_text.MergeFrom(item_pb2.ShortTextInteraction(max_length=interaction.longest))


def _options(options: Iterable[Option]) -> list[item_pb2.Option]:
    return [item_pb2.Option(id=each.id, text=each.text) for each in options]
