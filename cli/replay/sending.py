"""The three doors an answer can go through. Each keeps every learner's order and repeats until the platform has acknowledged."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from paideia.assessment.v1 import assessment_service_pb2 as assessment
from paideia.assessment.v1.assessment_service_pb2_grpc import AssessmentServiceStub

from cli.api import Advance, Api, CannotReach, Json, Refused
from cli.replay.preparation import RIGHT, WRONG
from cli.replay.response_log import Answer, ResponseLog
from cli.trust import grpc_channel

_EVENTS_A_REQUEST = 500
_MOST_EVENTS_A_REQUEST = 2_000


@dataclass(slots=True)
class Sent:
    """What became of the sending: ids that were acknowledged, what was refused and why, seconds each request took."""

    acknowledged: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)


Submit = Callable[[Answer], Awaitable[None]]


async def send(api: Api, log: ResponseLog, course: str, via: str, concurrency: int, advance: Advance) -> Sent:
    """Sends every answer by `via`: rest, grpc or events. Learners start in the order of the file, `concurrency` at a time."""
    sent = Sent()
    if via == "events":
        await _send_events(api, log, course, concurrency, sent, advance)
    elif via == "rest":
        await _send_each(log, _by_rest(api, course), concurrency, sent, advance)
    else:
        async with grpc_channel(api.access.url, api.access.authorities) as channel:
            await _send_each(log, _by_grpc(api, channel, course), concurrency, sent, advance)
    return sent


async def _send_each(log: ResponseLog, submit: Submit, concurrency: int, sent: Sent, advance: Advance) -> None:
    learners = iter(log.answers.values())

    async def work() -> None:
        for answers in learners:
            for answer in answers:
                start = time.perf_counter()
                try:
                    await submit(answer)
                    sent.acknowledged.add(answer.id)
                except Refused as refusal:
                    sent.refused[answer.id] = str(refusal)
                sent.latencies.append(time.perf_counter() - start)
                advance(1)

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(work())


def _by_rest(api: Api, course: str) -> Submit:
    async def submit(answer: Answer) -> None:
        body: Json = {
            "requestId": answer.id,
            "course": f"courses/{course}",
            "item": f"items/{answer.item}",
            "answer": {"choice": {"chosen": [RIGHT if answer.correct else WRONG]}},
            "answerTime": _rfc3339(answer.occurred_at),
        }
        if answer.response_time is not None:
            body["responseTime"] = f"{answer.response_time.total_seconds():.3f}s"
        await api.post(f"/v1/learners/{answer.learner}/responses", body)

    return submit


def _by_grpc(api: Api, channel: grpc.aio.Channel, course: str) -> Submit:
    stub = AssessmentServiceStub(channel)

    async def submit(answer: Answer) -> None:
        moment = Timestamp()
        moment.FromDatetime(answer.occurred_at)
        request = assessment.SubmitResponseRequest(
            request_id=answer.id,
            learner=f"learners/{answer.learner}",
            course=f"courses/{course}",
            item=f"items/{answer.item}",
            answer=assessment.Answer(choice=assessment.ChoiceAnswer(chosen=[RIGHT if answer.correct else WRONG])),
            answer_time=moment,
        )
        if answer.response_time is not None:
            took = Duration()
            took.FromTimedelta(answer.response_time)
            request.response_time.CopyFrom(took)
        await _until_answered(api, stub.SubmitResponse, request)

    return submit


_AGAIN = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.UNAUTHENTICATED,
)


async def _until_answered(api: Api, method: Any, request: Any, patience: float = 180.0) -> None:
    give_up = time.monotonic() + patience
    pause = 0.05
    while True:
        try:
            await method(request, metadata=(("authorization", f"Bearer {await api.token()}"),), timeout=15)
            return
        except grpc.aio.AioRpcError as error:
            if error.code() not in _AGAIN:
                raise Refused(400, {"message": f"{error.code().name}: {error.details()}"}) from error
            if time.monotonic() + pause > give_up:
                raise CannotReach(f"{api.access.url} did not take an answer: {error.details()}") from error
        await asyncio.sleep(pause)
        pause = min(2 * pause, 2.0)


async def _send_events(api: Api, log: ResponseLog, course: str, concurrency: int, sent: Sent, advance: Advance) -> None:
    """A learner's answers go in one request, so that their order is the log's; a learner with too many for one gets requests of
    their own, sent one after the other."""
    requests = _event_requests(log)

    async def work() -> None:
        for answers in requests:
            for first in range(0, len(answers), _MOST_EVENTS_A_REQUEST):
                await ingest(answers[first : first + _MOST_EVENTS_A_REQUEST])

    async def ingest(answers: list[Answer]) -> None:
        start = time.perf_counter()
        verdict = await api.post("/v1/events:ingest", {"events": [_event(each, course) for each in answers]})
        sent.latencies.append(time.perf_counter() - start)
        for refused in verdict.get("refused", []):
            sent.refused[refused["id"]] = f"{refused['field']}: {refused['description']}"
        sent.acknowledged.update(each.id for each in answers if each.id not in sent.refused)
        advance(len(answers))

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(work())


def _event_requests(log: ResponseLog) -> Iterator[list[Answer]]:
    pending: list[Answer] = []
    for answers in log.answers.values():
        pending += answers
        if len(pending) >= _EVENTS_A_REQUEST:
            yield pending
            pending = []
    if pending:
        yield pending


def _event(answer: Answer, course: str) -> Json:
    attempt: Json = {
        "item": f"items/{answer.item}",
        "skills": [f"skills/{each}" for each in answer.skills],
        "correct": answer.correct,
    }
    if answer.response_time is not None:
        attempt["responseTime"] = f"{answer.response_time.total_seconds():.3f}s"
    return {
        "id": answer.id,
        "learner": f"learners/{answer.learner}",
        "occurTime": _rfc3339(answer.occurred_at),
        "course": f"courses/{course}",
        "attempt": attempt,
    }


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
