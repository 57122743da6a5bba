"""Puts progress together."""

from datetime import datetime
from typing import Any

from dependency_injector import containers, providers
from paideia.progress.v1.progress_service_pb2_grpc import add_ProgressServiceServicer_to_server

from adapters.progress.kafka import progress_updated
from adapters.progress.personal_records import learners_in_progress
from adapters.progress.postgres import PostgresProgressUnit
from adapters.shared.consumer import ConsumerRuntime
from adapters.shared.erased_people import ErasedPeople
from adapters.shared.personal_files import personal_files
from adapters.shared.request_ledger import PostgresRequestLedger
from adapters.shared.resources import Resources
from domain.progress.use_cases.get_attempt import GetAttempt
from domain.progress.use_cases.get_mastery import GetMastery
from domain.progress.use_cases.get_model_version import GetModelVersion
from domain.progress.use_cases.get_skill_mastery import GetSkillMastery
from domain.progress.use_cases.list_attempts import ListAttempts
from domain.progress.use_cases.list_model_versions import ListModelVersions
from domain.progress.use_cases.list_skill_masteries import ListSkillMasteries
from domain.progress.use_cases.recompute_mastery import RecomputeMastery
from domain.progress.use_cases.record_attempts import RecordAttempts
from domain.progress.versions import MODELS
from domain.shared.clock import Clock
from services.progress.consumers import TOPICS, CountAttempts
from services.progress.group_commit import GroupCommit
from services.progress.servicer import ProgressServicer, ProgressUseCases
from services.shared.context import Context
from services.shared.erased import WithoutErased
from services.shared.privacy import ORDERS, PrivacyOrders


class ProgressContainer(containers.DeclarativeContainer):
    pool: providers.Dependency[Any] = providers.Dependency()
    clock: providers.Dependency[Clock] = providers.Dependency()
    known_months: providers.Singleton[set[datetime]] = providers.Singleton(set)
    unit = providers.Factory(PostgresProgressUnit, pool, known_months)
    record_attempts = providers.Factory(RecordAttempts, new_unit=unit.provider, clock=clock)
    models = providers.Object(MODELS)
    use_cases = providers.Factory(
        ProgressUseCases,
        get_mastery=providers.Factory(GetMastery, new_unit=unit.provider, models=models, clock=clock),
        get_skill_mastery=providers.Factory(GetSkillMastery, new_unit=unit.provider, models=models, clock=clock),
        get_attempt=providers.Factory(GetAttempt, new_unit=unit.provider),
        list_attempts=providers.Factory(ListAttempts, new_unit=unit.provider),
        list_skill_masteries=providers.Factory(ListSkillMasteries, new_unit=unit.provider, models=models, clock=clock),
        recompute_mastery=providers.Factory(RecomputeMastery, new_unit=unit.provider, models=models, clock=clock),
        get_model_version=providers.Factory(GetModelVersion, models),
        list_model_versions=providers.Factory(ListModelVersions, models),
    )
    servicer = providers.Factory(
        ProgressServicer,
        record=providers.Factory(GroupCommit, record_attempts),
        use_cases=use_cases,
        update_message=providers.Object(progress_updated),
    )
    count_attempts = providers.Factory(CountAttempts, record_attempts)


async def open_context(resources: Resources) -> Context:
    pool = await resources.pool("progress")
    engine = await resources.engine("progress")
    container = ProgressContainer(pool=providers.Object(pool), clock=providers.Object(resources.clock))
    count_attempts = WithoutErased("progress", container.count_attempts(), ErasedPeople(pool))
    consumer = ConsumerRuntime(resources.settings.kafka_bootstrap, "progress", TOPICS, count_attempts, resources.producer())
    privacy = ConsumerRuntime(
        resources.settings.kafka_bootstrap,
        "progress-privacy",
        [ORDERS],
        PrivacyOrders(
            "progress", learners_in_progress(pool), personal_files(resources.settings), resources.producer(), resources.clock
        ),
        resources.producer(),
    )

    async def ready() -> None:
        await pool.fetchval("SELECT 1", timeout=2)

    return Context(
        name="progress",
        add_to_server=lambda server: add_ProgressServiceServicer_to_server(container.servicer(), server),
        ready=ready,
        jobs=(consumer.run, privacy.run),
        # Its entry commits by itself, after the repair: a request that is repeated in between finds nothing to repair any more.
        ledger=PostgresRequestLedger(engine),
        publishes=True,
    )
