"""The scheduler, put together."""

import asyncpg
from dependency_injector import containers, providers
from paideia.scheduler.v1.scheduler_service_pb2_grpc import add_SchedulerServiceServicer_to_server
from redis.asyncio import Redis

from adapters.scheduler.grpc import GrpcPublications
from adapters.scheduler.kafka import decision_message
from adapters.scheduler.postgres import PostgresDecisionLog, PostgresSchedulerUnit
from adapters.scheduler.redis import RedisHotStates, RedisRecords
from adapters.scheduler.write_behind import WriteBehindDecisionLog
from adapters.shared.asyncpg_unit import AsyncpgUnit
from adapters.shared.consumer import ConsumerRuntime
from adapters.shared.grpc import Channels
from adapters.shared.resources import Resources
from domain.scheduler.policy import PRACTICE_1
from domain.scheduler.pools import Pools
from domain.scheduler.use_cases.apply_updates import ApplyUpdates
from domain.scheduler.use_cases.explain_decision import ExplainDecision
from domain.scheduler.use_cases.get_decision import GetDecision
from domain.scheduler.use_cases.next_items import NextItems
from domain.scheduler.use_cases.observe import Observe
from domain.scheduler.use_cases.recall import Recall
from domain.scheduler.use_cases.renew_pool import RenewPool
from domain.shared.clock import Clock
from services.scheduler.consumers import CATALOG_CHANGES, PROGRESS_UPDATES, CatalogChanges, ProgressUpdates
from services.scheduler.servicer import SchedulerServicer
from services.shared.context import Context


class SchedulerContainer(containers.DeclarativeContainer):
    """`unit`, `hot`, `source` and `decisions` are what a test replaces."""

    pool = providers.Dependency(instance_of=asyncpg.Pool)
    redis: providers.Dependency[Redis] = providers.Dependency(instance_of=Redis)
    channels: providers.Dependency[Channels] = providers.Dependency(instance_of=Channels)
    clock: providers.Dependency[Clock] = providers.Dependency()

    unit = providers.Factory(PostgresSchedulerUnit, pool)
    hot = providers.Singleton(RedisHotStates, redis)
    source = providers.Singleton(GrpcPublications, channels)
    decisions = providers.Singleton(
        WriteBehindDecisionLog, providers.Singleton(RedisRecords, redis), providers.Singleton(PostgresDecisionLog, pool)
    )

    recall = providers.Factory(Recall, new_unit=unit.provider, hot=hot)
    pools = providers.Singleton(Pools, new_unit=unit.provider, source=source, hot=hot, clock=clock)
    servicer = providers.Factory(
        SchedulerServicer,
        next_items=providers.Factory(
            NextItems, hot=hot, recall=recall, pools=pools, decisions=decisions, policy=providers.Object(PRACTICE_1), clock=clock
        ),
        observe=providers.Factory(Observe, hot=hot, recall=recall),
        get_decision=providers.Factory(GetDecision, decisions=decisions),
        explain_decision=providers.Factory(ExplainDecision, decisions=decisions),
        decision_message=providers.Object(decision_message),
    )
    progress_updates = providers.Factory(
        ProgressUpdates, apply_updates=providers.Factory(ApplyUpdates, new_unit=unit.provider, hot=hot)
    )
    catalog_changes = providers.Factory(CatalogChanges, renew_pool=providers.Factory(RenewPool, pools=pools))


async def open_context(resources: Resources) -> Context:
    pool = await resources.pool("scheduler")
    container = SchedulerContainer(
        pool=providers.Object(pool),
        redis=providers.Object(resources.redis()),
        channels=providers.Object(resources.channels),
        clock=providers.Object(resources.clock),
    )
    servicer: SchedulerServicer = container.servicer()
    decisions: WriteBehindDecisionLog = container.decisions()
    bootstrap, producer = resources.settings.kafka_bootstrap, resources.producer()
    updates = ConsumerRuntime(bootstrap, "scheduler", [PROGRESS_UPDATES], container.progress_updates(), producer)
    # A group of its own: while the catalog is away, updates still come in.
    changes = ConsumerRuntime(bootstrap, "scheduler-publications", [CATALOG_CHANGES], container.catalog_changes(), producer)

    async def ready() -> None:
        async with AsyncpgUnit(pool, "readiness") as unit:
            await unit.connection.execute("SELECT 1")

    return Context(
        name="scheduler",
        add_to_server=lambda server: add_SchedulerServiceServicer_to_server(servicer, server),
        ready=ready,
        jobs=(updates.run, changes.run, decisions.run),
        publishes=True,
        close=decisions.flush,
    )
