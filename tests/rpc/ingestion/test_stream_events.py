import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError
from paideia.ingestion.v1.events_pb2 import LearningEvent
from paideia.ingestion.v1.ingestion_service_pb2 import StreamEventsRequest, StreamEventsResponse

from tests.rpc.ingestion.conftest import Ingestion

Attempt = Callable[..., LearningEvent]


async def stream(ingestion: Ingestion, requests: Sequence[StreamEventsRequest]) -> AsyncIterator[StreamEventsResponse]:
    async for answer in ingestion.stub.StreamEvents(iter(requests), metadata=ingestion.calls.as_()):
        yield answer


async def test_every_message_is_answered_in_order_with_its_number_and_its_verdicts(
    ingestion: Ingestion, attempt: Attempt
) -> None:
    requests = [StreamEventsRequest(number=number * 10, events=[attempt(), attempt("bob")]) for number in range(40)]
    answers = [each async for each in stream(ingestion, requests)]
    assert [each.number for each in answers] == [number * 10 for number in range(40)]
    assert {each.accepted for each in answers} == {1}
    assert {(refused.index, refused.field) for each in answers for refused in each.refused} == {(1, "learner")}
    assert ingestion.log.events == {"north": [each.events[0] for each in requests]}


async def test_a_client_may_wait_for_each_answer_before_it_goes_on(ingestion: Ingestion, attempt: Attempt) -> None:
    call = ingestion.stub.StreamEvents(metadata=ingestion.calls.as_())
    for number in range(5):
        await call.write(StreamEventsRequest(number=number, events=[attempt()]))
        answer = await call.read()
        assert (answer.number, answer.accepted) == (number, 1)
    await call.done_writing()
    assert await call.code() is StatusCode.OK


async def test_an_empty_message_ends_the_stream_after_the_answers_before_it(ingestion: Ingestion, attempt: Attempt) -> None:
    requests = [StreamEventsRequest(number=1, events=[attempt()]), StreamEventsRequest(number=2)]
    answers = stream(ingestion, requests)
    assert (await anext(answers)).number == 1
    with pytest.raises(AioRpcError) as refusal:
        await anext(answers)
    assert refusal.value.code() is StatusCode.INVALID_ARGUMENT


async def test_when_the_log_goes_away_what_was_acknowledged_stays_so(ingestion: Ingestion, attempt: Attempt) -> None:
    call = ingestion.stub.StreamEvents(metadata=ingestion.calls.as_())
    await call.write(StreamEventsRequest(number=1, events=[attempt()]))
    assert (await call.read()).number == 1
    ingestion.log.away = True
    await call.write(StreamEventsRequest(number=2, events=[attempt()]))
    with pytest.raises(AioRpcError) as refusal:
        await call.read()
    assert refusal.value.code() is StatusCode.UNAVAILABLE
    assert len(ingestion.log.events["north"]) == 1


async def test_a_client_that_hangs_up_leaves_the_server_well(ingestion: Ingestion, attempt: Attempt) -> None:
    call = ingestion.stub.StreamEvents(metadata=ingestion.calls.as_())
    await call.write(StreamEventsRequest(number=1, events=[attempt()]))
    await call.read()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call.read()
    assert [each.number async for each in stream(ingestion, [StreamEventsRequest(number=7, events=[attempt()])])] == [7]
