"""Whatever clients send has a verdict of its own, and their other events are unaffected. The table in docs/events.md has the same rows."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError
from paideia.ingestion.v1.events_pb2 import LearningEvent
from paideia.ingestion.v1.ingestion_service_pb2 import IngestEventsRequest, IngestEventsResponse, StreamEventsRequest

from tests.rpc.ingestion.conftest import Ingestion

Attempt = Callable[..., LearningEvent]


async def send(ingestion: Ingestion, *events: LearningEvent) -> IngestEventsResponse:
    request = IngestEventsRequest(events=events)
    answer: IngestEventsResponse = await ingestion.stub.IngestEvents(request, metadata=ingestion.calls.as_())
    return answer


def kept(ingestion: Ingestion) -> list[str]:
    return [each.id for each in ingestion.log.events.get("north", [])]


def a_long_page(event: LearningEvent) -> None:
    event.page_view.page = "p" * 1_000_000


def a_megabyte_in_a_field_that_nobody_knows(event: LearningEvent) -> None:
    size = b"\x80\x80\x40"  # 1,048,576 as a varint
    event.MergeFromString(b"\xa2\x06" + size + b"x" * 1_048_576)  # field 100, a text


def the_future(event: LearningEvent) -> None:
    event.occur_time.FromDatetime(datetime.now(UTC) + timedelta(days=1))


def a_clock_never_set(event: LearningEvent) -> None:
    event.occur_time.FromDatetime(datetime(1970, 1, 1, 0, 3, tzinfo=UTC))


def somebody_else(event: LearningEvent) -> None:
    event.learner = "learners/bob"


@pytest.mark.parametrize(
    ("spoil", "field"),
    [
        (a_long_page, "page_view.page"),
        (a_megabyte_in_a_field_that_nobody_knows, "event"),
        (the_future, "occur_time"),
        (a_clock_never_set, "occur_time"),
        (somebody_else, "learner"),
    ],
)
async def test_one_bad_event_is_refused_and_its_neighbours_are_kept(
    ingestion: Ingestion, attempt: Attempt, spoil: Callable[[LearningEvent], None], field: str
) -> None:
    before, bad, after = attempt(), attempt(), attempt()
    spoil(bad)
    answer = await send(ingestion, before, bad, after)
    assert (answer.accepted, [(each.index, each.field) for each in answer.refused]) == (2, [(1, field)])
    assert kept(ingestion) == [before.id, after.id]


async def test_fields_of_a_newer_release_are_kept_for_those_who_know_them(ingestion: Ingestion, attempt: Attempt) -> None:
    event = attempt()
    event.MergeFromString(b"\xa2\x06\x05later")
    assert (await send(ingestion, event)).accepted == 1
    assert ingestion.log.events["north"][0].SerializeToString() == event.SerializeToString()


async def test_of_one_id_with_different_bodies_the_first_is_taken_and_the_others_are_told(
    ingestion: Ingestion, attempt: Attempt
) -> None:
    first, other = attempt(), attempt()
    other.id = first.id
    other.attempt.correct = False
    answer = await send(ingestion, first, other, first)
    assert (answer.accepted, [(each.index, each.field) for each in answer.refused]) == (2, [(1, "id")])
    assert kept(ingestion) == [first.id]


@pytest.mark.parametrize("count", [0, 100_000])
async def test_no_event_or_a_hundred_thousand_are_refused_as_a_whole(ingestion: Ingestion, count: int) -> None:
    with pytest.raises(AioRpcError) as refusal:
        await send(ingestion, *[LearningEvent(id="x")] * count)
    assert refusal.value.code() is StatusCode.INVALID_ARGUMENT
    assert kept(ingestion) == []


async def test_text_that_is_no_utf8_is_refused_as_a_whole(ingestion: Ingestion, attempt: Attempt) -> None:
    spoilt = attempt("\x7f").SerializeToString().replace(b"learners/\x7f", b"learners/\xff")
    good = attempt().SerializeToString()
    data = b"".join(b"\x0a" + bytes([len(each)]) + each for each in (good, spoilt))
    call = ingestion.calls.channel.unary_unary("/paideia.ingestion.v1.IngestionService/IngestEvents")
    with pytest.raises(AioRpcError) as refusal:
        await call(data, metadata=ingestion.calls.as_())
    assert refusal.value.code() is StatusCode.INVALID_ARGUMENT
    assert kept(ingestion) == []


async def test_days_old_events_in_any_order_are_taken_as_they_come(ingestion: Ingestion, attempt: Attempt) -> None:
    events = [attempt() for _ in range(5)]
    for number, event in enumerate(events):
        event.occur_time.FromDatetime(datetime.now(UTC) - timedelta(days=number * 7 % 5))
        event.client_sequence = number
    assert (await send(ingestion, *events)).accepted == 5
    assert kept(ingestion) == [each.id for each in events]


async def test_a_client_that_tells_its_clock_has_its_times_corrected(ingestion: Ingestion, attempt: Attempt) -> None:
    slow, event = timedelta(hours=-3), attempt()
    event.occur_time.FromDatetime(datetime.now(UTC) + slow - timedelta(minutes=1))
    request = IngestEventsRequest(events=[event])
    request.client_time.FromDatetime(datetime.now(UTC) + slow)
    answer = await ingestion.stub.IngestEvents(request, metadata=ingestion.calls.as_())
    assert answer.clock_correction.ToTimedelta() == -slow
    taken = ingestion.log.events["north"][0].occur_time.ToDatetime(UTC)
    assert abs(datetime.now(UTC) - timedelta(minutes=1) - taken) < timedelta(minutes=1)


async def test_a_clock_ahead_costs_no_event_when_it_is_told_and_every_event_when_not(
    ingestion: Ingestion, attempt: Attempt
) -> None:
    event = attempt()
    event.occur_time.FromDatetime(datetime.now(UTC) + timedelta(days=30))
    assert (await send(ingestion, event)).accepted == 0
    request = StreamEventsRequest(number=1, events=[event])
    request.client_time.FromDatetime(datetime.now(UTC) + timedelta(days=30))
    (answer,) = [each async for each in ingestion.stub.StreamEvents(iter([request]), metadata=ingestion.calls.as_())]
    assert (answer.accepted, answer.clock_correction.ToTimedelta()) == (1, -timedelta(days=30))


async def test_a_good_clock_is_not_mentioned(ingestion: Ingestion, attempt: Attempt) -> None:
    request = IngestEventsRequest(events=[attempt()])
    request.client_time.FromDatetime(datetime.now(UTC) - timedelta(minutes=4))
    answer = await ingestion.stub.IngestEvents(request, metadata=ingestion.calls.as_())
    assert (answer.accepted, answer.HasField("clock_correction")) == (1, False)


async def test_a_clock_that_no_calendar_has_is_refused(ingestion: Ingestion, attempt: Attempt) -> None:
    request = IngestEventsRequest(events=[attempt()])
    request.client_time.seconds = 2**60
    with pytest.raises(AioRpcError) as refusal:
        await ingestion.stub.IngestEvents(request, metadata=ingestion.calls.as_())
    assert refusal.value.code() is StatusCode.INVALID_ARGUMENT
