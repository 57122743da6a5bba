"""How a batch of the log gets through its handler: outages are waited out, poison is put aside, strangers are quarantined.

Three things can be wrong, and each has an answer of its own:

- what the handler needs is away: nothing is lost by waiting, so the batch waits, however long it takes;
- a message can never be handled: the batch is halved until it stands alone, and it becomes a dead letter;
- a message is of a type that this release does not know: it becomes a dead letter untried, to be replayed by a release that does.
"""

import asyncio
import contextlib
from collections import Counter as Tally
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from time import monotonic, time
from typing import Protocol, Self

import confluent_kafka
import structlog
from prometheus_client import Counter, Gauge, Histogram

from adapters.shared.kafka import Record
from adapters.shared.topics import dead_letters_of, knows
from domain.shared.errors import Unavailable
from domain.shared.trace import continued, current_traceparent, trace_id

log = structlog.get_logger()

OUTAGES = (Unavailable, OSError)
POISON, UNKNOWN_TYPE = "POISON", "UNKNOWN_TYPE"

consumed = Counter("paideia_consumer_messages_total", "Messages by what became of them", ["group", "topic", "outcome"])
retries = Counter("paideia_consumer_retries_total", "Repeated calls of a handler", ["group"])
waiting = Gauge("paideia_consumer_waiting", "1 while a batch waits for something to come back", ["group"])
batch_sizes = Histogram("paideia_consumer_batch_size", "Messages a batch", ["group"], buckets=(1, 5, 20, 50, 100, 200, 500, 1000))
position_age = Gauge(
    "paideia_consumer_position_age_seconds", "Age of the newest handled message when it was handled", ["group", "topic"]
)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the log. `headers` are texts; `sent_at` is the producer's clock, in seconds since 1970."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes
    headers: Mapping[str, str]
    sent_at: float = 0.0

    @classmethod
    def of(cls, message: confluent_kafka.Message) -> Self:
        """Returns a message of the client library as texts."""
        headers = message.headers() or []
        pairs = headers.items() if isinstance(headers, dict) else headers
        key = message.key()
        return cls(
            topic=message.topic() or "",
            partition=message.partition() or 0,
            offset=message.offset() or 0,
            key=key.decode(errors="replace") if isinstance(key, bytes) else key or "",
            value=message.value() or b"",
            headers={name: value.decode(errors="replace") if isinstance(value, bytes) else value or "" for name, value in pairs},
            sent_at=message.timestamp()[1] / 1000,
        )

    @property
    def organization(self) -> str:
        return self.headers.get("ce_organization", "")

    @property
    def event_id(self) -> str:
        return self.headers.get("ce_id", "")

    @property
    def type(self) -> str:
        return self.headers.get("ce_type", "")

    @property
    def traceparent(self) -> str:
        return self.headers.get("traceparent", "")


Handler = Callable[[Sequence[Message]], Awaitable[None]]
"""Handles a batch, wholly or not at all, and each event id once however often it comes. Raises Unavailable when what it needs is away."""


