"""Decisions, to teachers who see their classes only."""

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError
from paideia.scheduler.v1 import scheduler_service_pb2 as pb

from services.shared.sights import Sight, Sights
from tests.rpc.scheduler.conftest import Scheduler
from tests.rpc.scheduler.making import next_items
from tests.unit.scheduler.making import ID


class Classes:
    async def of(self, organization: str, user: str) -> Sight:
        return Sight(frozenset({"ada"} if user == "tess" else {"bob"}))


@pytest.fixture
def sights() -> Sights:
    return Classes()


@pytest.mark.parametrize("method", ["GetDecision", "ExplainDecision", "ReplayDecision"])
async def test_decisions_about_other_teachers_learners_do_not_exist(scheduler: Scheduler, method: str) -> None:
    await scheduler("NextItems", next_items())
    request = getattr(pb, f"{method}Request")(name=f"decisions/{ID}")
    await scheduler(method, request, "tess", "TEACHER")
    await scheduler(method, request, "ann", "ADMIN")
    with pytest.raises(AioRpcError) as hidden:
        await scheduler(method, request, "tom", "TEACHER")
    none = getattr(pb, f"{method}Request")(name="decisions/00000000-0000-4000-8000-000000000000")
    with pytest.raises(AioRpcError) as missing:
        await scheduler(method, none, "tom", "TEACHER")
    assert hidden.value.code() is missing.value.code() is StatusCode.NOT_FOUND
    assert hidden.value.details() == missing.value.details().replace("00000000-0000-4000-8000-000000000000", ID)


async def test_learners_still_read_why_their_own_items_were_chosen(scheduler: Scheduler) -> None:
    await scheduler("NextItems", next_items())
    await scheduler("ExplainDecision", pb.ExplainDecisionRequest(name=f"decisions/{ID}"), "ada", "LEARNER")
