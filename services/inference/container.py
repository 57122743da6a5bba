"""Puts inference together."""

from dependency_injector import containers, providers
from paideia.inference.v1.inference_service_pb2_grpc import add_InferenceServiceServicer_to_server
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.inference.personal_records import learners_in_inference
from adapters.inference.postgres import PostgresInferenceUnit
from adapters.inference.s3 import S3Artifacts
from adapters.inference.shelf import CachedShelf, Threads
from adapters.shared.consumer import ConsumerRuntime
from adapters.shared.erased_people import ErasedPeople
from adapters.shared.personal_files import personal_files
from adapters.shared.request_ledger import PostgresRequestLedger
from adapters.shared.resources import Resources
from adapters.shared.s3 import s3_client
from domain.inference.ports import ArtifactStore
from domain.inference.shadowing import Shadowing
from domain.inference.use_cases.explain_prediction import ExplainPrediction
from domain.inference.use_cases.get_model import GetModel
from domain.inference.use_cases.list_models import ListModels
from domain.inference.use_cases.predict_responses import PredictResponses
from domain.inference.use_cases.record_answers import RecordAnswers
from domain.inference.use_cases.register_model import RegisterModel
from domain.inference.use_cases.roll_back_model import RollBackModel
from domain.inference.use_cases.stage_model import StageModel
from domain.shared.clock import Clock
from services.inference.consumers import USER_ATTEMPTS, UserAttempts
from services.inference.metrics import count_prediction, note_failed_shadow
from services.inference.servicer import InferenceServicer, InferenceUseCases
from services.shared.context import Context
from services.shared.erased import WithoutErased
from services.shared.privacy import ORDERS, PrivacyOrders


class InferenceContainer(containers.DeclarativeContainer):
    """`unit`, `artifacts` and `compute` are what a test replaces."""

    engine = providers.Dependency(instance_of=AsyncEngine)
    artifacts: providers.Dependency[ArtifactStore] = providers.Dependency()
    clock: providers.Dependency[Clock] = providers.Dependency()

    unit = providers.Factory(PostgresInferenceUnit, engine)
    compute = providers.Singleton(Threads)
    shelf = providers.Singleton(CachedShelf, artifacts, compute)
    shadowing = providers.Singleton(
        Shadowing,
        new_unit=unit.provider,
        shelf=shelf,
        compute=compute,
        count=providers.Object(count_prediction),
        failed=providers.Object(note_failed_shadow),
    )
    use_cases = providers.Factory(
        InferenceUseCases,
        register_model=providers.Factory(
            RegisterModel, new_unit=unit.provider, artifacts=artifacts, compute=compute, clock=clock
        ),
        get_model=providers.Factory(GetModel, new_unit=unit.provider),
        list_models=providers.Factory(ListModels, new_unit=unit.provider),
        stage_model=providers.Factory(StageModel, new_unit=unit.provider, clock=clock),
        roll_back_model=providers.Factory(RollBackModel, new_unit=unit.provider, clock=clock),
        predict_responses=providers.Factory(
            PredictResponses, new_unit=unit.provider, shelf=shelf, compute=compute, shadowing=shadowing, clock=clock
        ),
        explain_prediction=providers.Factory(
            ExplainPrediction, new_unit=unit.provider, shelf=shelf, compute=compute, clock=clock
        ),
    )
    servicer = providers.Factory(InferenceServicer, use_cases)
    ledger = providers.Singleton(PostgresRequestLedger, engine)
    user_attempts = providers.Factory(UserAttempts, providers.Factory(RecordAnswers, new_unit=unit.provider))


async def open_context(resources: Resources) -> Context:
    engine = await resources.engine("inference")
    settings = resources.settings
    container = InferenceContainer(
        engine=providers.Object(engine),
        artifacts=providers.Object(S3Artifacts(s3_client(settings), settings.models_bucket)),
        clock=providers.Object(resources.clock),
    )
    pool = await resources.pool("inference")
    user_attempts = WithoutErased("inference", container.user_attempts(), ErasedPeople(pool))
    attempts = ConsumerRuntime(
        settings.kafka_bootstrap, "inference", [USER_ATTEMPTS], user_attempts, resources.producer(), leisurely=True
    )
    privacy = ConsumerRuntime(
        settings.kafka_bootstrap,
        "inference-privacy",
        [ORDERS],
        PrivacyOrders(
            "inference",
            learners_in_inference(pool),
            personal_files(settings),
            resources.producer(),
            resources.clock,
        ),
        resources.producer(),
    )

    async def ready() -> None:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    return Context(
        name="inference",
        add_to_server=lambda server: add_InferenceServiceServicer_to_server(container.servicer(), server),
        ready=ready,
        jobs=(attempts.run, privacy.run, container.shadowing().run),
        ledger=container.ledger(),
        publishes=True,
        close=container.compute().close,
    )
