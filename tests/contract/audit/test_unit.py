"""One suite for every store of the audit log."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest
from sqlalchemy import text

from adapters.audit.postgres import PostgresAuditUnit
from domain.audit.model import PLATFORM, Head
from domain.audit.ports import ActFilter
from domain.audit.use_cases.record_acts import RecordActs
from domain.audit.use_cases.verify_acts import VerifyActs
from domain.shared.caller import Caller, Role
from domain.shared.errors import InvalidInput
from domain.shared.page import PageRequest
from tests.contract.audit.conftest import NewUnit
from tests.unit.audit.chains import NOW, SIGNER, act


def recording(new_unit: NewUnit, hours: int = 0) -> RecordActs:
    return RecordActs(new_unit, SIGNER, lambda: NOW + timedelta(hours=hours))


def fresh(number: int, organization: str, **fields: object):
    """An act whose event no other test has."""
    from uuid import NAMESPACE_URL, uuid5

    return act(number, event_id=str(uuid5(NAMESPACE_URL, f"{organization}/{number}")), **fields)


async def test_what_was_recorded_is_read_back_as_it_was(new_unit: NewUnit, north: str) -> None:
    acts = [
        fresh(0, north, reason="READ", address="192.0.2.0/24", trace_id="ab" * 16, count=3),
        fresh(1, north, target="users/é\u2028🦉"),
    ]
    await recording(new_unit)(north, acts)
    async with new_unit(north) as unit:
        links = await unit.chain.links(0, 10)
        assert [each.act for each in links] == acts
        assert [each.computed_hash() for each in links] == [each.hash for each in links]
        assert await unit.chain.tip() == links[-1]
        assert await unit.chain.newest_head() == (await unit.chain.heads(0, None))[-1]
        assert await unit.chain.heads(0, 1) == []


async def test_leaving_without_commit_adds_nothing(new_unit: NewUnit, north: str) -> None:
    async with new_unit(north) as unit:
        await unit.chain.add_head(Head(1, "x"))
    async with new_unit(north) as unit:
        assert await unit.chain.newest_head() is None


async def test_acts_are_listed_by_time_actor_and_act_in_pages(new_unit: NewUnit, north: str) -> None:
    await recording(new_unit)(north, [fresh(0, north), fresh(1, north, actor="users/bob")])
    await recording(new_unit, hours=1)(north, [fresh(2, north), fresh(3, north, act="identity.SignedIn"), fresh(4, north)])

    async def listed(size: int = 10, **wanted: object) -> list[int]:
        found, after = [], None
        while True:
            async with new_unit(north) as unit:
                page = await unit.chain.page(ActFilter(**wanted), PageRequest(size, after))  # type: ignore[arg-type]
            found += [each.sequence for each in page.elements]
            if (after := page.next) is None:
                return found

    assert await listed() == await listed(2) == [1, 2, 3, 4, 5]
    assert await listed(1, start=NOW + timedelta(minutes=1)) == [3, 4, 5]
    assert await listed(end=NOW + timedelta(minutes=1)) == [1, 2]
    assert await listed(actor="users/bob") == [2]
    assert await listed(act="identity.SignedIn") == [4]
    async with new_unit(north) as unit:
        for cursor in (("x",), ("1", "2"), ("-1",), ("9" * 30,), ("٣",)):
            with pytest.raises(InvalidInput, match="page_token"):
                await unit.chain.page(ActFilter(), PageRequest(5, cursor))


async def test_many_who_record_at_once_make_one_whole_chain(new_unit: NewUnit, north: str) -> None:
    record = recording(new_unit)
    await asyncio.gather(*(record(north, [fresh(3 * each + part, north) for part in range(3)]) for each in range(8)))
    verdict = await VerifyActs(new_unit, SIGNER)(Caller(north, "ann", frozenset({Role.ADMIN})))
    assert (verdict.acts, verdict.heads, verdict.faults) == (24, 8, ())


async def test_organizations_have_chains_of_their_own(new_unit: NewUnit, north: str) -> None:
    await recording(new_unit)(north, [fresh(0, north)])
    async with new_unit(f"{north}-other") as unit:
        assert await unit.chain.tip() is None
    await recording(new_unit)(PLATFORM, [fresh(0, north)])
    async with new_unit(PLATFORM) as unit:
        assert (await unit.chain.tip()) is not None


@pytest.mark.parametrize("statement", ["UPDATE acts SET actor = 'x'", "DELETE FROM acts", "TRUNCATE acts", "DELETE FROM heads"])
async def test_the_contexts_role_can_change_and_remove_nothing(postgres, north: str, statement: str) -> None:
    connection = await asyncpg.connect(postgres.dsn("paideia_audit"))
    try:
        await connection.execute("SELECT set_config('paideia.organization', $1, false)", north)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.parametrize("statement", ["UPDATE acts SET actor = 'x'", "DELETE FROM acts", "TRUNCATE acts", "TRUNCATE heads"])
@pytest.mark.parametrize("store", ["postgres"])
async def test_nor_does_the_owner_without_taking_the_trigger_away(
    postgres, new_unit: NewUnit, north: str, statement: str
) -> None:
    await recording(new_unit)(north, [fresh(0, north)])
    connection = await asyncpg.connect(postgres.superuser_dsn)
    try:
        await connection.execute("SET search_path = audit")
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only added to"):
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.parametrize("store", ["postgres"])
async def test_each_new_end_waits_to_be_published_with_the_acts_that_it_ends(engine, north: str) -> None:
    await recording(lambda organization: PostgresAuditUnit(engine, organization))(north, [fresh(0, north)])
    async with PostgresAuditUnit(engine, north) as unit:
        rows = (await unit.connection.execute(text("SELECT topic, type FROM outbox"))).all()
    assert rows == [("audit.heads", "paideia.audit.v1.HeadSigned")]
