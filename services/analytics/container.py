"""Builds the analytics context: the lake's writers, and the reports."""

import asyncio

from dependency_injector import containers, providers
from paideia.analytics.v1.analytics_service_pb2_grpc import add_AnalyticsServiceServicer_to_server
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.analytics.exports_postgres import PostgresDueExports
from adapters.analytics.exports_s3 import S3ReportFiles
from adapters.analytics.iceberg import IcebergLake, IcebergTable, catalog_properties
from adapters.analytics.lake_maintenance import Upkeep
from adapters.analytics.lake_secrets import PostgresPseudonyms
from adapters.analytics.lake_source import TopicFrom
from adapters.analytics.lake_turn import turn_at_the_lake
from adapters.analytics.personal_records import LearnersInAnalytics
from adapters.analytics.postgres import PostgresAnalyticsUnit
from adapters.shared.consumer import ConsumerRuntime
from adapters.shared.erased_people import ErasedPeople
from adapters.shared.personal_files import personal_files
from adapters.shared.postgres_connections import REPORT_COMMAND_SECONDS, open_engine
from adapters.shared.request_ledger import PostgresRequestLedger
from adapters.shared.resources import Resources
from adapters.shared.s3 import s3_client
from domain.analytics.lake import ALL_TABLES, QUARANTINE, TABLES
from domain.analytics.ports import ReportFiles
from domain.analytics.use_cases.create_export import CreateExport
from domain.analytics.use_cases.get_export import GetExport
from domain.analytics.use_cases.get_usage import GetUsage
from domain.analytics.use_cases.list_exports import ListExports
from domain.analytics.use_cases.rebuild_reports import RebuildReports
from domain.analytics.use_cases.record_facts import RecordFacts
from domain.analytics.use_cases.run_report import RunReport
from domain.analytics.use_cases.write_export import WriteExport
from domain.shared.clock import Clock
from domain.shared.ids import random_id
from services.analytics.consumers import TOPICS, LogFacts
from services.analytics.export_writing import ExportWriting
from services.analytics.lake_writer import LakeWriter
from services.analytics.servicer import AnalyticsServicer, AnalyticsUseCases
from services.shared.context import Context, Job
from services.shared.erased import WithoutErased
from services.shared.privacy import ORDERS, PrivacyOrders

_COUNTING_CONNECTIONS = 4


class AnalyticsContainer(containers.DeclarativeContainer):
    """The reports' half. `unit`, `snapshot`, `due` and `files` are what a test replaces."""

    engine = providers.Dependency(instance_of=AsyncEngine)
    frozen_engine = providers.Dependency(instance_of=AsyncEngine)
    """The same, with every transaction a picture of one moment."""
    clock: providers.Dependency[Clock] = providers.Dependency()

    unit = providers.Factory(PostgresAnalyticsUnit, engine)
    snapshot = providers.Factory(PostgresAnalyticsUnit, frozen_engine)
    due = providers.Factory(PostgresDueExports, engine)
    files: providers.Dependency[ReportFiles] = providers.Dependency()

    use_cases = providers.Factory(
        AnalyticsUseCases,
        run_report=providers.Factory(RunReport, new_unit=unit.provider),
        rebuild_reports=providers.Factory(RebuildReports, new_unit=unit.provider),
        create_export=providers.Factory(CreateExport, new_unit=unit.provider, clock=clock, new_id=providers.Object(random_id)),
        get_usage=providers.Factory(GetUsage, new_unit=unit.provider, clock=clock),
        get_export=providers.Factory(GetExport, new_unit=unit.provider, files=files),
        list_exports=providers.Factory(ListExports, new_unit=unit.provider),
    )
    servicer = providers.Factory(AnalyticsServicer, use_cases)
    ledger = providers.Singleton(PostgresRequestLedger, engine, publishes=False)
    counting_engine = providers.Dependency(instance_of=AsyncEngine)
    """For what is counted from the log: less patient than reports, so that a dead connection does not hold the log up for as long."""
    counting = providers.Factory(PostgresAnalyticsUnit, counting_engine)
    log_facts = providers.Factory(LogFacts, providers.Factory(RecordFacts, new_unit=counting.provider))
    write_export = providers.Factory(
        WriteExport, new_unit=unit.provider, new_snapshot=snapshot.provider, due=due, files=files, clock=clock
    )


async def open_context(resources: Resources) -> Context:
    engine = await resources.engine("analytics", REPORT_COMMAND_SECONDS)
    counting_engine = open_engine(engine.url, _COUNTING_CONNECTIONS)
    settings = resources.settings
    container = AnalyticsContainer(
        engine=providers.Object(engine),
        counting_engine=providers.Object(counting_engine),
        frozen_engine=providers.Object(engine.execution_options(isolation_level="REPEATABLE READ")),
        clock=providers.Object(resources.clock),
        files=providers.Object(S3ReportFiles(s3_client(settings), settings.exports_bucket)),
    )
    pool = await resources.pool("analytics")
    log_facts = WithoutErased("analytics", container.log_facts(), ErasedPeople(pool))
    facts = ConsumerRuntime(
        settings.kafka_bootstrap,
        "analytics-reports",
        TOPICS,
        log_facts,
        resources.producer(),
        batch_size=1_000,
        leisurely=True,
    )
    pseudonyms = PostgresPseudonyms(counting_engine, settings.secret("lake_key").encode())
    privacy = ConsumerRuntime(
        resources.settings.kafka_bootstrap,
        "analytics-privacy",
        [ORDERS],
        PrivacyOrders(
            "analytics",
            LearnersInAnalytics(pool, pseudonyms),
            personal_files(resources.settings),
            resources.producer(),
            resources.clock,
        ),
        resources.producer(),
    )

    async def ready() -> None:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    return Context(
        name="analytics",
        add_to_server=lambda server: add_AnalyticsServiceServicer_to_server(container.servicer(), server),
        ready=ready,
        jobs=(lake_job(resources, engine, counting_engine), facts.run, privacy.run, ExportWriting(container.write_export()).run),
        ledger=container.ledger(),
        close=counting_engine.dispose,
    )


def lake_job(resources: Resources, engine: AsyncEngine, counting_engine: AsyncEngine) -> Job:
    """Returns the job that writes every table of the lake and keeps it tidy; the process to which `engine` gives the turn does it."""
    settings = resources.settings
    lake = IcebergLake(catalog_properties(settings))
    pseudonyms = PostgresPseudonyms(counting_engine, settings.secret("lake_key").encode())
    quarantine = IcebergTable(lake, QUARANTINE)
    writers = [
        LakeWriter(
            definition,
            IcebergTable(lake, definition),
            quarantine,
            pseudonyms,
            lambda topic, offsets: TopicFrom(settings.kafka_bootstrap, topic, offsets),
        )
        for definition in TABLES
    ]
    upkeep = Upkeep(lake, ALL_TABLES)

    async def lake_writers() -> None:
        async with turn_at_the_lake(engine), asyncio.TaskGroup() as together:
            for job in (upkeep.run, *(writer.run for writer in writers)):
                together.create_task(job())

    return lake_writers
