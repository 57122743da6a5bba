from datetime import UTC, datetime
from uuid import uuid4

import pytest

from adapters.progress.memory import MemoryProgress, MemoryProgressUnit
from domain.progress.model import Answer, Verdict
from domain.progress.use_cases.record_attempts import RecordAttempts
from domain.shared.errors import Conflict

NOW = datetime(2026, 9, 1, 8, 30, tzinfo=UTC)


def answer() -> Answer:
    return Answer(str(uuid4()), "ada", "", "half", ("add",), 1.0, True, NOW)


class LosingRaces:
    """A store whose first commits lose against somebody else."""

    def __init__(self, losses: int) -> None:
        self.store = MemoryProgress()
        self._losses = losses

    def unit(self, organization: str) -> MemoryProgressUnit:
        unit = self.store.unit(organization)
        if self._losses > 0:
            self._losses -= 1

            async def lose() -> None:
                raise Conflict("lost")

            unit.commit = lose  # type: ignore[method-assign]
        return unit


async def test_a_lost_race_is_run_again() -> None:
    store = LosingRaces(4)
    [outcome] = await RecordAttempts(store.unit, lambda: NOW)("north", [answer()])
    assert outcome.verdict is Verdict.COUNTED
    assert len(store.store.tables["north"].attempts) == 1
    assert len(store.store.tables["north"].published) == 1


async def test_after_many_lost_races_the_caller_is_told() -> None:
    store = LosingRaces(5)
    with pytest.raises(Conflict):
        await RecordAttempts(store.unit, lambda: NOW)("north", [answer()])
    assert not store.store.tables


async def test_outcomes_are_in_the_order_of_the_answers() -> None:
    record = RecordAttempts(MemoryProgress().unit, lambda: NOW)
    bad = Answer("not-a-uuid", "ada", "", "half", ("add",), 1.0, True, NOW)
    good = answer()
    outcomes = await record("north", [bad, good, bad, good])
    assert [each.verdict for each in outcomes] == [Verdict.REFUSED, Verdict.COUNTED, Verdict.REFUSED, Verdict.REPEATED]
    assert await record("north", [bad]) == [outcomes[0]]
