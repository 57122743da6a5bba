"""How a batch gets through the handler, without a broker."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.shared.consumer import Delivery, Message, Patience
from adapters.shared.kafka import Record
from domain.shared.errors import Unavailable
from domain.shared.trace import current_traceparent, trace_id

QUICK = Patience(attempts=5, first_pause=timedelta(), longest_pause=timedelta())


class DeadLetters:
    def __init__(self) -> None:
        self.records: list[Record] = []

    async def send_records(self, records: Sequence[Record]) -> None:
        self.records += records


def message(offset: int, traceparent: str = "") -> Message:
    headers = {"ce_id": f"event-{offset}", "ce_organization": "north"} | ({"traceparent": traceparent} if traceparent else {})
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
    return Delivery("progress", handler, letters, QUICK)  # type: ignore[arg-type]  # all it needs of a producer


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
        "dlq_topic": "user.attempts",
        "dlq_partition": "1",
        "dlq_offset": "3",
        "dlq_group": "progress",
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

    await Delivery("progress", handler, letters, QUICK)([message(1), message(2)])  # type: ignore[arg-type]
    assert handled == [1, 2]
    assert not letters.records


async def test_a_message_that_succeeds_when_repeated_is_not_put_aside() -> None:
    letters, failures = DeadLetters(), [ValueError("once"), ValueError("twice")]

    async def handler(batch: Sequence[Message]) -> None:
        if failures:
            raise failures.pop()

    await Delivery("progress", handler, letters, QUICK)([message(1)])  # type: ignore[arg-type]
    assert not letters.records


async def test_a_batch_of_one_trace_is_handled_within_it() -> None:
    trace = "a" * 32
    seen: list[str] = []

    async def handler(batch: Sequence[Message]) -> None:
        seen.append(trace_id(current_traceparent.get()))

    deliver = Delivery("progress", handler, DeadLetters(), QUICK)  # type: ignore[arg-type]
    await deliver([message(1, f"00-{trace}-{'b' * 16}-01"), message(2)])
    await deliver([message(3, f"00-{trace}-{'b' * 16}-01"), message(4, f"00-{'c' * 32}-{'b' * 16}-01")])
    assert seen[0] == trace
    assert seen[1] not in (trace, "c" * 32)
    assert current_traceparent.get() == ""


def test_pauses_double_up_to_the_longest() -> None:
    patience = Patience(first_pause=timedelta(seconds=1), longest_pause=timedelta(seconds=5))
    assert [patience.pause(failures) for failures in (1, 2, 3, 4, 1_000)] == [1, 2, 4, 5, 5]
