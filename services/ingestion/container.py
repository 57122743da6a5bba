"""Builds the ingestion context."""

import asyncio

import structlog
from dependency_injector import containers, providers
from paideia.ingestion.v1 import ingestion_service_pb2_grpc
from redis.asyncio import Redis

from adapters.ingestion.kafka import KafkaEventLog
from adapters.ingestion.kafka_usual_shape import QuickExaminer
from adapters.ingestion.redis import RedisEventCounter
from adapters.shared.resources import Resources
from adapters.shared.round_producer import RoundProducer
from adapters.shared.topics import ensure_topics
from domain.ingestion.use_cases.get_usage import GetUsage
from domain.ingestion.use_cases.ingest_events import IngestEvents
from domain.shared.clock import Clock
from domain.shared.errors import Unavailable
from services.ingestion.servicer import IngestionServicer
from services.shared.context import Context

log = structlog.get_logger()


class IngestionContainer(containers.DeclarativeContainer):
    producer = providers.Dependency(instance_of=RoundProducer)
    clock: providers.Dependency[Clock] = providers.Dependency()
    event_log = providers.Singleton(KafkaEventLog, producer)
    redis = providers.Dependency(instance_of=Redis)
    counter = providers.Singleton(RedisEventCounter, redis)
    examine = providers.Object(QuickExaminer())
    ingest_events = providers.Factory(IngestEvents, log=event_log, examine=examine, clock=clock, counter=counter)
    get_usage = providers.Factory(GetUsage, counter=counter, clock=clock)
    servicer = providers.Factory(IngestionServicer, ingest_events, get_usage)


async def open_context(resources: Resources) -> Context:
    producer = RoundProducer(resources.settings.kafka_bootstrap)
    container = IngestionContainer(producer=producer, redis=resources.redis(), clock=resources.clock)
    servicer = container.servicer()

    async def create_topics() -> None:
        while True:
            try:
                await ensure_topics(resources.settings.kafka_bootstrap)
                return
            except Unavailable as error:
                log.warning("the topics wait for the broker", error=error.message)
                await asyncio.sleep(error.retry_after.total_seconds())

    return Context(
        name="ingestion",
        add_to_server=lambda server: ingestion_service_pb2_grpc.add_IngestionServiceServicer_to_server(servicer, server),
        ready=producer.ready,
        jobs=(create_topics,),
        close=producer.close,
    )
