"""Teachers who see their classes only, and guardians, through the pipeline of every context."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError
from paideia.paths.v1 import paths_service_pb2 as paths
from paideia.paths.v1.paths_service_pb2_grpc import PathsServiceServicer, PathsServiceStub, add_PathsServiceServicer_to_server
from paideia.progress.v1 import progress_service_pb2 as pb
from paideia.progress.v1.progress_service_pb2_grpc import (
    ProgressServiceServicer,
    ProgressServiceStub,
    add_ProgressServiceServicer_to_server,
)

from domain.shared.errors import Unavailable
from services.shared.sights import RememberedSights, Sight
from tests.rpc.serving import Calls, serving

TOM = Calls.as_("north", "tom", "TEACHER")


class Progress(ProgressServiceServicer):
    async def ListAttempts(self, request: Any, context: Any) -> pb.ListAttemptsResponse:
        return pb.ListAttemptsResponse()


class Paths(PathsServiceServicer):
    async def ListPaths(self, request: Any, context: Any) -> paths.ListPathsResponse:
        return paths.ListPathsResponse()

    async def ArchivePath(self, request: Any, context: Any) -> paths.Path:
        return paths.Path()


class Identity:
    """Answers for identity, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.sights = {"tom": Sight(frozenset({"ada"})), "mum": Sight(frozenset(), frozenset({"ada"}))}
        self.away = False
        self.now = 0.0
        self.remembered = RememberedSights(self.ask, lambda: self.now)

    async def ask(self, organization: str, user: str) -> Sight:
        self.asked.append((organization, user))
        if self.away:
            raise Unavailable("identity is away")
        return self.sights.get(user, Sight(frozenset()))


@pytest.fixture
async def served() -> AsyncIterator[tuple[Identity, Any, Any]]:
    identity = Identity()

    def add(server: Any) -> None:
        add_ProgressServiceServicer_to_server(Progress(), server)  # type: ignore[abstract]
        add_PathsServiceServicer_to_server(Paths(), server)  # type: ignore[abstract]

    async with serving(add, sights=identity.remembered) as calls:
        yield identity, ProgressServiceStub(calls.channel), PathsServiceStub(calls.channel)


def attempts(learner: str) -> pb.ListAttemptsRequest:
    return pb.ListAttemptsRequest(parent=f"learners/{learner}")


async def code_of(call: Any) -> StatusCode:
    try:
        await call
    except AioRpcError as error:
        return error.code()
    return StatusCode.OK


async def test_a_teacher_finds_the_learners_of_their_classes_and_nobody_else(served: Any) -> None:
    identity, progress, _ = served
    assert await code_of(progress.ListAttempts(attempts("ada"), metadata=TOM)) is StatusCode.OK
    assert await code_of(progress.ListAttempts(attempts("bob"), metadata=TOM)) is StatusCode.NOT_FOUND
    assert identity.asked == [("north", "tom")]


async def test_nobody_is_asked_about_a_learners_own_work_nor_about_an_administrators_calls(served: Any) -> None:
    identity, progress, _ = served
    for caller in (
        Calls.as_("north", "ada"),
        Calls.as_("north", "root", "ADMIN"),
        Calls.as_("north", "root", "TEACHER", "ADMIN"),
    ):
        assert await code_of(progress.ListAttempts(attempts("ada"), metadata=caller)) is StatusCode.OK
    assert await code_of(progress.ListAttempts(attempts("tom"), metadata=TOM)) is StatusCode.OK
    assert identity.asked == []


async def test_a_name_that_means_every_learner_says_what_to_do_instead(served: Any) -> None:
    _, _, path_service = served
    with pytest.raises(AioRpcError) as refusal:
        await path_service.ListPaths(paths.ListPathsRequest(parent="learners/-"), metadata=TOM)
    assert refusal.value.code() is StatusCode.PERMISSION_DENIED
    assert "name one learner" in (refusal.value.details() or "")


async def test_a_guardian_reads_their_wards_work_and_changes_nothing_of_it(served: Any) -> None:
    identity, progress, path_service = served
    mum = Calls.as_("north", "mum")
    assert await code_of(progress.ListAttempts(attempts("ada"), metadata=mum)) is StatusCode.OK
    assert await code_of(progress.ListAttempts(attempts("bob"), metadata=mum)) is StatusCode.NOT_FOUND
    archive = paths.ArchivePathRequest(name="learners/ada/paths/p")
    assert await code_of(path_service.ArchivePath(archive, metadata=mum)) is StatusCode.NOT_FOUND
    assert identity.asked == [("north", "mum")]


async def test_without_identity_a_teacher_is_told_to_come_back_and_a_learner_notices_nothing(served: Any) -> None:
    identity, progress, _ = served
    identity.away = True
    assert await code_of(progress.ListAttempts(attempts("ada"), metadata=TOM)) is StatusCode.UNAVAILABLE
    assert await code_of(progress.ListAttempts(attempts("ada"), metadata=Calls.as_("north", "ada"))) is StatusCode.OK
    identity.away = False
    assert await code_of(progress.ListAttempts(attempts("ada"), metadata=TOM)) is StatusCode.OK


async def test_a_sight_is_asked_for_again_after_thirty_seconds_or_when_it_has_changed(served: Any) -> None:
    identity, progress, _ = served
    await code_of(progress.ListAttempts(attempts("ada"), metadata=TOM))
    identity.sights["tom"] = Sight(frozenset({"bob"}))
    assert await code_of(progress.ListAttempts(attempts("ada"), metadata=TOM)) is StatusCode.OK
    identity.now = 30.0
    assert await code_of(progress.ListAttempts(attempts("ada"), metadata=TOM)) is StatusCode.NOT_FOUND
    identity.sights["tom"] = Sight(frozenset({"ada"}))
    identity.remembered.forget("north", "tom")
    assert await code_of(progress.ListAttempts(attempts("ada"), metadata=TOM)) is StatusCode.OK
    identity.sights["tom"] = Sight(frozenset())
    identity.remembered.forget("south", "-")
    assert await code_of(progress.ListAttempts(attempts("ada"), metadata=TOM)) is StatusCode.OK
    identity.remembered.forget("north", "-")
    assert await code_of(progress.ListAttempts(attempts("ada"), metadata=TOM)) is StatusCode.NOT_FOUND