class DeadLetters(Protocol):
    """Takes what is put aside. Raises Unavailable when it cannot."""

    async def send_records(self, records: Iterable[Record]) -> None: ...


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a lone message is tried before it becomes a dead letter, and the pauses between calls, doubling from first to longest.

    When `suspicious` messages in a row have failed, and none was handled in between, it is rather the handler that is ill, in a way
    it does not tell: from then on each message is tried for as long as `doubt` before it is put aside.
    """

    attempts: int = 5
    first_pause: timedelta = timedelta(milliseconds=50)
    longest_pause: timedelta = timedelta(seconds=5)
    suspicious: int = 20
    doubt: timedelta = timedelta(minutes=5)

    def pause(self, failures: int) -> float:
        """Returns the seconds to wait after so many failures in a row."""
        return float(min(self.first_pause.total_seconds() * 2 ** min(failures - 1, 30), self.longest_pause.total_seconds()))


class _Stopped(Exception):
    """Whoever asked for the delivery wants it to end before the next call."""


def _ignore(done: Sequence[Message]) -> None:
    """What is done interests nobody."""


class Delivery:
    """Brings batches through the handler, in order. Belongs to one consumer: it remembers how many failed in a row."""

    def __init__(self, group: str, handler: Handler, dead_letters: DeadLetters, patience: Patience) -> None:
        self._group = group
        self._handler = handler
        self._dead_letters = dead_letters
        self._patience = patience
        self._failed_in_a_row = 0

    async def __call__(
        self,
        batch: Sequence[Message],
        done: Callable[[Sequence[Message]], None] = _ignore,
        stop: asyncio.Event | None = None,
    ) -> None:
        """Returns when every message is handled or a dead letter, or, once `stop` is set, when the call under way has ended.

        `done` is told of each part, in the batch's order, as soon as it need not come again.
        """
        batch_sizes.labels(self._group).observe(len(batch))
        attempt = _Attempt(done, stop or asyncio.Event())
        with self._traced(batch), contextlib.suppress(_Stopped):
            for known, part in groupby(batch, lambda each: knows(each.topic, each.type)):
                if known:
                    await self._deliver(list(part), attempt)
                else:
                    for each in part:
                        error = ValueError(f"no event of type {each.type!r} is known on {each.topic}")
                        await self._put_aside(each, UNKNOWN_TYPE, 0, error, attempt)
        for topic, last in {each.topic: each for each in batch}.items():
            position_age.labels(self._group, topic).set(max(0.0, time() - last.sent_at))

    @contextlib.contextmanager
    def _traced(self, batch: Sequence[Message]) -> Iterator[None]:
        """Logs the batch with the traces that it belongs to, a line a topic; a batch of one trace continues it."""
        sources = {each.traceparent for each in batch if each.traceparent}
        for topic, count in Tally(each.topic for each in batch).items():
            traces = dict.fromkeys(trace_id(each.traceparent) for each in batch if each.topic == topic and each.traceparent)
            log.info("consume", group=self._group, topic=topic, events=count, trace_ids=list(traces))
        token = current_traceparent.set(continued(sources.pop() if len(sources) == 1 else ""))
        try:
            yield
        finally:
            current_traceparent.reset(token)

    async def _deliver(self, batch: Sequence[Message], attempt: "_Attempt") -> None:
        try:
            await self._patiently(lambda: self._handler(batch), attempt)
        except _Stopped:
            raise
        except Exception as error:
            if len(batch) == 1:
                await self._try_alone(batch[0], error, attempt)
                return
            log.warning("a batch failed and is halved", group=self._group, size=len(batch), error=_told(error))
            middle = len(batch) // 2
            await self._deliver(batch[:middle], attempt)
            await self._deliver(batch[middle:], attempt)
        else:
            self._was_handled(batch, attempt)

    def _was_handled(self, batch: Sequence[Message], attempt: "_Attempt") -> None:
        self._failed_in_a_row = 0
        attempt.done(batch)
        for topic, count in Tally(each.topic for each in batch).items():
            consumed.labels(self._group, topic, "handled").inc(count)

    async def _patiently(self, call: Callable[[], Awaitable[None]], attempt: "_Attempt") -> None:
        """Makes a call, again and again while something it needs is away."""
        failures = 0
        try:
            while True:
                attempt.go_on()
                try:
                    await call()
                    return
                except OUTAGES as error:
                    failures += 1
                    waiting.labels(self._group).set(1)
                    log.warning("a batch waits for an outage to end", group=self._group, failures=failures, error=_told(error))
                retries.labels(self._group).inc()
                await attempt.wait(self._patience.pause(failures))
        finally:
            waiting.labels(self._group).set(0)

    async def _try_alone(self, message: Message, error: Exception, attempt: "_Attempt") -> None:
        """Repeats the call for a message that has failed alone once, and puts it aside if it goes on failing."""
        failures = 1
        doubt_until = monotonic()
        if self._failed_in_a_row >= self._patience.suspicious:
            doubt_until += self._patience.doubt.total_seconds()
            log.error("everything fails: the next message waits", group=self._group, in_a_row=self._failed_in_a_row)
        while failures < self._patience.attempts or monotonic() < doubt_until:
            await attempt.wait(self._patience.pause(failures))
            retries.labels(self._group).inc()
            try:
                await self._patiently(lambda: self._handler([message]), attempt)
            except _Stopped:
                raise
            except Exception as again:
                error = again
                failures += 1
            else:
                self._was_handled([message], attempt)
                return
        self._failed_in_a_row += 1
        await self._put_aside(message, POISON, failures, error, attempt)

    async def _put_aside(self, message: Message, reason: str, attempts: int, error: Exception, attempt: "_Attempt") -> None:
        log.error(
            "dead letter",
            group=self._group,
            topic=message.topic,
            partition=message.partition,
            offset=message.offset,
            event_id=message.event_id,
            trace_id=trace_id(message.traceparent),
            reason=reason,
            error=_told(error),
        )
        letter = dead_letter_of(message, self._group, attempts, error, reason)
        await self._patiently(lambda: self._dead_letters.send_records([letter]), attempt)
        attempt.done([message])
        consumed.labels(self._group, message.topic, "dead_lettered" if reason == POISON else "quarantined").inc()


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One batch on its way: whom to tell of what is done, and whether to stop."""

    done: Callable[[Sequence[Message]], None]
    stop: asyncio.Event

    def go_on(self) -> None:
        if self.stop.is_set():
            raise _Stopped

    async def wait(self, seconds: float) -> None:
        """Sleeps; raises _Stopped as soon as it is to stop."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.stop.wait()
        self.go_on()


def dead_letter_of(message: Message, group: str, attempts: int, error: Exception, reason: str = POISON) -> Record:
    """Returns the message as its dead-letter topic takes it: unchanged, with headers that say where it was and why it is here."""
    told = {
        "dlq_topic": message.topic,
        "dlq_partition": str(message.partition),
        "dlq_offset": str(message.offset),
        "dlq_group": group,
        "dlq_reason": reason,
        "dlq_attempts": str(attempts),
        "dlq_error": _told(error),
        "dlq_time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    return dead_letters_of(message.topic), message.key, message.value, list((dict(message.headers) | told).items())


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:1_000]
