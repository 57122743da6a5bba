"""The scheduler behind the real interceptors, wired by its own container over memory, with one published course."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from dependency_injector import providers
from paideia.scheduler.v1.scheduler_service_pb2_grpc import SchedulerServiceStub, add_SchedulerServiceServicer_to_server

from adapters.scheduler.history_memory import MemoryHistories
from adapters.scheduler.memory import MemoryDecisionLog, MemoryHotStates, MemoryPublications, MemoryStore
from adapters.scheduler.policies_memory import MemoryPolicyStore
from services.scheduler.container import SchedulerContainer
from services.shared.sights import Sights
from tests.rpc.serving import Calls, serving
from tests.unit.scheduler.making import NOW, publication


@dataclass(frozen=True)
class Scheduler:
    stub: SchedulerServiceStub
    calls: Calls
    container: SchedulerContainer

    async def __call__(self, method: str, message: object, user: str = "ada", *roles: str) -> object:
        return await getattr(self.stub, method)(message, metadata=self.calls.as_("north", user, *roles))

    async def as_service(self, method: str, message: object) -> object:
        return await getattr(self.stub, method)(message, metadata=self.calls.as_service("north", "assessment"))


@pytest.fixture
def sights() -> Sights | None:
    """Whose work teachers see; None: everybody's."""
    return None


@pytest.fixture
async def scheduler(sights: Sights | None) -> AsyncIterator[Scheduler]:
    source = MemoryPublications()
    source.put("north", publication())
    source.put("north", publication(0, course="empty"))
    hot, store = MemoryHotStates(), MemoryStore()
    container = SchedulerContainer(
        unit=providers.Factory(store.unit),
        history=providers.Factory(MemoryHistories(store).unit),
        policy_unit=providers.Factory(MemoryPolicyStore().unit),
        hot=providers.Object(hot),
        source=providers.Object(source),
        decisions=providers.Object(MemoryDecisionLog(hot)),
        clock=providers.Object(lambda: NOW),
    )
    servicer = container.servicer()
    async with serving(lambda server: add_SchedulerServiceServicer_to_server(servicer, server), sights=sights) as calls:
        yield Scheduler(SchedulerServiceStub(calls.channel), calls, container)
