"""Paths behind the real interceptors, wired by their own container over memory, with one published course."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from dependency_injector import providers
from paideia.paths.v1 import paths_service_pb2 as pb
from paideia.paths.v1.paths_service_pb2_grpc import PathsServiceStub, add_PathsServiceServicer_to_server

from adapters.paths.memory import MemoryGraphs, MemoryMasteries, MemoryPathsStore
from services.paths.container import PathsContainer
from tests.rpc.serving import Calls, serving
from tests.unit.paths.making import DUE, FRACTIONS, NOW, graph


def path_request(path_id: str = "p", learner: str = "ada", **fields: object) -> pb.CreatePathRequest:
    path = pb.Path(**({"course": "courses/maths", "due_date": DUE.isoformat(), "minutes_per_day": 20} | fields))
    return pb.CreatePathRequest(request_id=str(uuid4()), parent=f"learners/{learner}", path_id=path_id, path=path)


def override_request(kind: str, *skills: str, path_id: str = "p", **fields: object) -> pb.OverrideStepRequest:
    return pb.OverrideStepRequest(
        request_id=str(uuid4()),
        name=f"learners/ada/paths/{path_id}",
        kind=f"OVERRIDE_KIND_{kind}",
        skills=[f"skills/{each}" for each in skills],
        **fields,
    )


@dataclass
class Paths:
    stub: PathsServiceStub
    calls: Calls
    container: PathsContainer
    graphs: MemoryGraphs
    masteries: MemoryMasteries
    now: list[datetime] = field(default_factory=lambda: [NOW])

    async def __call__(
        self, method: str, message: object, user: str = "grace", *roles: str, organization: str = "north"
    ) -> object:
        metadata = self.calls.as_(organization, user, *(roles or ("TEACHER",)))
        return await getattr(self.stub, method)(message, metadata=metadata)

    async def as_ada(self, method: str, message: object) -> object:
        return await self(method, message, "ada", "LEARNER")

    async def got(self, path_id: str = "p") -> pb.Path:
        return await self("GetPath", pb.GetPathRequest(name=f"learners/ada/paths/{path_id}"))

    async def revisions(self, path_id: str = "p") -> list[pb.PathRevision]:
        answer = await self("ListPathRevisions", pb.ListPathRevisionsRequest(parent=f"learners/ada/paths/{path_id}"))
        return list(answer.revisions)

    def days_pass(self, days: int) -> None:
        self.now[0] += timedelta(days=days)


@pytest.fixture
async def paths() -> AsyncIterator[Paths]:
    """`north` has published the courses maths, empty and knotted, whose prerequisites form a cycle."""
    graphs, masteries = MemoryGraphs(), MemoryMasteries()
    for each in (FRACTIONS, graph("empty"), graph("knotted", a="c", b="a", c="b")):
        graphs.put("north", each)
    now = [NOW]
    container = PathsContainer(
        unit=providers.Factory(MemoryPathsStore().unit),
        graphs=providers.Object(graphs),
        masteries=providers.Object(masteries),
        clock=providers.Object(lambda: now[0]),
    )
    servicer = container.servicer()
    async with serving(lambda server: add_PathsServiceServicer_to_server(servicer, server)) as calls:
        yield Paths(PathsServiceStub(calls.channel), calls, container, graphs, masteries, now)
