"""Puts the catalog together."""

from dependency_injector import containers, providers
from paideia.catalog.v1.catalog_service_pb2_grpc import add_CatalogServiceServicer_to_server
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.catalog.grpc import AssessmentItemChecker
from adapters.catalog.postgres import PostgresCatalogUnit
from adapters.shared.grpc import Channels
from adapters.shared.request_ledger import PostgresRequestLedger
from adapters.shared.resources import Resources
from domain.catalog.use_cases.create_course import CreateCourse
from domain.catalog.use_cases.create_items import CreateItems
from domain.catalog.use_cases.create_skills import CreateSkills
from domain.catalog.use_cases.get_course import GetCourse
from domain.catalog.use_cases.get_item import GetItem
from domain.catalog.use_cases.get_publication import GetPublication
from domain.catalog.use_cases.get_published_items import GetPublishedItems
from domain.catalog.use_cases.get_skill import GetSkill
from domain.catalog.use_cases.get_usage import GetUsage
from domain.catalog.use_cases.list_courses import ListCourses
from domain.catalog.use_cases.list_items import ListItems
from domain.catalog.use_cases.list_skills import ListSkills
from domain.catalog.use_cases.publish_course import PublishCourse
from domain.catalog.use_cases.update_course import UpdateCourse
from domain.catalog.use_cases.update_item import UpdateItem
from domain.catalog.use_cases.update_skill import UpdateSkill
from domain.shared.clock import Clock
from services.catalog.servicer import CatalogServicer, CatalogUseCases
from services.shared.context import Context


class CatalogContainer(containers.DeclarativeContainer):
    engine = providers.Dependency(instance_of=AsyncEngine)
    channels: providers.Dependency[Channels] = providers.Dependency(instance_of=Channels)
    clock: providers.Dependency[Clock] = providers.Dependency()
    unit = providers.Factory(PostgresCatalogUnit, engine)
    checker = providers.Singleton(AssessmentItemChecker, channels)
    use_cases = providers.Factory(
        CatalogUseCases,
        create_skills=providers.Factory(CreateSkills, new_unit=unit.provider, clock=clock),
        get_skill=providers.Factory(GetSkill, new_unit=unit.provider),
        list_skills=providers.Factory(ListSkills, new_unit=unit.provider),
        update_skill=providers.Factory(UpdateSkill, new_unit=unit.provider),
        create_items=providers.Factory(CreateItems, new_unit=unit.provider, checker=checker, clock=clock),
        get_item=providers.Factory(GetItem, new_unit=unit.provider),
        list_items=providers.Factory(ListItems, new_unit=unit.provider),
        update_item=providers.Factory(UpdateItem, new_unit=unit.provider, checker=checker, clock=clock),
        create_course=providers.Factory(CreateCourse, new_unit=unit.provider, clock=clock),
        get_course=providers.Factory(GetCourse, new_unit=unit.provider),
        list_courses=providers.Factory(ListCourses, new_unit=unit.provider),
        update_course=providers.Factory(UpdateCourse, new_unit=unit.provider),
        publish_course=providers.Factory(PublishCourse, new_unit=unit.provider, clock=clock),
        get_publication=providers.Factory(GetPublication, new_unit=unit.provider),
        get_usage=providers.Factory(GetUsage, new_unit=unit.provider),
        get_published_items=providers.Factory(GetPublishedItems, new_unit=unit.provider),
    )
    servicer = providers.Factory(CatalogServicer, use_cases)
    ledger = providers.Singleton(PostgresRequestLedger, engine)


async def open_context(resources: Resources) -> Context:
    engine = await resources.engine("catalog")
    container = CatalogContainer(
        engine=providers.Object(engine),
        channels=providers.Object(resources.channels),
        clock=providers.Object(resources.clock),
    )

    async def ready() -> None:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    return Context(
        name="catalog",
        add_to_server=lambda server: add_CatalogServiceServicer_to_server(container.servicer(), server),
        ready=ready,
        ledger=container.ledger(),
        publishes=True,
    )
