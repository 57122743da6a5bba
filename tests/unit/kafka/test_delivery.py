"""How a batch gets through the handler, without a broker."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.shared.consumer import Delivery, Message, Patience
from adapters.shared.kafka import Record
from domain.shared.errors import Unavailable
from domain.shared.trace import current_traceparent, trace_id

QUICK = Patience(attempts=5, first_pause=timedelta(), longest_pause=timedelta(), doubt=timedelta())
TYPE = "paideia.ingestion.v1.LearningEvent"


class DeadLetters:
    def __init__(self) -> None:
        self.records: list[Record] = []

    async def send_records(self, records: Iterable[Record]) -> None:
        self.records += records


def message(offset: int, traceparent: str = "", type: str = TYPE) -> Message:
    headers = {"ce_id": f"event-{offset}", "ce_organization": "north", "ce_type": type} | (
        {"traceparent": traceparent} if traceparent else {}
    )
    return Message("user.attempts", 1, offset, f"north/learners/l{offset}", b"%d" % offset, headers)


class Handler:
    """Keeps what it handled; refuses a batch with a poisonous offset, wholly."""

    def __init__(self, poison: frozenset[int] = frozenset()) -> None:
        self.poison = poison
        self.handled: list[int] = []
        self.calls_with: dict[int, int] = {}

    async def __call__(self, batch: Sequence[Message]) -> None:
        if len(batch) == 1:
            self.calls_with[batch[0].offset] = self.calls_with.get(batch[0].offset, 0) + 1
        for each in batch:
            if each.offset in self.poison:
                raise ValueError(f"cannot read {each.offset}")
        self.handled += [each.offset for each in batch]


def delivery(handler: Handler, letters: DeadLetters) -> Delivery:
    return Delivery("progress", handler, letters, QUICK)


@given(st.sets(st.integers(0, 39)))
async def test_poison_goes_aside_and_all_else_is_handled_once_in_order(poison: set[int]) -> None:
    handler, letters = Handler(frozenset(poison)), DeadLetters()
    await delivery(handler, letters)([message(offset) for offset in range(40)])
    assert handler.handled == [offset for offset in range(40) if offset not in poison]
    assert [int(value) for _, _, value, _ in letters.records] == sorted(poison)


async def test_a_lone_message_is_tried_five_times() -> None:
    handler, letters = Handler(frozenset({3})), DeadLetters()
    await delivery(handler, letters)([message(3)])
    assert handler.calls_with == {3: 5}
    assert len(letters.records) == 1


async def test_a_dead_letter_says_where_it_was_and_why_it_is_dead() -> None:
    handler, letters = Handler(frozenset({3})), DeadLetters()
    await delivery(handler, letters)([message(3)])
    topic, key, value, headers = letters.records[0]
    told = dict(headers)
    assert (topic, key, value) == ("user.attempts.dlq", "north/learners/l3", b"3")
    assert told.pop("dlq_time")
    assert told == {
        "ce_id": "event-3",
        "ce_organization": "north",
        "ce_type": TYPE,
        "dlq_topic": "user.attempts",
        "dlq_partition": "1",
        "dlq_offset": "3",
        "dlq_group": "progress",
        "dlq_reason": "POISON",
        "dlq_attempts": "5",
        "dlq_error": "ValueError: cannot read 3",
    }


@pytest.mark.parametrize("outage", [Unavailable("the database is away"), ConnectionRefusedError()])
async def test_an_outage_is_waited_for_however_often_and_kills_no_letter(outage: Exception) -> None:
    letters, failures = DeadLetters(), [outage] * 20
    handled: list[int] = []

    async def handler(batch: Sequence[Message]) -> None:
        if failures:
            raise failures.pop()
        handled.extend(each.offset for each in batch)

    await Delivery("progress", handler, letters, QUICK)([message(1), message(2)])
    assert handled == [1, 2]
    assert not letters.records


async def test_a_message_that_succeeds_when_repeated_is_not_put_aside() -> None:
    letters, failures = DeadLetters(), [ValueError("once"), ValueError("twice")]

    async def handler(batch: Sequence[Message]) -> None:
        if failures:
            raise failures.pop()

    await Delivery("progress", handler, letters, QUICK)([message(1)])
    assert not letters.records


async def test_a_batch_of_one_trace_is_handled_within_it() -> None:
    trace = "a" * 32
    seen: list[str] = []

    async def handler(batch: Sequence[Message]) -> None:
        seen.append(trace_id(current_traceparent.get()))

    deliver = Delivery("progress", handler, DeadLetters(), QUICK)
    await deliver([message(1, f"00-{trace}-{'b' * 16}-01"), message(2)])
    await deliver([message(3, f"00-{trace}-{'b' * 16}-01"), message(4, f"00-{'c' * 32}-{'b' * 16}-01")])
    assert seen[0] == trace
    assert seen[1] not in (trace, "c" * 32)
    assert current_traceparent.get() == ""


def test_pauses_double_up_to_the_longest() -> None:
    patience = Patience(first_pause=timedelta(seconds=1), longest_pause=timedelta(seconds=5))
    assert [patience.pause(failures) for failures in (1, 2, 3, 4, 1_000)] == [1, 2, 4, 5, 5]


async def test_a_type_that_nobody_here_knows_is_put_aside_untried_and_its_neighbours_keep_their_order() -> None:
    handler, letters = Handler(), DeadLetters()
    batch = [message(1), message(2, type="paideia.ingestion.v9.LearningEvent"), message(3), message(4, type=""), message(5)]
    await delivery(handler, letters)(batch)
    assert handler.handled == [1, 3, 5]
    assert [
        (int(value), dict(headers)["dlq_reason"], dict(headers)["dlq_attempts"]) for _, _, value, headers in letters.records
    ] == [
        (2, "UNKNOWN_TYPE", "0"),
        (4, "UNKNOWN_TYPE", "0"),
    ]


async def test_on_a_topic_that_is_not_listed_any_type_is_handled() -> None:
    handler, letters = Handler(), DeadLetters()
    await delivery(handler, letters)([Message("elsewhere", 0, 1, "", b"1", {})])
    assert handler.handled == [1]


@given(st.sets(st.integers(0, 30)), st.integers(0, 30))
async def test_what_is_done_is_told_in_order_up_to_where_it_was_stopped(poison: set[int], last: int) -> None:
    stop, done = asyncio.Event(), list[int]()
    handler, letters = Handler(frozenset(poison)), DeadLetters()

    async def until_the_last(batch: Sequence[Message]) -> None:
        if any(each.offset == last for each in batch) and len(batch) == 1:
            stop.set()
        await handler(batch)

    batch = [message(offset) for offset in range(31)]
    await Delivery("progress", until_the_last, letters, QUICK)(
        batch, lambda part: done.extend(each.offset for each in part), stop
    )
    assert done == list(range(len(done))), "a prefix of the batch"
    aside = [int(value) for _, _, value, _ in letters.records]
    assert sorted(handler.handled + aside) == done, "and of it everything is handled or a dead letter"
    if not stop.is_set():
        assert len(done) == 31


async def test_when_everything_fails_it_waits_instead_of_putting_everything_aside() -> None:
    """An outage that the handler does not tell as one: most of the messages are spared."""
    letters, handled, ill = DeadLetters(), list[int](), True

    async def handler(batch: Sequence[Message]) -> None:
        nonlocal ill
        if ill:
            ill = len(letters.records) < 3 or calls_alone[-1] < 20
            if len(batch) == 1:
                calls_alone[-1] += 1
            raise RuntimeError("some fault that nobody foresaw")
        handled.extend(each.offset for each in batch)

    calls_alone = [0]
    patience = Patience(attempts=2, first_pause=timedelta(), longest_pause=timedelta(), suspicious=3, doubt=timedelta(minutes=5))
    await Delivery("progress", handler, letters, patience)([message(offset) for offset in range(100)])
    assert [int(value) for _, _, value, _ in letters.records] == [0, 1, 2]
    assert handled == list(range(3, 100))


async def test_after_long_doubt_even_then_nothing_blocks_the_rest() -> None:
    handler, letters = Handler(frozenset(range(10))), DeadLetters()
    patience = Patience(
        attempts=2, first_pause=timedelta(), longest_pause=timedelta(), suspicious=3, doubt=timedelta(milliseconds=2)
    )
    await Delivery("progress", handler, letters, patience)([message(offset) for offset in range(12)])
    assert handler.handled == [10, 11]
    assert len(letters.records) == 10


async def test_dead_letters_wait_for_the_log_rather_than_being_lost() -> None:
    class Away(DeadLetters):
        failures = 3

        async def send_records(self, records: Iterable[Record]) -> None:
            if self.failures:
                self.failures -= 1
                raise Unavailable("the log is away")
            await super().send_records(records)

    handler, letters = Handler(frozenset({1})), Away()
    await delivery(handler, letters)([message(1), message(2)])
    assert handler.handled == [2]
    assert [int(value) for _, _, value, _ in letters.records] == [1]


async def test_an_outage_ends_at_once_when_the_delivery_is_stopped() -> None:
    stop, done = asyncio.Event(), list[Message]()

    async def handler(batch: Sequence[Message]) -> None:
        stop.set()
        raise Unavailable("the database is away")

    patience = Patience(first_pause=timedelta(hours=1), longest_pause=timedelta(hours=1))
    await Delivery("progress", handler, DeadLetters(), patience)([message(1)], done.extend, stop)
    assert not done
