"""gRPC in: batches and streams of learning events."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import grpc
from paideia.ingestion.v1 import ingestion_service_pb2_grpc
from paideia.ingestion.v1.ingestion_service_pb2 import (
    GetUsageRequest,
    GetUsageResponse,
    IngestEventsRequest,
    IngestEventsResponse,
    StreamEventsRequest,
    StreamEventsResponse,
)

from domain.ingestion.use_cases.get_usage import GetUsage
from domain.ingestion.use_cases.ingest_events import IngestEvents
from services.ingestion.messages import correction_message, refused_messages
from services.shared.call import caller, learners_seen

MOST_AHEAD = 16
"""Messages of one stream that wait for the log at a time."""

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class IngestionServicer(ingestion_service_pb2_grpc.IngestionServiceServicer):
    def __init__(self, ingest: IngestEvents[IngestEventsRequest | StreamEventsRequest, Any], get_usage: GetUsage) -> None:
        self._ingest = ingest
        self._get_usage = get_usage

    async def IngestEvents(
        self, request: IngestEventsRequest, context: grpc.aio.ServicerContext[IngestEventsRequest, IngestEventsResponse]
    ) -> IngestEventsResponse:
        receipt = await self._ingest(caller(context), request, await learners_seen(context))
        return IngestEventsResponse(
            accepted=receipt.accepted,
            refused=refused_messages(receipt.refused),
            clock_correction=correction_message(receipt.clock_correction),
        )

    async def GetUsage(
        self, request: GetUsageRequest, context: grpc.aio.ServicerContext[GetUsageRequest, GetUsageResponse]
    ) -> GetUsageResponse:
        used = await self._get_usage(caller(context))
        return GetUsageResponse(used={str(quota): count for quota, count in used.items()})

    async def StreamEvents(
        self,
        request_iterator: AsyncIterator[StreamEventsRequest],
        context: grpc.aio.ServicerContext[StreamEventsRequest, StreamEventsResponse],
    ) -> AsyncIterator[StreamEventsResponse]:
        who = caller(context)

        async def answer(request: StreamEventsRequest) -> StreamEventsResponse:
            receipt = await self._ingest(who, request, await learners_seen(context))
            return StreamEventsResponse(
                number=request.number,
                accepted=receipt.accepted,
                refused=refused_messages(receipt.refused),
                clock_correction=correction_message(receipt.clock_correction),
            )

        async for each in answered_in_order(request_iterator, answer, MOST_AHEAD):
            yield each


async def answered_in_order(
    questions: AsyncIterator[Question], answer: Callable[[Question], Awaitable[Answer]], most_ahead: int
) -> AsyncIterator[Answer]:
    """Yields the answer to each question, in order. Works on `most_ahead` at a time, which it begins in order, and reads no further.

    The first question or answer that fails ends it with its error, after the answers before it.
    """
    room = asyncio.Semaphore(most_ahead)
    begun: asyncio.Queue[asyncio.Future[Answer] | None] = asyncio.Queue()

    async def begin() -> None:
        try:
            await room.acquire()
            async for question in questions:
                begun.put_nowait(asyncio.ensure_future(answer(question)))
                await room.acquire()
            begun.put_nowait(None)
        except Exception as error:
            failed: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
            failed.set_exception(error)
            begun.put_nowait(failed)

    reader = asyncio.create_task(begin())
    try:
        while (pending := await begun.get()) is not None:
            yield await pending
            room.release()
    finally:
        reader.cancel()
        left = [each for each in (begun.get_nowait() for _ in range(begun.qsize())) if each is not None]
        for each in left:
            each.cancel()
        await asyncio.gather(reader, *left, return_exceptions=True)
