"""Puts paths together."""

from dependency_injector import containers, providers
from paideia.paths.v1.paths_service_pb2_grpc import add_PathsServiceServicer_to_server
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.paths.grpc import GrpcCourseGraphs, GrpcMasteries
from adapters.paths.personal_records import learners_in_paths
from adapters.paths.postgres import PostgresPathsUnit
from adapters.shared.consumer import ConsumerRuntime
from adapters.shared.erased_people import ErasedPeople
from adapters.shared.grpc import Channels
from adapters.shared.personal_files import personal_files
from adapters.shared.request_ledger import PostgresRequestLedger
from adapters.shared.resources import Resources
from domain.paths.use_cases.apply_updates import ApplyUpdates
from domain.paths.use_cases.archive_path import ArchivePath
from domain.paths.use_cases.create_path import CreatePath
from domain.paths.use_cases.follow_publication import FollowPublication
from domain.paths.use_cases.get_path import GetPath
from domain.paths.use_cases.list_path_revisions import ListPathRevisions
from domain.paths.use_cases.list_paths import ListPaths
from domain.paths.use_cases.override_step import OverrideStep
from domain.paths.use_cases.renew_path import RenewPath
from domain.paths.use_cases.update_path import UpdatePath
from domain.shared.clock import Clock
from services.paths.consumers import PROGRESS_UPDATES, ProgressUpdates
from services.paths.servicer import PathsServicer, PathsUseCases
from services.shared.context import Context
from services.shared.erased import WithoutErased
from services.shared.privacy import ORDERS, PrivacyOrders
from services.shared.publications import CATALOG_CHANGES, Publications


class PathsContainer(containers.DeclarativeContainer):
    """`unit`, `graphs` and `masteries` are what a test replaces."""

    engine = providers.Dependency(instance_of=AsyncEngine)
    channels: providers.Dependency[Channels] = providers.Dependency(instance_of=Channels)
    clock: providers.Dependency[Clock] = providers.Dependency()

    unit = providers.Factory(PostgresPathsUnit, engine)
    graphs = providers.Singleton(GrpcCourseGraphs, channels, clock)
    masteries = providers.Singleton(GrpcMasteries, channels)

    renew = providers.Factory(RenewPath, new_unit=unit.provider, graphs=graphs, masteries=masteries, clock=clock)
    use_cases = providers.Factory(
        PathsUseCases,
        create_path=providers.Factory(CreatePath, new_unit=unit.provider, graphs=graphs, masteries=masteries, clock=clock),
        get_path=providers.Factory(GetPath, new_unit=unit.provider, renew=renew, clock=clock),
        list_paths=providers.Factory(ListPaths, new_unit=unit.provider),
        update_path=providers.Factory(UpdatePath, new_unit=unit.provider, graphs=graphs, masteries=masteries, clock=clock),
        override_step=providers.Factory(OverrideStep, new_unit=unit.provider, graphs=graphs, masteries=masteries, clock=clock),
        archive_path=providers.Factory(ArchivePath, new_unit=unit.provider, clock=clock),
        list_path_revisions=providers.Factory(ListPathRevisions, new_unit=unit.provider),
    )
    servicer = providers.Factory(PathsServicer, use_cases)
    ledger = providers.Singleton(PostgresRequestLedger, engine)
    progress_updates = providers.Factory(
        ProgressUpdates, apply_updates=providers.Factory(ApplyUpdates, new_unit=unit.provider, clock=clock)
    )
    catalog_changes = providers.Factory(Publications, providers.Factory(FollowPublication, new_unit=unit.provider, renew=renew))


async def open_context(resources: Resources) -> Context:
    engine = await resources.engine("paths")
    container = PathsContainer(
        engine=providers.Object(engine),
        channels=providers.Object(resources.channels),
        clock=providers.Object(resources.clock),
    )
    bootstrap, producer = resources.settings.kafka_bootstrap, resources.producer()
    pool = await resources.pool("paths")
    progress_updates = WithoutErased("paths", container.progress_updates(), ErasedPeople(pool))
    updates = ConsumerRuntime(bootstrap, "paths", [PROGRESS_UPDATES], progress_updates, producer, leisurely=True)
    # A group of its own: while the catalog is away, updates still come in.
    changes = ConsumerRuntime(bootstrap, "paths-publications", [CATALOG_CHANGES], container.catalog_changes(), producer)
    privacy = ConsumerRuntime(
        resources.settings.kafka_bootstrap,
        "paths-privacy",
        [ORDERS],
        PrivacyOrders(
            "paths",
            learners_in_paths(pool),
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
        name="paths",
        add_to_server=lambda server: add_PathsServiceServicer_to_server(container.servicer(), server),
        ready=ready,
        jobs=(updates.run, changes.run, privacy.run),
        ledger=container.ledger(),
        publishes=True,
    )
