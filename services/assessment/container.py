"""Puts assessment together."""

import asyncpg
from dependency_injector import containers, providers
from paideia.assessment.v1.assessment_service_pb2_grpc import add_AssessmentServiceServicer_to_server

from adapters.assessment.grpc import GrpcAttemptListener, GrpcCatalogContent, item_from
from adapters.assessment.personal_records import learners_in_assessment
from adapters.assessment.postgres import PostgresHeldItems, PostgresHintUnit, PostgresResponses
from adapters.assessment.published_items import CachedPublishedItems
from adapters.assessment.re2 import Re2PatternMatcher
from adapters.assessment.testing_postgres import PostgresSittingUnit
from adapters.shared.consumer import ConsumerRuntime
from adapters.shared.grpc import Channels
from adapters.shared.personal_files import personal_files
from adapters.shared.resources import Resources
from domain.assessment.testing.plans import Plans
from domain.assessment.use_cases.answer_test_item import AnswerTestItem
from domain.assessment.use_cases.check_items import CheckItems
from domain.assessment.use_cases.create_blueprint import CreateBlueprint
from domain.assessment.use_cases.finish_test import FinishTest
from domain.assessment.use_cases.get_bank import GetBank
from domain.assessment.use_cases.get_bank_version import GetBankVersion
from domain.assessment.use_cases.get_blueprint import GetBlueprint
from domain.assessment.use_cases.get_item_view import GetItemView
from domain.assessment.use_cases.get_response import GetResponse
from domain.assessment.use_cases.get_test_session import GetTestSession
from domain.assessment.use_cases.learn_publication import LearnPublication
from domain.assessment.use_cases.list_bank_versions import ListBankVersions
from domain.assessment.use_cases.list_banks import ListBanks
from domain.assessment.use_cases.list_blueprints import ListBlueprints
from domain.assessment.use_cases.list_responses import ListResponses
from domain.assessment.use_cases.list_test_sessions import ListTestSessions
from domain.assessment.use_cases.publish_bank_version import PublishBankVersion
from domain.assessment.use_cases.retire_blueprint import RetireBlueprint
from domain.assessment.use_cases.reveal_hint import RevealHint
from domain.assessment.use_cases.sitting import Sittings
from domain.assessment.use_cases.start_test import StartTest
from domain.assessment.use_cases.submit_response import SubmitResponse
from domain.shared.clock import Clock
from services.assessment.servicer import AssessmentServicer
from services.assessment.testing_servicer import SittingUseCases
from services.shared.context import Context
from services.shared.privacy import ORDERS, PrivacyOrders
from services.shared.publications import CATALOG_CHANGES, Publications


class AssessmentContainer(containers.DeclarativeContainer):
    pool: providers.Dependency[asyncpg.Pool] = providers.Dependency(instance_of=asyncpg.Pool)
    channels: providers.Dependency[Channels] = providers.Dependency(instance_of=Channels)
    clock: providers.Dependency[Clock] = providers.Dependency()
    patterns = providers.Singleton(Re2PatternMatcher)
    catalog = providers.Factory(GrpcCatalogContent, channels)
    held = providers.Factory(PostgresHeldItems, pool)
    items = providers.Singleton(CachedPublishedItems, catalog=catalog, held=held)
    responses = providers.Singleton(PostgresResponses, pool)
    listener = providers.Singleton(GrpcAttemptListener, channels)
    unit = providers.Factory(PostgresHintUnit, pool)
    sitting_unit = providers.Factory(PostgresSittingUnit, pool)
    sittings = providers.Singleton(Sittings, new_unit=sitting_unit.provider, plans=providers.Singleton(Plans), clock=clock)
    sitting_use_cases = providers.Factory(
        SittingUseCases,
        publish_bank_version=providers.Factory(PublishBankVersion, new_unit=sitting_unit.provider, clock=clock),
        get_bank_version=providers.Factory(GetBankVersion, new_unit=sitting_unit.provider),
        list_bank_versions=providers.Factory(ListBankVersions, new_unit=sitting_unit.provider),
        get_bank=providers.Factory(GetBank, new_unit=sitting_unit.provider),
        list_banks=providers.Factory(ListBanks, new_unit=sitting_unit.provider),
        create_blueprint=providers.Factory(
            CreateBlueprint, new_unit=sitting_unit.provider, catalog=catalog, held=held, clock=clock
        ),
        get_blueprint=providers.Factory(GetBlueprint, new_unit=sitting_unit.provider),
        list_blueprints=providers.Factory(ListBlueprints, new_unit=sitting_unit.provider),
        retire_blueprint=providers.Factory(RetireBlueprint, new_unit=sitting_unit.provider, clock=clock),
        start_test=providers.Factory(StartTest, sittings=sittings),
        get_session=providers.Factory(GetTestSession, sittings=sittings),
        answer_item=providers.Factory(AnswerTestItem, sittings=sittings, listener=listener, patterns=patterns),
        finish_test=providers.Factory(FinishTest, sittings=sittings),
        list_sessions=providers.Factory(ListTestSessions, sittings=sittings),
    )
    servicer = providers.Factory(
        AssessmentServicer,
        get_item_view=providers.Factory(GetItemView, items=items, new_unit=unit.provider),
        reveal_hint=providers.Factory(RevealHint, items=items, new_unit=unit.provider),
        submit_response=providers.Factory(
            SubmitResponse,
            items=items,
            responses=responses,
            listener=listener,
            patterns=patterns,
            clock=clock,
        ),
        get_response=providers.Factory(GetResponse, responses=responses),
        list_responses=providers.Factory(ListResponses, responses=responses),
        check_items=providers.Factory(CheckItems, patterns=patterns),
        item_from=providers.Object(item_from),
        sittings=sitting_use_cases,
    )
    publications = providers.Factory(Publications, providers.Factory(LearnPublication, items=items))


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
        [CATALOG_CHANGES],
        container.publications(),
        resources.producer(),
    )
    privacy = ConsumerRuntime(
        resources.settings.kafka_bootstrap,
        "assessment-privacy",
        [ORDERS],
        PrivacyOrders(
            "assessment", learners_in_assessment(pool), personal_files(resources.settings), resources.producer(), resources.clock
        ),
        resources.producer(),
    )

    async def ready() -> None:
        await pool.execute("SELECT 1")

    return Context(
        name="assessment",
        add_to_server=lambda server: add_AssessmentServiceServicer_to_server(container.servicer(), server),
        ready=ready,
        jobs=(consumer.run, privacy.run),
        publishes=True,
    )
