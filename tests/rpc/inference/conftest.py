"""Inference behind the real interceptors, wired by its own container over memory."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from dependency_injector import providers
from paideia.inference.v1 import inference_service_pb2 as pb
from paideia.inference.v1.inference_service_pb2_grpc import InferenceServiceStub, add_InferenceServiceServicer_to_server
from paideia.ingestion.v1.events_pb2 import Attempt, LearningEvent

from adapters.inference.memory import AtOnce, MemoryArtifacts, MemoryInferenceStore
from domain.inference.artifact import digest_of
from services.inference.container import InferenceContainer
from services.shared.times import timestamp
from tests.rpc.serving import Calls, serving
from tests.unit.inference.making import NOW, artifact


def register_request(model_id: str = "next", kind: str = "logistic", **fields: Any) -> pb.RegisterModelRequest:
    told = {"artifact": artifact(kind), "digest": digest_of(artifact(kind))} | fields
    return pb.RegisterModelRequest(request_id=str(uuid4()), model_id=model_id, **told)


def stage_request(model_id: str, stage: str, share: float = 0.0, etag: str = "") -> pb.StageModelRequest:
    return pb.StageModelRequest(
        request_id=str(uuid4()), name=f"models/{model_id}", stage=f"MODEL_STAGE_{stage}", share=share, etag=etag
    )


def predict_request(*items: str, learner: str = "ada", model: str = "") -> pb.PredictResponsesRequest:
    return pb.PredictResponsesRequest(
        learner=f"learners/{learner}",
        items=[pb.ItemToPredict(item=f"items/{each}") for each in items or ("easy", "hard")],
        model=f"models/{model}" if model else "",
    )


def attempt(number: int, correct: bool = True, item: str = "easy", learner: str = "ada", **fields: Any) -> LearningEvent:
    event = LearningEvent(
        id=str(UUID(int=number)),
        learner=f"learners/{learner}",
        occur_time=timestamp(NOW + timedelta(minutes=number)),
        attempt=Attempt(item=f"items/{item}", skills=["skills/adding"], correct=correct),
    )
    for name, value in fields.items():
        setattr(event, name, value)
    return event


@dataclass(frozen=True)
class LogMessage:
    value: bytes
    organization: str = "north"


@dataclass
class Inference:
    stub: InferenceServiceStub
    calls: Calls
    container: InferenceContainer
    store: MemoryInferenceStore
    artifacts: MemoryArtifacts

    async def __call__(self, method: str, message: object, *roles: str, organization: str = "north") -> Any:
        metadata = self.calls.as_(organization, "root", *(roles or ("ADMIN",)))
        return await getattr(self.stub, method)(message, metadata=metadata)

    async def hear(self, *events: LearningEvent) -> None:
        await self.container.user_attempts()([LogMessage(each.SerializeToString()) for each in events])

    async def canary(self, model_id: str, share: float = 0.5, **fields: Any) -> None:
        await self("RegisterModel", register_request(model_id, **fields))
        await self("StageModel", stage_request(model_id, "SHADOW"))
        await self("StageModel", stage_request(model_id, "CANARY", share))

    async def live(self, model_id: str, **fields: Any) -> None:
        await self.canary(model_id, **fields)
        await self("StageModel", stage_request(model_id, "LIVE"))


@pytest.fixture
async def inference() -> AsyncIterator[Inference]:
    store, artifacts = MemoryInferenceStore(), MemoryArtifacts()
    container = InferenceContainer(
        unit=providers.Factory(store.unit),
        artifacts=providers.Object(artifacts),
        compute=providers.Singleton(AtOnce),
        clock=providers.Object(lambda: NOW + timedelta(days=1)),
    )
    servicer = container.servicer()
    async with serving(lambda server: add_InferenceServiceServicer_to_server(servicer, server)) as calls:
        yield Inference(InferenceServiceStub(calls.channel), calls, container, store, artifacts)
