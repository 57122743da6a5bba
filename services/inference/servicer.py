"""The gRPC face of inference: messages in, use case, message out."""

from dataclasses import dataclass
from typing import Any, TypeAlias

from grpc.aio import ServicerContext
from paideia.inference.v1 import inference_service_pb2 as pb
from paideia.inference.v1.inference_service_pb2_grpc import InferenceServiceServicer

from domain.inference.use_cases.explain_prediction import ExplainPrediction
from domain.inference.use_cases.get_model import GetModel
from domain.inference.use_cases.list_models import ListModels
from domain.inference.use_cases.predict_responses import PredictResponses
from domain.inference.use_cases.register_model import RegisterModel
from domain.inference.use_cases.roll_back_model import RollBackModel
from domain.inference.use_cases.stage_model import StageModel
from domain.shared.ids import canonical_uuid
from services.inference import messages
from services.shared.call import caller
from services.shared.etags import revision_in
from services.shared.names import id_in
from services.shared.paging import next_token, page_request

Call: TypeAlias = "ServicerContext[Any, Any]"


@dataclass(frozen=True)
class InferenceUseCases:
    """What the servicer serves; the container fills it by name."""

    register_model: RegisterModel
    get_model: GetModel
    list_models: ListModels
    stage_model: StageModel
    roll_back_model: RollBackModel
    predict_responses: PredictResponses
    explain_prediction: ExplainPrediction


class InferenceServicer(InferenceServiceServicer):
    def __init__(self, use_cases: InferenceUseCases) -> None:
        self._use = use_cases

    async def RegisterModel(self, request: pb.RegisterModelRequest, context: Call) -> pb.Model:
        return messages.model_message(await self._use.register_model(caller(context), messages.new_model(request)))

    async def GetModel(self, request: pb.GetModelRequest, context: Call) -> pb.Model:
        return messages.model_message(*await self._use.get_model(caller(context), id_in(request.name, "models")))

    async def ListModels(self, request: pb.ListModelsRequest, context: Call) -> pb.ListModelsResponse:
        page = await self._use.list_models(caller(context), page_request(request.page_size, request.page_token))
        return pb.ListModelsResponse(models=map(messages.model_message, page.elements), next_page_token=next_token(page))

    async def StageModel(self, request: pb.StageModelRequest, context: Call) -> pb.Model:
        return messages.model_message(await self._use.stage_model(caller(context), messages.stage_order(request)))

    async def RollBackModel(self, request: pb.RollBackModelRequest, context: Call) -> pb.RollBackModelResponse:
        canonical_uuid(request.request_id, "request_id")
        model_id, revision = id_in(request.name, "models"), revision_in(request.etag, "model")
        retired, live = await self._use.roll_back_model(caller(context), model_id, revision)
        return pb.RollBackModelResponse(
            retired=messages.model_message(retired), live=messages.model_message(live) if live else None
        )

    async def PredictResponses(self, request: pb.PredictResponsesRequest, context: Call) -> pb.PredictResponsesResponse:
        items, model = messages.candidates_in(request.items), messages.model_in(request.model)
        learner = id_in(request.learner, "learners", "learner")
        (predicted,) = await self._use.predict_responses(caller(context), [learner], items, model)
        return messages.predictions_message(predicted, items)

    async def BatchPredictResponses(
        self, request: pb.BatchPredictResponsesRequest, context: Call
    ) -> pb.BatchPredictResponsesResponse:
        items, model = messages.candidates_in(request.items), messages.model_in(request.model)
        predicted = await self._use.predict_responses(caller(context), messages.learners_in(request), items, model)
        return pb.BatchPredictResponsesResponse(learners=[messages.learner_message(each, items) for each in predicted])

    async def ExplainPrediction(self, request: pb.ExplainPredictionRequest, context: Call) -> pb.PredictionExplanation:
        learner, item = id_in(request.learner, "learners", "learner"), messages.candidate_in(request.item, "item")
        model = messages.model_in(request.model)
        return messages.explanation_message(await self._use.explain_prediction(caller(context), learner, item, model))
