from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import inf, nan

import pytest
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from grpc import StatusCode
from grpc.aio import AioRpcError
from grpc_status import rpc_status
from paideia.ingestion.v1.events_pb2 import LearningEvent
from paideia.ingestion.v1.ingestion_service_pb2 import IngestEventsRequest

from tests.rpc.ingestion.conftest import Ingestion

Attempt = Callable[..., LearningEvent]


def details(error: AioRpcError, kind: type) -> list[object]:
    status = rpc_status.from_call(error)
    found = []
    for each in status.details if status else ():
        if each.Is(kind.DESCRIPTOR):  # type: ignore[attr-defined]
            message = kind()
            each.Unpack(message)
            found.append(message)
    return found


async def test_events_are_acknowledged_when_the_log_has_them(ingestion: Ingestion, attempt: Attempt) -> None:
    events = [attempt(), attempt()]
    answer = await ingestion.stub.IngestEvents(IngestEventsRequest(events=events), metadata=ingestion.calls.as_())
    assert (answer.accepted, list(answer.refused)) == (2, [])
    assert ingestion.log.events == {"north": events}


async def test_a_bad_event_is_refused_with_its_field_and_its_neighbours_are_kept(ingestion: Ingestion, attempt: Attempt) -> None:
    events = [attempt() for _ in range(8)]
    events[0].id = "x"
    events[1].ClearField("occur_time")
    events[2].attempt.score = nan
    events[3].attempt.score = inf
    events[4].occur_time.FromDatetime(datetime.now(UTC) + timedelta(minutes=6))
    events[5].page_view.page = "x" * 2_001
    events[6].attempt.ClearField("skills")
    answer = await ingestion.stub.IngestEvents(IngestEventsRequest(events=events), metadata=ingestion.calls.as_())
    assert answer.accepted == 1
    assert [(each.index, each.field) for each in answer.refused] == [
        (0, "id"),
        (1, "occur_time"),
        (2, "attempt.score"),
        (3, "attempt.score"),
        (4, "occur_time"),
        (5, "page_view.page"),
        (6, "attempt.skills"),
    ]
    assert all(each.description for each in answer.refused)
    assert [each.id for each in answer.refused] == [each.id for each in events[:7]]
    assert ingestion.log.events == {"north": [events[7]]}


async def test_a_learner_sends_only_their_own_and_a_teacher_everybodys(ingestion: Ingestion, attempt: Attempt) -> None:
    request = IngestEventsRequest(events=[attempt("ada"), attempt("bob")])
    as_ada = await ingestion.stub.IngestEvents(request, metadata=ingestion.calls.as_("north", "ada", "LEARNER"))
    assert [(each.index, each.field) for each in as_ada.refused] == [(1, "learner")]
    as_tom = await ingestion.stub.IngestEvents(request, metadata=ingestion.calls.as_("north", "tom", "TEACHER"))
    assert as_tom.accepted == 2


@pytest.mark.parametrize("count", [0, 10_001])
async def test_a_batch_that_is_empty_or_too_large_names_its_field(ingestion: Ingestion, attempt: Attempt, count: int) -> None:
    with pytest.raises(AioRpcError) as refusal:
        await ingestion.stub.IngestEvents(IngestEventsRequest(events=[attempt()] * count), metadata=ingestion.calls.as_())
    assert refusal.value.code() is StatusCode.INVALID_ARGUMENT
    (bad,) = details(refusal.value, BadRequest)
    assert [each.field for each in bad.field_violations] == ["events"]  # type: ignore[attr-defined]


async def test_a_full_batch_is_taken(ingestion: Ingestion, attempt: Attempt) -> None:
    request = IngestEventsRequest(events=[attempt() for _ in range(10_000)])
    answer = await ingestion.stub.IngestEvents(request, metadata=ingestion.calls.as_())
    assert answer.accepted == 10_000


async def test_a_body_of_ten_megabytes_is_refused(ingestion: Ingestion, attempt: Attempt) -> None:
    event = attempt()
    event.page_view.page = "x" * 10_000_000
    with pytest.raises(AioRpcError) as refusal:
        await ingestion.stub.IngestEvents(IngestEventsRequest(events=[event]), metadata=ingestion.calls.as_())
    assert refusal.value.code() is StatusCode.RESOURCE_EXHAUSTED


async def test_with_the_log_away_nothing_is_acknowledged_and_the_caller_is_told_when_to_repeat(
    ingestion: Ingestion, attempt: Attempt
) -> None:
    ingestion.log.away = True
    with pytest.raises(AioRpcError) as refusal:
        await ingestion.stub.IngestEvents(IngestEventsRequest(events=[attempt()]), metadata=ingestion.calls.as_())
    assert refusal.value.code() is StatusCode.UNAVAILABLE
    (retry,) = details(refusal.value, RetryInfo)
    assert retry.retry_delay.ToTimedelta() > timedelta()  # type: ignore[attr-defined]


async def test_bytes_that_are_no_message_are_the_callers_fault(ingestion: Ingestion) -> None:
    call = ingestion.calls.channel.unary_unary("/paideia.ingestion.v1.IngestionService/IngestEvents")
    for body in (b"\xff" * 40, b"\x0a\x04\x0a\x02\xff\xfe"):
        with pytest.raises(AioRpcError) as refusal:
            await call(body, metadata=ingestion.calls.as_())
        assert refusal.value.code() is StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("metadata", "code"),
    [((), StatusCode.UNAUTHENTICATED), ("AUTHOR", StatusCode.PERMISSION_DENIED)],
)
async def test_only_those_whom_the_rule_allows_may_send(
    ingestion: Ingestion, attempt: Attempt, metadata: object, code: StatusCode
) -> None:
    sent = ingestion.calls.as_("north", "ann", str(metadata)) if metadata else ()
    with pytest.raises(AioRpcError) as refusal:
        await ingestion.stub.IngestEvents(IngestEventsRequest(events=[attempt()]), metadata=sent)
    assert refusal.value.code() is code
