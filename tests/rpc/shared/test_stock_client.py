"""A stock synchronous client, as a partner's program would use it, against the host's server: pytest-grpc's fixtures over ours."""

import asyncio
import threading
from collections.abc import Iterator

import grpc
import pytest
from paideia.progress.v1 import progress_service_pb2 as progress
from paideia.progress.v1.progress_service_pb2_grpc import (
    ProgressServiceServicer,
    ProgressServiceStub,
    add_ProgressServiceServicer_to_server,
)

from tests.rpc.serving import Calls, serving


class Masteries(ProgressServiceServicer):
    async def GetMastery(self, request, context):
        return progress.Mastery(learner=request.learner, attempt_count=3)


@pytest.fixture(scope="module")
def grpc_addr() -> Iterator[str]:
    """pytest-grpc would start a threaded server of its own: this serves the asyncio one in a thread, and says where."""
    loop = asyncio.new_event_loop()
    address: list[str] = []
    ready, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with serving(lambda server: add_ProgressServiceServicer_to_server(Masteries(), server)) as calls:
            address.append(calls.address)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    yield address[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)
    loop.close()


@pytest.fixture(scope="module")
def grpc_server(grpc_addr: str) -> None:
    """Nothing more to start."""


@pytest.fixture(scope="module")
def grpc_stub_cls() -> type[ProgressServiceStub]:
    return ProgressServiceStub


@pytest.fixture
def grpc_stub(grpc_stub_cls: type[ProgressServiceStub], grpc_channel: grpc.Channel) -> ProgressServiceStub:
    return grpc_stub_cls(grpc_channel)


def test_a_synchronous_client_is_served(grpc_stub: ProgressServiceStub) -> None:
    answer = grpc_stub.GetMastery(progress.GetMasteryRequest(learner="learners/ada"), metadata=Calls.as_(), timeout=5)
    assert answer.attempt_count == 3


def test_a_synchronous_client_is_refused_like_any_other(grpc_stub: ProgressServiceStub) -> None:
    with pytest.raises(grpc.RpcError) as refusal:
        grpc_stub.GetMastery(progress.GetMasteryRequest(learner="learners/bob"), metadata=Calls.as_(), timeout=5)
    assert refusal.value.code() is grpc.StatusCode.NOT_FOUND
