import asyncio
from uuid import uuid4

import pytest

from domain.assessment.model.responses import RevealedHint
from domain.shared.errors import RequestIdReused


def hint(number, **changes):
    usual = {"request_id": str(uuid4()), "learner": "ada", "course": "demo", "item": "single"}
    return RevealedHint(**usual | changes, number=number, text=f"hint {number}", remaining=3 - number)


async def test_hints_come_back_in_their_order(store):
    hints = [hint(1), hint(2), hint(3)]
    for each in hints:
        async with store.new_unit(store.north) as unit:
            await unit.hints.add(each)
            await unit.commit()
    async with store.new_unit(store.north) as unit:
        assert list(await unit.hints.active("ada", "single")) == hints
        assert await unit.hints.find(hints[1].request_id) == hints[1]
        assert list(await unit.hints.active("bob", "single")) == []
        assert list(await unit.hints.active("ada", "multiple")) == []


async def test_leaving_without_commit_undoes_the_hint(store):
    revealed = hint(1)
    async with store.new_unit(store.north) as unit:
        await unit.hints.add(revealed)
    async with store.new_unit(store.north) as unit:
        assert await unit.hints.find(revealed.request_id) is None


async def test_a_request_id_serves_one_hint(store):
    revealed = hint(1)
    async with store.new_unit(store.north) as unit:
        await unit.hints.add(revealed)
        await unit.commit()
    with pytest.raises(RequestIdReused):
        async with store.new_unit(store.north) as unit:
            await unit.hints.add(hint(1, item="multiple", request_id=revealed.request_id))


async def test_another_organization_sees_no_hint(store):
    revealed = hint(1)
    async with store.new_unit(store.north) as unit:
        await unit.hints.add(revealed)
        await unit.commit()
    async with store.new_unit(store.south) as unit:
        assert await unit.hints.find(revealed.request_id) is None
        assert list(await unit.hints.active("ada", "single")) == []


async def test_many_who_reveal_at_once_get_each_hint_once(store):
    async def reveal():
        async with store.new_unit(store.north) as unit:
            await unit.hints.lock("ada", "single")
            number = len(await unit.hints.active("ada", "single")) + 1
            await unit.hints.add(hint(number))
            await unit.commit()
        return number

    assert sorted(await asyncio.gather(*(reveal() for _ in range(20)))) == list(range(1, 21))
