"""The scheduler, put together."""

import asyncpg
from dependency_injector import containers, providers
from paideia.scheduler.v1.scheduler_service_pb2_grpc import add_SchedulerServiceServicer_to_server
from redis.asyncio import Redis

from adapters.scheduler.grpc import GrpcPublications
from adapters.scheduler.history_postgres import PostgresHistory
from adapters.scheduler.kafka import decision_message
from adapters.scheduler.personal_records import LearnersInScheduler
from adapters.scheduler.policies_postgres import PostgresPolicyUnit
from adapters.scheduler.postgres import PostgresDecisionLog, PostgresSchedulerUnit
from adapters.scheduler.redis import RedisHotStates, RedisRecords
from adapters.scheduler.write_behind import WriteBehindDecisionLog
from adapters.shared.asyncpg_unit import AsyncpgUnit
from adapters.shared.consumer import ConsumerRuntime
from adapters.shared.erased_people import ErasedPeople
from adapters.shared.grpc import Channels
from adapters.shared.personal_files import personal_files
from adapters.shared.resources import Resources
from domain.scheduler.follow_up import FollowUp
from domain.scheduler.policy_book import HeldPolicies
from domain.scheduler.pools import Pools
from domain.scheduler.together import Together
from domain.scheduler.use_cases.apply_updates import ApplyUpdates
from domain.scheduler.use_cases.create_policy import CreatePolicy
from domain.scheduler.use_cases.explain_decision import ExplainDecision
from domain.scheduler.use_cases.get_decision import GetDecision
from domain.scheduler.use_cases.get_policy import GetPolicy
from domain.scheduler.use_cases.list_policies import ListPolicies
from domain.scheduler.use_cases.next_items import NextItems
from domain.scheduler.use_cases.observe import Observe
from domain.scheduler.use_cases.plan_goal import PlanGoal
from domain.scheduler.use_cases.recall import Recall
from domain.scheduler.use_cases.renew_pool import RenewPool
from domain.scheduler.use_cases.replay_decision import ReplayDecision
from domain.scheduler.use_cases.roll_back_policy import RollBackPolicy
from domain.scheduler.use_cases.stage_policy import StagePolicy
from domain.shared.clock import Clock
from services.scheduler.consumers import PROGRESS_UPDATES, ProgressUpdates
from services.scheduler.metrics import count_decision, note_failed_shadow
from services.scheduler.policy_servicer import PolicyUseCases
from services.scheduler.servicer import SchedulerServicer
from services.shared.context import Context
from services.shared.erased import WithoutErased
from services.shared.privacy import ORDERS, PrivacyOrders
from services.shared.publications import CATALOG_CHANGES, Publications


class SchedulerContainer(containers.DeclarativeContainer):
    """`unit`, `history`, `policy_unit`, `hot`, `source` and `decisions` are what a test replaces."""

    pool = providers.Dependency(instance_of=asyncpg.Pool)
    redis: providers.Dependency[Redis] = providers.Dependency(instance_of=Redis)
    channels: providers.Dependency[Channels] = providers.Dependency(instance_of=Channels)
    clock: providers.Dependency[Clock] = providers.Dependency()

    unit = providers.Factory(PostgresSchedulerUnit, pool)
    history = providers.Factory(PostgresHistory, pool)
    hot = providers.Singleton(RedisHotStates, redis)
    source = providers.Singleton(GrpcPublications, channels)
    decisions = providers.Singleton(
        WriteBehindDecisionLog, providers.Singleton(RedisRecords, redis), providers.Singleton(PostgresDecisionLog, pool)
    )

    recall = providers.Factory(Recall, new_unit=unit.provider, hot=hot)
    policy_unit = providers.Factory(PostgresPolicyUnit, pool)
    book = providers.Singleton(HeldPolicies, new_unit=policy_unit.provider, clock=clock)
    follow_up = providers.Singleton(
        FollowUp, decisions=decisions, count=providers.Object(count_decision), failed=providers.Object(note_failed_shadow)
    )
    together = providers.Singleton(Together)
    pools = providers.Singleton(Pools, new_unit=unit.provider, source=source, hot=hot, clock=clock, new_history=history.provider)
    servicer = providers.Factory(
        SchedulerServicer,
        next_items=providers.Factory(
            NextItems,
            hot=hot,
            recall=recall,
            pools=pools,
            decisions=decisions,
            policies=book,
            together=together,
            follow_up=follow_up,
            clock=clock,
        ),
        observe=providers.Factory(Observe, hot=hot, recall=recall),
        get_decision=providers.Factory(GetDecision, decisions=decisions),
        explain_decision=providers.Factory(ExplainDecision, decisions=decisions, policies=book),
        replay_decision=providers.Factory(ReplayDecision, decisions=decisions, new_history=history.provider, policies=book),
        plan_goal=providers.Factory(PlanGoal, hot=hot, recall=recall, pools=pools, policies=book, clock=clock),
        decision_message=providers.Object(decision_message),
        policies=providers.Factory(
            PolicyUseCases,
            create_policy=providers.Factory(CreatePolicy, new_unit=policy_unit.provider, clock=clock),
            get_policy=providers.Factory(GetPolicy, new_unit=policy_unit.provider),
            list_policies=providers.Factory(ListPolicies, new_unit=policy_unit.provider),
            stage_policy=providers.Factory(StagePolicy, new_unit=policy_unit.provider, book=book, clock=clock),
            roll_back_policy=providers.Factory(RollBackPolicy, new_unit=policy_unit.provider, book=book, clock=clock),
        ),
    )
    progress_updates = providers.Factory(
        ProgressUpdates,
        apply_updates=providers.Factory(ApplyUpdates, new_unit=unit.provider, hot=hot, new_history=history.provider),
    )
    catalog_changes = providers.Factory(Publications, providers.Factory(RenewPool, pools=pools))


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
    progress_updates = WithoutErased("scheduler", container.progress_updates(), ErasedPeople(pool))
    updates = ConsumerRuntime(bootstrap, "scheduler", [PROGRESS_UPDATES], progress_updates, producer)
    # A group of its own: while the catalog is away, updates still come in.
    changes = ConsumerRuntime(bootstrap, "scheduler-publications", [CATALOG_CHANGES], container.catalog_changes(), producer)
    privacy = ConsumerRuntime(
        resources.settings.kafka_bootstrap,
        "scheduler-privacy",
        [ORDERS],
        PrivacyOrders(
            "scheduler",
            LearnersInScheduler(pool, resources.redis()),
            personal_files(resources.settings),
            resources.producer(),
            resources.clock,
        ),
        resources.producer(),
    )

    async def ready() -> None:
        async with AsyncpgUnit(pool, "readiness") as unit:
            await unit.connection.execute("SELECT 1")

    return Context(
        name="scheduler",
        add_to_server=lambda server: add_SchedulerServiceServicer_to_server(servicer, server),
        ready=ready,
        jobs=(updates.run, changes.run, privacy.run, decisions.run, container.follow_up().run),
        publishes=True,
        close=decisions.flush,
    )
