"""Puts assessment together."""

import asyncpg
from dependency_injector import containers, providers
from paideia.assessment.v1.assessment_service_pb2_grpc import add_AssessmentServiceServicer_to_server

from adapters.assessment.grpc import GrpcAttemptListener, GrpcCatalogContent, item_from
from adapters.assessment.postgres import PostgresHeldItems, PostgresHintUnit, PostgresResponses
from adapters.assessment.published_items import CachedPublishedItems
from adapters.assessment.re2 import Re2PatternMatcher
from adapters.shared.consumer import ConsumerRuntime
from adapters.shared.grpc import Channels
from adapters.shared.resources import Resources
from domain.assessment.use_cases.check_items import CheckItems
from domain.assessment.use_cases.get_item_view import GetItemView
from domain.assessment.use_cases.get_response import GetResponse
from domain.assessment.use_cases.learn_publication import LearnPublication
from domain.assessment.use_cases.list_responses import ListResponses
from domain.assessment.use_cases.reveal_hint import RevealHint
from domain.assessment.use_cases.submit_response import SubmitResponse
from domain.shared.clock import Clock
from services.assessment.consumers import PublicationConsumer
from services.assessment.servicer import AssessmentServicer
from services.shared.context import Context


class AssessmentContainer(containers.DeclarativeContainer):
    pool: providers.Dependency[asyncpg.Pool] = providers.Dependency(instance_of=asyncpg.Pool)
    channels: providers.Dependency[Channels] = providers.Dependency(instance_of=Channels)
    clock: providers.Dependency[Clock] = providers.Dependency()
    patterns = providers.Singleton(Re2PatternMatcher)
    items = providers.Singleton(
        CachedPublishedItems,
        catalog=providers.Factory(GrpcCatalogContent, channels),
        held=providers.Factory(PostgresHeldItems, pool),
    )
    responses = providers.Singleton(PostgresResponses, pool)
    unit = providers.Factory(PostgresHintUnit, pool)
    servicer = providers.Factory(
        AssessmentServicer,
        get_item_view=providers.Factory(GetItemView, items=items, new_unit=unit.provider),
        reveal_hint=providers.Factory(RevealHint, items=items, new_unit=unit.provider),
        submit_response=providers.Factory(
            SubmitResponse,
            items=items,
            responses=responses,
            listener=providers.Singleton(GrpcAttemptListener, channels),
            patterns=patterns,
            clock=clock,
        ),
        get_response=providers.Factory(GetResponse, responses=responses),
        list_responses=providers.Factory(ListResponses, responses=responses),
        check_items=providers.Factory(CheckItems, patterns=patterns),
        item_from=providers.Object(item_from),
    )
    publications = providers.Factory(PublicationConsumer, providers.Factory(LearnPublication, items=items))


async def open_context(resources: Resources) -> Context:
    pool = await resources.pool("assessment")
    container = AssessmentContainer(
        pool=providers.Object(pool),
        channels=providers.Object(resources.channels),
        clock=providers.Object(resources.clock),
    )
    consumer = ConsumerRuntime(
        resources.settings.kafka_bootstrap,
        "assessment",
        ["catalog.changes"],
        container.publications(),
        resources.producer(),
    )

    async def ready() -> None:
        await pool.execute("SELECT 1")

    return Context(
        name="assessment",
        add_to_server=lambda server: add_AssessmentServiceServicer_to_server(container.servicer(), server),
        ready=ready,
        jobs=(consumer.run,),
        publishes=True,
    )
