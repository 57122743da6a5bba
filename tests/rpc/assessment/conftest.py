from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from paideia.assessment.v1.assessment_service_pb2_grpc import AssessmentServiceStub, add_AssessmentServiceServicer_to_server

from adapters.assessment.grpc import item_from
from adapters.assessment.memory import MemoryHeldItems
from adapters.assessment.re2 import Re2PatternMatcher
from adapters.assessment.testing_memory import MemorySittingUnit, SittingTables
from domain.assessment.use_cases.check_items import CheckItems
from services.assessment.servicer import AssessmentServicer
from tests.rpc.serving import Calls, serving
from tests.unit.assessment.fakes import World
from tests.unit.assessment.sittings import course_items, use_cases


@dataclass
class Assessment:
    """The stub, who calls, and the world behind the server."""

    stub: AssessmentServiceStub
    calls: Calls
    world: World


@pytest.fixture
async def assessment() -> AsyncIterator[Assessment]:
    world = World()
    world.catalog.publish("north", "exam", *course_items(30))
    tables = SittingTables(world.tables)
    sittings = use_cases(
        lambda organization: MemorySittingUnit(tables, organization),
        world.catalog,
        MemoryHeldItems(world.tables),
        world.listener,
        lambda: world.now,
    )
    servicer = AssessmentServicer(
        world.get_item_view,
        world.reveal_hint,
        world.submit,
        world.get_response,
        world.list_responses,
        CheckItems(Re2PatternMatcher()),
        item_from,
        sittings,
    )
    async with serving(lambda server: add_AssessmentServiceServicer_to_server(servicer, server)) as calls:
        yield Assessment(AssessmentServiceStub(calls.channel), calls, world)
