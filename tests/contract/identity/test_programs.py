"""What keeps programs, and what identity providers say: the same promises in memory and in PostgreSQL."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest

from domain.identity.classes import Class, Member, Part
from domain.identity.programs import Credential, CredentialKind, Program, ProgramAlreadyExists, ProgramNotFound
from domain.identity.provisioning import GroupRef, Kind, Record, UserNameTaken
from domain.shared.caller import Role
from domain.shared.page import PageRequest
from tests.contract.identity.conftest import NOW, Store

SECRET = Credential("5b0b7b1e-7a7e-4c6e-9b7e-0f1e2d3c4b5a", CredentialKind.SECRET, NOW, digest=b"d" * 32)
KEY = Credential("6b0b7b1e-7a7e-4c6e-9b7e-0f1e2d3c4b5a", CredentialKind.PUBLIC_KEY, NOW + timedelta(1), public_key='{"kty":"EC"}')
LMS = Program("lms", "LMS", frozenset({Role.ADMIN}), frozenset({"scim", "identity.read"}), "ada", NOW, (SECRET,))


def record(user: str, name: str | None = None, external: str | None = None, kind: Kind = Kind.USER) -> Record:
    given = {"userName": name, "externalId": external, "name": {"givenName": "Ädä"}}
    return Record(kind, user, {key: value for key, value in given.items() if value is not None}, NOW)


async def test_a_program_is_kept_as_it_was_made_and_changed(store: Store) -> None:
    async with store.new_unit(store.north) as unit:
        await unit.programs.add(LMS)
        with pytest.raises(ProgramAlreadyExists):
            await unit.programs.add(LMS)
        await unit.commit()
    changed = replace(
        LMS,
        display_name="Ours",
        credentials=(replace(SECRET, expires_at=NOW, last_used_at=NOW), KEY),
        disabled_at=NOW,
        last_used_at=NOW,
        window=NOW,
        issued=3,
    )
    async with store.new_unit(store.north) as unit:
        assert await unit.programs.get("lms") == LMS
        await unit.programs.save(changed)
        await unit.commit()
    async with store.new_unit(store.north) as unit:
        assert await unit.programs.find("lms") == changed
        await unit.programs.save(replace(changed, credentials=(KEY,)))
        await unit.programs.save(replace(changed, credentials=()))
        assert (await unit.programs.get("lms")).credentials == ()


async def test_programs_are_listed_by_id_and_stay_in_their_organization(store: Store) -> None:
    async with store.new_unit(store.north) as unit:
        for each in "cab":
            await unit.programs.add(replace(LMS, id=each, credentials=()))
        await unit.commit()
    async with store.new_unit(store.north) as unit:
        first = await unit.programs.page(PageRequest(2))
        assert [each.id for each in first.elements] == ["a", "b"]
        assert [each.id for each in (await unit.programs.page(PageRequest(2, first.next))).elements] == ["c"]
    async with store.new_unit(store.south) as unit:
        assert await unit.programs.find("a") is None
        with pytest.raises(ProgramNotFound):
            await unit.programs.get("a")
        assert not (await unit.programs.page(PageRequest(2))).elements


async def test_an_assertion_is_spent_once_of_many_at_once(store: Store) -> None:
    async with store.new_unit(store.north) as unit:
        await unit.programs.add(LMS)
        await unit.programs.add(replace(LMS, id="other", credentials=()))
        await unit.commit()

    async def spend(program: str = "lms") -> bool:
        async with store.new_unit(store.north) as unit:
            first = await unit.programs.spend_assertion(program, b"j" * 32, NOW + timedelta(minutes=1), NOW)
            await unit.commit()
            return first

    assert sorted(await asyncio.gather(*(spend() for _ in range(8)))) == [False] * 7 + [True]
    assert await spend("other")
    async with store.new_unit(store.north) as unit:
        later = NOW + timedelta(minutes=1)
        assert await unit.programs.spend_assertion("lms", b"j" * 32, later + timedelta(minutes=1), later)


async def test_a_record_is_kept_found_and_forgotten(store: Store) -> None:
    ada = record("ada", "Ada@Example.org", "7")
    async with store.new_unit(store.north) as unit:
        await unit.provisioned.save(ada)
        await unit.provisioned.save(record("c1", external="7", kind=Kind.GROUP))
        await unit.commit()
    async with store.new_unit(store.north) as unit:
        assert await unit.provisioned.find(Kind.USER, ["ada", "none"]) == {"ada": ada}
        assert await unit.provisioned.named("aDA@example.ORG") == "ada"
        assert await unit.provisioned.named("none") is None
        assert list(await unit.provisioned.with_external_id(Kind.USER, "7")) == ["ada"]
        assert list(await unit.provisioned.with_external_id(Kind.GROUP, "7")) == ["c1"]
        removed = replace(ada, attributes={"userName": "ada"}, removed_at=NOW)
        await unit.provisioned.save(removed)
        assert await unit.provisioned.find(Kind.USER, ["ada"]) == {"ada": removed}
        assert await unit.provisioned.named("Ada@Example.org") is None
        await unit.provisioned.forget(Kind.USER, "ada")
        assert not await unit.provisioned.find(Kind.USER, ["ada"])
    async with store.new_unit(store.south) as unit:
        assert await unit.provisioned.named("Ada@Example.org") is None
        assert not await unit.provisioned.find(Kind.USER, ["ada"])


async def test_a_user_name_is_one_users(store: Store) -> None:
    async with store.new_unit(store.north) as unit:
        await unit.provisioned.save(record("ada", "ada"))
        await unit.commit()
    async with store.new_unit(store.north) as unit:
        with pytest.raises(UserNameTaken):
            await unit.provisioned.save(record("bob", "ADA"))
    async with store.new_unit(store.south) as unit:
        await unit.provisioned.save(record("bob", "ADA"))


async def test_users_and_classes_are_listed_without_those_that_are_gone(store: Store) -> None:
    for each in ("c", "a", "b", "d"):
        await store.with_user(each)
    async with store.new_unit(store.north) as unit:
        await unit.provisioned.save(replace(record("b"), removed_at=NOW))
        for each in ("y", "x", "z"):
            await unit.classes.add(Class(each, each.upper(), NOW, NOW if each == "z" else None))
        for each, of in (("x", "a"), ("x", "c"), ("y", "a"), ("z", "a")):
            await unit.classes.enrol(each, [Member(of, Part.LEARNER, NOW)])
        await unit.commit()
    async with store.new_unit(store.north) as unit:
        provisioned = unit.provisioned
        assert list(await provisioned.ids(Kind.USER, 10)) == ["a", "c", "d"]
        assert list(await provisioned.ids(Kind.USER, 1, offset=1)) == ["c"]
        assert list(await provisioned.ids(Kind.USER, 10, after="a")) == ["c", "d"]
        assert list(await provisioned.ids(Kind.GROUP, 10)) == ["x", "y"]
        assert (await provisioned.count(Kind.USER), await provisioned.count(Kind.GROUP)) == (3, 2)
        found = await provisioned.classes(["x", "z", "none"])
        assert {each: list(members) for each, (_, members) in found.items()} == {"x": ["a", "c"]}
        groups = await provisioned.groups_of(["a", "d"])
        assert {each: list(refs) for each, refs in groups.items()} == {"a": [GroupRef("x", "X"), GroupRef("y", "Y")]}


async def test_nothing_that_an_identity_provider_said_lies_open(store: Store, request: pytest.FixtureRequest) -> None:
    if "postgres" not in request.node.callspec.id:
        pytest.skip("memory has no rest")
    async with store.new_unit(store.north) as unit:
        await unit.provisioned.save(record("u1", "lovelace@example.org", "external-7"))
        await unit.commit()
    connection = await asyncpg.connect(request.getfixturevalue("postgres").dsn("paideia_identity"))
    try:
        async with connection.transaction():
            await connection.execute("SELECT set_config('paideia.organization', $1, true)", store.north)
            rows = await connection.fetch("SELECT p::text AS row FROM provisioned_resources p")
    finally:
        await connection.close()
    assert len(rows) == 1
    for secret in ("lovelace", "external-7", "Ädä"):
        assert secret not in rows[0]["row"]
        assert secret.encode().hex() not in rows[0]["row"]
