import asyncio
from dataclasses import replace
from uuid import uuid4

import asyncpg
import pytest
from paideia.scheduler.v1.events_pb2 import DecisionMade

from adapters.scheduler.postgres import PostgresDecisionLog
from domain.scheduler.decide import Difficulties, decide
from domain.scheduler.model import Decision, DecisionNotFound
from domain.scheduler.policy import PRACTICE_2
from domain.scheduler.pool import compiled
from domain.scheduler.ports import DecisionLog
from domain.scheduler.state import LearnerState
from tests.unit.scheduler.making import NOW, publication, request, update

POOL = compiled(publication(30))


def a_decision(learner: str = "ada") -> Decision:
    state = LearnerState.new().after([update(1, "item-0", at=NOW.timestamp() - 1e6), update(2, "item-3", correct=False)])
    return decide(POOL, Difficulties.unknown(POOL), state, PRACTICE_2, request(4, str(uuid4()), learner), NOW)


async def test_a_record_comes_back_to_the_last_digit(decisions: DecisionLog, organization: str) -> None:
    decision = a_decision()
    assert await decisions.add(organization, decision) == decision
    assert await decisions.get(organization, decision.id) == decision


async def test_the_first_record_of_an_id_stays(decisions: DecisionLog, organization: str) -> None:
    decision = a_decision()
    await decisions.add(organization, decision)
    assert await decisions.add(organization, replace(decision, learner="grace")) == decision
    assert await decisions.get(organization, decision.id) == decision


async def test_a_kept_record_can_be_read_at_once_and_its_id_is_taken(decisions: DecisionLog, organization: str) -> None:
    decision = a_decision()
    assert await decisions.keep(organization, decision) == decision
    assert await decisions.get(organization, decision.id) == decision
    assert await decisions.keep(organization, replace(decision, learner="grace")) == decision
    with pytest.raises(DecisionNotFound):
        await decisions.get("another", decision.id)


async def test_of_many_with_one_id_at_once_all_get_the_same(decisions: DecisionLog, organization: str) -> None:
    decision = a_decision()
    kept = await asyncio.gather(*(decisions.add(organization, replace(decision, learner=f"learner-{n}")) for n in range(100)))
    assert len({each.learner for each in kept}) == 1
    assert await decisions.get(organization, decision.id) == kept[0]


async def test_concurrent_records_of_several_organizations_are_each_kept(decisions: DecisionLog, organization: str) -> None:
    made = [(f"{organization}-{n % 3}", a_decision(f"learner-{n}")) for n in range(60)]
    assert await asyncio.gather(*(decisions.add(*each) for each in made)) == [decision for _, decision in made]
    for owner, decision in made:
        assert await decisions.get(owner, decision.id) == decision


async def test_another_organization_does_not_find_it(decisions: DecisionLog, organization: str) -> None:
    decision = a_decision()
    await decisions.add(organization, decision)
    with pytest.raises(DecisionNotFound):
        await decisions.get("another", decision.id)


async def test_each_record_is_published_once(pool: asyncpg.Pool, postgres, organization: str) -> None:
    log = PostgresDecisionLog(pool)
    made = [a_decision() for _ in range(20)]
    await asyncio.gather(*(log.add(organization, each) for each in made * 3))
    connection = await asyncpg.connect(postgres.superuser_dsn)
    try:
        rows = await connection.fetch("SELECT * FROM scheduler.outbox WHERE organization_id = $1", organization)
    finally:
        await connection.close()
    assert sorted(str(row["event_id"]) for row in rows) == sorted(each.id for each in made)
    assert {(row["topic"], row["key"]) for row in rows} == {("scheduler.decisions", "learners/ada")}
    assert {DecisionMade.FromString(row["payload"]).decision.name for row in rows} == {f"decisions/{each.id}" for each in made}
