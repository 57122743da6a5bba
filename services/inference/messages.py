"""Between inference's messages and its domain."""

from collections.abc import Sequence

from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.struct_pb2 import Struct
from paideia.inference.v1 import inference_service_pb2 as pb

from domain.inference.artifact import LARGEST
from domain.inference.history import MOST_SKILLS
from domain.inference.model import ModelChange, RegisteredModel
from domain.inference.response_model import Candidate
from domain.inference.use_cases.explain_prediction import Explained
from domain.inference.use_cases.predict_responses import Predicted
from domain.inference.use_cases.register_model import NewModel
from domain.inference.use_cases.stage_model import StageOrder
from domain.shared.errors import InvalidInput
from domain.shared.ids import canonical_uuid, chosen_id
from domain.shared.rollout import Stage
from services.shared.etags import revision_in
from services.shared.names import id_in
from services.shared.times import timestamp

MOST_ITEMS = 500
MOST_LEARNERS = 200
MOST_PREDICTIONS = 10_000
_STAGES: dict[Stage, pb.ModelStage] = {stage: getattr(pb, f"MODEL_STAGE_{stage.name}") for stage in Stage}
_STAGE_OF = {number: stage for stage, number in _STAGES.items()}


def new_model(request: pb.RegisterModelRequest) -> NewModel:
    canonical_uuid(request.request_id, "request_id")
    if not 0 < len(request.artifact) <= LARGEST:
        raise InvalidInput.of("artifact", f"must have 1 to {LARGEST:,} bytes")
    return NewModel(chosen_id(request.model_id, "model_id"), request.artifact, request.digest, request.description)


def stage_order(request: pb.StageModelRequest) -> StageOrder:
    canonical_uuid(request.request_id, "request_id")
    if request.stage not in _STAGE_OF:
        raise InvalidInput.of("stage", f"must be one of {', '.join(stage.name for stage in Stage)}")
    revision = revision_in(request.etag, "model")
    return StageOrder(id_in(request.name, "models"), _STAGE_OF[request.stage], request.share, revision)


def model_in(name: str) -> str | None:
    """Returns the id of the model that is to be asked, None for the one that serves."""
    return id_in(name, "models", "model") if name else None


def learners_in(request: pb.BatchPredictResponsesRequest) -> list[str]:
    learners = [id_in(each, "learners", "learners") for each in request.learners]
    if not 1 <= len(learners) <= MOST_LEARNERS or len(set(learners)) < len(learners):
        raise InvalidInput.of("learners", f"must be 1 to {MOST_LEARNERS}, each once")
    if len(learners) * len(request.items) > MOST_PREDICTIONS:
        raise InvalidInput.of("items", f"must be fewer: learners times items is at most {MOST_PREDICTIONS:,}")
    return learners


def candidates_in(items: Sequence[pb.ItemToPredict]) -> list[Candidate]:
    if not 1 <= len(items) <= MOST_ITEMS:
        raise InvalidInput.of("items", f"must be 1 to {MOST_ITEMS}")
    candidates = [candidate_in(each, "items") for each in items]
    if len({each.item for each in candidates}) < len(candidates):
        raise InvalidInput.of("items", "must name each item once")
    return candidates


def candidate_in(message: pb.ItemToPredict, field: str) -> Candidate:
    skills = tuple([id_in(each, "skills", f"{field}.skills") for each in message.skills])
    if len(skills) > MOST_SKILLS or len(set(skills)) < len(skills):
        raise InvalidInput.of(f"{field}.skills", f"must be at most {MOST_SKILLS}, each once")
    return Candidate(id_in(message.item, "items", f"{field}.item"), skills)


def model_message(model: RegisteredModel, changes: Sequence[ModelChange] = ()) -> pb.Model:
    standing = model.standing
    return pb.Model(
        name=_name(model.id),
        kind=model.kind,
        version=model.version,
        digest=model.digest,
        artifact_size=model.size,
        description=model.description,
        evaluation=_struct(model),
        stage=_STAGES[standing.stage],
        share=standing.share,
        replaced=_name(standing.replaced) if standing.replaced else "",
        create_time=timestamp(model.created_at),
        etag=str(standing.revision),
        changes=[_change(each) for each in changes],
    )


def predictions_message(predicted: Predicted, items: Sequence[Candidate]) -> pb.PredictResponsesResponse:
    return pb.PredictResponsesResponse(
        predictions=_predictions(predicted, items), model=_name(predicted.model.id), history_size=predicted.history_size
    )


def learner_message(predicted: Predicted, items: Sequence[Candidate]) -> pb.LearnerPredictions:
    return pb.LearnerPredictions(
        learner=f"learners/{predicted.learner}",
        predictions=_predictions(predicted, items),
        model=_name(predicted.model.id),
        history_size=predicted.history_size,
    )


def explanation_message(explained: Explained) -> pb.PredictionExplanation:
    told = explained.explanation
    return pb.PredictionExplanation(
        correct_probability=told.probability,
        base_probability=told.base,
        factors=[pb.PredictionFactor(name=each.name, fact=each.fact, effect=each.effect) for each in told.factors],
        text=told.text(),
        model=_name(explained.model.id),
        history_size=explained.history_size,
    )


def _predictions(predicted: Predicted, items: Sequence[Candidate]) -> list[pb.Prediction]:
    told = zip(items, predicted.probabilities, predicted.known, strict=True)
    return [pb.Prediction(item=f"items/{each.item}", correct_probability=value, item_known=known) for each, value, known in told]


def _struct(model: RegisteredModel) -> Struct:
    try:
        return ParseDict(dict(model.evaluation), Struct())
    except ParseError:  # its training told it in a way that a message cannot
        return Struct()


def _change(change: ModelChange) -> pb.ModelChange:
    return pb.ModelChange(
        stage=_STAGES[change.after.stage],
        share=change.after.share,
        user=f"users/{change.by}",
        change_time=timestamp(change.at),
    )


def _name(model_id: str) -> str:
    return f"models/{model_id}"
