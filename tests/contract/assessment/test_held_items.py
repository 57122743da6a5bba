import asyncio
from dataclasses import replace

import pytest

from domain.assessment.ports import PublishedBatch
from tests.unit.assessment.examples import CORRECT, MULTIPLE, NUMERIC, SINGLE

SECOND = replace(SINGLE, revision=2)


@pytest.mark.parametrize("kind", CORRECT)
async def test_an_item_comes_back_as_it_was_held(store, kind):
    item = CORRECT[kind][0]
    await store.held.hold(store.north, "demo", [kind], PublishedBatch(3, (item,)))
    assert await store.held.newest(store.north, "demo", kind) == (3, item)


async def test_what_was_never_held_is_none(store):
    await store.held.hold(store.north, "demo", ["single"], PublishedBatch(1, (SINGLE,)))
    assert await store.held.newest(store.north, "demo", "numeric") is None
    assert await store.held.newest(store.north, "another", "single") is None
    assert await store.held.newest(store.south, "demo", "single") is None


async def test_the_newest_publication_counts_whatever_the_order_of_arrival(store):
    await store.held.hold(store.north, "demo", ["single"], PublishedBatch(2, (SECOND,)))
    await store.held.hold(store.north, "demo", ["single"], PublishedBatch(1, (SINGLE,)))
    assert await store.held.newest(store.north, "demo", "single") == (2, SECOND)


async def test_what_a_newer_publication_lacks_is_let_go(store):
    await store.held.hold(store.north, "demo", ["single", "numeric"], PublishedBatch(1, (SINGLE, NUMERIC)))
    await store.held.hold(store.north, "demo", ["single", "numeric"], PublishedBatch(2, (NUMERIC,)))
    assert await store.held.newest(store.north, "demo", "single") is None
    await store.held.hold(store.north, "demo", ["numeric"], PublishedBatch(1, ()))
    assert await store.held.newest(store.north, "demo", "numeric") == (2, NUMERIC)


async def test_items_held_from_before_a_publication_are_known(store):
    await store.held.hold(store.north, "demo", ["single", "numeric"], PublishedBatch(1, (SINGLE, NUMERIC)))
    await store.held.hold(store.north, "demo", ["multiple"], PublishedBatch(2, (MULTIPLE,)))
    assert await store.held.of_course(store.north, "demo", before=2) == ("numeric", "single")
    assert await store.held.of_course(store.north, "demo", before=1) == ()
    assert await store.held.of_course(store.south, "demo", before=9) == ()


async def test_many_who_hold_the_same_items_at_once_do_not_hinder_each_other(store):
    items = [CORRECT[each][0] for each in CORRECT]
    await asyncio.gather(
        *(
            store.held.hold(store.north, "demo", list(CORRECT), PublishedBatch(n % 3 + 1, tuple(items[n % 9 :] + items[: n % 9])))
            for n in range(24)
        )
    )
    assert await store.held.newest(store.north, "demo", "single") == (3, SINGLE)
