"""Faults on the way of an event, briefly; `python -m tests.fault.soak` does the same for long."""

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.fault.backbone import Stores, start_stores
from tests.fault.soak import WRONG, soak

pytestmark = [pytest.mark.fault, pytest.mark.timeout(300)]

# The soak has the rest, for longer.
BRIEF = (
    "broker frozen",
    "postgres frozen",
    "network to broker reset",
    "network to postgres reset",
    "network to postgres silent, then reset",
    "disk of objects full",
)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    with ExitStack() as stack:
        yield start_stores(stack, tmp_path_factory.mktemp("backbone"))


async def test_whatever_breaks_what_was_acknowledged_is_counted_once_and_published_in_order(stores: Stores) -> None:
    report = await soak(stores, BRIEF, until=time.monotonic(), seed=1, longest=1.5)
    assert report["acknowledged"] > 0
    assert {name: report[name] for name in (*WRONG, "unpublished")} == dict.fromkeys((*WRONG, "unpublished"), 0), report
    assert set(report["faults"]) == set(BRIEF)
