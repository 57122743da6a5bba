"""Events on behalf of others, by teachers who see their classes only."""

from collections.abc import Callable

import pytest
from paideia.ingestion.v1.events_pb2 import LearningEvent
from paideia.ingestion.v1.ingestion_service_pb2 import IngestEventsRequest, StreamEventsRequest

from services.shared.sights import Sight, Sights
from tests.rpc.ingestion.conftest import Ingestion


class Classes:
    async def of(self, organization: str, user: str) -> Sight:
        return Sight(frozenset({"ada"} if user == "tess" else ()))


@pytest.fixture
def sights() -> Sights:
    return Classes()


@pytest.mark.parametrize(
    ("user", "role", "taken"),
    [
        ("tess", "TEACHER", ["ada", "tess"]),
        ("new", "TEACHER", []),
        ("ann", "ADMIN", ["ada", "bob", "tess"]),
        ("bob", "LEARNER", ["bob"]),
    ],
)
async def test_only_events_of_learners_whom_the_caller_sees_are_taken(
    ingestion: Ingestion, attempt: Callable[..., LearningEvent], user: str, role: str, taken: list[str]
) -> None:
    events = [attempt("ada"), attempt("bob"), attempt("tess")]
    metadata = ingestion.calls.as_("north", user, role)
    answer = await ingestion.stub.IngestEvents(IngestEventsRequest(events=events), metadata=metadata)
    stream = ingestion.stub.StreamEvents(iter([StreamEventsRequest(number=1, events=events)]), metadata=metadata)
    streamed = [each async for each in stream]
    assert answer.accepted == streamed[0].accepted == len(taken)
    assert [each.field for each in answer.refused] == ["learner"] * (3 - len(taken))
    kept = [each.learner.removeprefix("learners/") for each in ingestion.log.events.get("north", [])]
    assert kept == taken * 2
