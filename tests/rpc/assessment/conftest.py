from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from paideia.assessment.v1.assessment_service_pb2_grpc import AssessmentServiceStub, add_AssessmentServiceServicer_to_server

from adapters.assessment.grpc import item_from
from adapters.assessment.re2 import Re2PatternMatcher
from domain.assessment.use_cases.check_items import CheckItems
from services.assessment.servicer import AssessmentServicer
from tests.rpc.serving import Calls, serving
from tests.unit.assessment.fakes import World


@dataclass
class Assessment:
    """The stub, who calls, and the world behind the server."""

    stub: AssessmentServiceStub
    calls: Calls
    world: World


@pytest.fixture
async def assessment() -> AsyncIterator[Assessment]:
    world = World()
    servicer = AssessmentServicer(
        world.get_item_view,
        world.reveal_hint,
        world.submit,
        world.get_response,
        world.list_responses,
        CheckItems(Re2PatternMatcher()),
        item_from,
    )
    async with serving(lambda server: add_AssessmentServiceServicer_to_server(servicer, server)) as calls:
        yield Assessment(AssessmentServiceStub(calls.channel), calls, world)
