import asyncio
from collections.abc import AsyncIterator

import pytest

from services.ingestion.servicer import answered_in_order


async def numbers(count: int, read: list[int] | None = None) -> AsyncIterator[int]:
    for number in range(count):
        if read is not None:
            read.append(number)
        yield number


async def test_answers_come_in_the_order_of_the_questions_though_later_ones_are_ready_first() -> None:
    turns = {number: asyncio.Event() for number in range(4)}

    async def answer(number: int) -> int:
        if number + 1 in turns:
            await turns[number + 1].wait()
        turns[number].set()
        return number

    assert [each async for each in answered_in_order(numbers(4), answer, 4)] == [0, 1, 2, 3]


async def test_it_reads_no_further_than_it_may_work_ahead() -> None:
    read: list[int] = []
    go_on = asyncio.Event()

    async def answer(number: int) -> int:
        await go_on.wait()
        return number

    answers = answered_in_order(numbers(50, read), answer, 16)
    first = asyncio.ensure_future(anext(answers))
    for _ in range(200):
        await asyncio.sleep(0)
    assert len(read) == 16
    go_on.set()
    assert [await first, *[each async for each in answers]] == list(range(50))


async def test_a_failure_ends_it_after_the_answers_before_it() -> None:
    async def answer(number: int) -> int:
        if number == 2:
            raise ValueError("two")
        return number

    answers = answered_in_order(numbers(5), answer, 3)
    assert [await anext(answers), await anext(answers)] == [0, 1]
    with pytest.raises(ValueError, match="two"):
        await anext(answers)


async def test_a_question_that_cannot_be_read_ends_it_too() -> None:
    async def broken() -> AsyncIterator[int]:
        yield 0
        raise ValueError("unreadable")

    async def answer(number: int) -> int:
        return number

    answers = answered_in_order(broken(), answer, 3)
    assert await anext(answers) == 0
    with pytest.raises(ValueError, match="unreadable"):
        await anext(answers)


async def test_leaving_it_early_leaves_nothing_running() -> None:
    before = asyncio.all_tasks()

    async def answer(number: int) -> int:
        if number:
            await asyncio.Event().wait()
        return number

    answers = answered_in_order(numbers(9), answer, 5)
    assert await anext(answers) == 0
    await answers.aclose()  # type: ignore[attr-defined]  # it is a generator
    assert asyncio.all_tasks() == before
