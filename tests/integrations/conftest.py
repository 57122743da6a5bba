from collections.abc import AsyncIterator

import pytest

from tests.integrations.world import World, running_world


@pytest.fixture
async def world(valkey_url: str) -> AsyncIterator[World]:
    async with running_world(valkey_url) as world:
        yield world
