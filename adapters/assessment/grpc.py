"""The other contexts: the catalog that publishes items, and progress and the scheduler that hear of answers."""

import asyncio
from collections.abc import Iterable, Sequence

import structlog
from paideia.catalog.v1 import catalog_service_pb2, item_pb2
from paideia.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub
from paideia.ingestion.v1 import events_pb2
from paideia.progress.v1 import progress_service_pb2
from paideia.progress.v1.progress_service_pb2_grpc import ProgressServiceStub
from paideia.scheduler.v1 import scheduler_service_pb2
from paideia.scheduler.v1.scheduler_service_pb2_grpc import SchedulerServiceStub

from adapters.assessment.kafka import learning_event
from adapters.shared.grpc import Channels
from domain.assessment.model.items import (
    AnswerKey,
    Body,
    ChoiceInteraction,
    ChoiceKey,
    ClozeInteraction,
    ClozeKey,
    Gap,
    GapInteraction,
    GapKey,
    Interaction,
    Item,
    Key,
    MatchingInteraction,
    MatchingKey,
    NumericInteraction,
    NumericKey,
    Option,
    OrderingInteraction,
    OrderingKey,
    ShortTextInteraction,
    ShortTextKey,
)
from domain.assessment.model.responses import CourseNotPublished, Response
from domain.assessment.ports import AttemptListener, CatalogContent, PublishedBatch
from domain.shared.coalescer import Coalescer
from domain.shared.errors import DomainError, NotFound

log = structlog.get_logger()

_PULL_SECONDS = 2.0
_TELL_SECONDS = 1.0


class GrpcCatalogContent(CatalogContent):
    def __init__(self, channels: Channels) -> None:
        self._channels = channels

    async def published(self, organization: str, course: str, items: Sequence[str]) -> PublishedBatch:
        request = catalog_service_pb2.BatchGetPublishedItemsRequest(
            course=f"courses/{course}", items=[f"items/{each}" for each in items]
        )
        stub = self._channels.stub(CatalogServiceStub, "catalog")
        try:
            batch = await self._channels.call("catalog", stub.BatchGetPublishedItems, request, organization, _PULL_SECONDS)
        except NotFound as error:
            raise CourseNotPublished(f"course {course} is not published") from error
        return PublishedBatch(batch.publication, tuple(map(item_from, batch.items)))


class GrpcAttemptListener(AttemptListener):
    """Answers that arrive while progress is being told share the next call; each waits for its own to be known, at most a second."""

    def __init__(self, channels: Channels, seconds: float = _TELL_SECONDS) -> None:
        self._channels = channels
        self._seconds = seconds
        self._tell: Coalescer[events_pb2.LearningEvent, None] = Coalescer(self._tell_all, rest=1.0)

    async def hear(self, organization: str, response: Response, skills: Sequence[str]) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                await self._tell(organization, learning_event(response, skills))
        except (DomainError, TimeoutError) as error:
            log.info("progress or the scheduler hears of an answer by the log only", response=response.id, error=str(error))
        except Exception:
            log.exception("progress and the scheduler could not be told of an answer", response=response.id)

    async def _tell_all(self, organization: str, events: Sequence[events_pb2.LearningEvent]) -> Sequence[None]:
        progress = self._channels.stub(ProgressServiceStub, "progress")
        counted = await self._channels.call(
            "progress",
            progress.RecordAttempts,
            progress_service_pb2.RecordAttemptsRequest(events=events),
            organization,
            self._seconds,
        )
        updates = [each.update for each in counted.outcomes if each.HasField("update")]
        if updates:
            scheduler = self._channels.stub(SchedulerServiceStub, "scheduler")
            request = scheduler_service_pb2.ObserveRequest(updates=updates)
            await self._channels.call("scheduler", scheduler.Observe, request, organization, self._seconds)
        return [None] * len(events)


def item_from(message: item_pb2.Item) -> Item:
    """Reads an item as the contract writes it. What is missing stays missing: checking finds it."""
    return Item(
        id=message.name.removeprefix("items/"),
        revision=message.revision,
        skills=tuple(each.removeprefix("skills/") for each in message.skills),
        body=Body(message.body.stem, _interaction(message.body)),
        key=Key(_key(message.key), tuple(message.key.hints), message.key.explanation),
    )


def _interaction(body: item_pb2.Body) -> Interaction | None:
    match body.WhichOneof("interaction"):
        case "ordering":
            return OrderingInteraction(_options(body.ordering.entries))
        case "matching":
            return MatchingInteraction(_options(body.matching.sources), _options(body.matching.targets))
        case "cloze":
            return ClozeInteraction(tuple(Gap(each.id, _gap_interaction(each)) for each in body.cloze.gaps))
    return _gap_interaction(body)


def _gap_interaction(within: item_pb2.Body | item_pb2.Gap) -> GapInteraction | None:
    match within.WhichOneof("interaction"):
        case "choice":
            choice = within.choice
            return ChoiceInteraction(_options(choice.choices), choice.multiple, choice.fixed_order)
        case "numeric":
            return NumericInteraction(tuple(within.numeric.units))
        case "short_text":
            return ShortTextInteraction(within.short_text.max_length)
    return None


def _key(key: item_pb2.Key) -> AnswerKey | None:
    match key.WhichOneof("answer"):
        case "ordering":
            return OrderingKey(tuple(key.ordering.order), key.ordering.partial_credit)
        case "matching":
            return MatchingKey(dict(key.matching.matches), key.matching.partial_credit)
        case "cloze":
            return ClozeKey({gap: _gap_key(each) for gap, each in key.cloze.gaps.items()}, key.cloze.partial_credit)
    return _gap_key(key)


def _gap_key(key: item_pb2.Key | item_pb2.GapKey) -> GapKey | None:
    match key.WhichOneof("answer"):
        case "choice":
            choice = key.choice
            return ChoiceKey(tuple(choice.correct), choice.partial_credit, dict(choice.feedback))
        case "numeric":
            number = key.numeric
            return NumericKey(number.value, number.tolerance, dict(number.units), number.lowest_terms, dict(number.feedback))
        case "short_text":
            text = key.short_text
            return ShortTextKey(tuple(text.accepted), tuple(text.patterns), text.case_sensitive, dict(text.feedback))
    return None


def _options(options: Iterable[item_pb2.Option]) -> tuple[Option, ...]:
    return tuple(Option(each.id, each.text) for each in options)
