"""Names and addresses at rest: what is in the tables, what opens it, and how keys are renewed while everybody works."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from adapters.identity.key_vaults import KeyVaults
from adapters.identity.personal_keys import OpenedKeys, plain_index
from adapters.identity.postgres import PostgresIdentityUnit, PostgresPlatformUnit
from adapters.identity.vault import AesVault, SecretKeyVault
from domain.identity.credential_ports import UnreadableSecret
from domain.identity.invitations import Invitation
from domain.identity.links import LinkToken, Purpose
from domain.identity.model import EmailTaken, Organization
from domain.identity.people import Profile
from domain.identity.sealing import KeyVault
from domain.identity.totp import TotpFactor
from domain.identity.use_cases.rotate_keys import RotateKeys
from domain.identity.use_cases.seal_plain_rows import SealPlainRows
from domain.shared.caller import Role
from domain.shared.page import PageRequest
from tests.contract.identity.conftest import NOW, user

NAME, EMAIL = "Zebediah Quill", "zebediah.quill@example.org"
_OLD, _NEW = b"k" * 32, b"n" * 32


@dataclass
class Sealed:
    """An organization of its own in PostgreSQL, seen through units and past them."""

    engine: AsyncEngine
    superuser: asyncpg.Connection
    organization: str
    vault: AesVault
    wraps: KeyVault | None = None
    """What wraps the organization's keys; None for the vault itself."""

    def unit(self, organization: str = "") -> PostgresIdentityUnit:
        return PostgresIdentityUnit(self.engine, organization or self.organization, self.vault, self._keys())

    def platform_unit(self) -> PostgresPlatformUnit:
        return PostgresPlatformUnit(self.engine, self.vault, self._keys())

    def _keys(self) -> OpenedKeys:
        return OpenedKeys(self.wraps or SecretKeyVault(self.vault))

    def under(self, vault: AesVault) -> "Sealed":
        return replace(self, vault=vault)

    async def everything(self) -> bytes:
        tables = await self.superuser.fetch(
            "SELECT table_name FROM information_schema.columns WHERE table_schema = 'identity' AND column_name = 'organization_id'"
        )
        dump = b""
        for (table,) in tables:
            rows = await self.superuser.fetch(f"SELECT * FROM identity.{table} WHERE organization_id = $1", self.organization)
            for row in rows:
                dump += b"\n".join(bytes(each) if isinstance(each, bytes) else str(each).encode() for each in row.values())
        return dump

    async def add(self, *ids: str) -> None:
        async with self.unit() as unit:
            await unit.users.add([user(each, display_name=f"{NAME} {each}", email=f"{each}.{EMAIL}") for each in ids])
            await unit.commit()

    async def rotate(self, *, afresh: bool = False, others: bool = False) -> int:
        """Renews this organization's keys (with `others`, walking on through all that come after it). Returns the rows done."""
        rotate = RotateKeys(self.unit, self.platform_unit)
        place: tuple[str, bool] | None = (self.organization, False)
        done = 0
        while place is not None and (others or place[0] == self.organization):
            step = await rotate(place, afresh=afresh)
            done, place = done + step.done, step.next
        return done


@pytest.fixture
async def sealed(postgres: Any) -> AsyncIterator[Sealed]:
    dsn = postgres.dsn("paideia_identity")
    engine = create_async_engine(dsn.replace("postgresql://", "postgresql+asyncpg://", 1), pool_size=12, max_overflow=0)
    superuser = await asyncpg.connect(postgres.superuser_dsn)
    it = Sealed(engine, superuser, f"q{uuid4().hex}", AesVault(_OLD))
    async with it.unit() as unit:
        await unit.organizations.found(Organization(it.organization, "North", NOW))
        await unit.commit()
    yield it
    await superuser.close()
    await engine.dispose()


async def fill(sealed: Sealed) -> LinkToken:
    """A person, an invitation, a mail and a link."""
    token = LinkToken(sealed.organization, "secret")
    async with sealed.unit() as unit:
        await unit.users.add([user("zeb", display_name=NAME, email=EMAIL)])
        await unit.invitations.add(
            Invitation(str(uuid4()), EMAIL, frozenset({Role.LEARNER}), "", "", b"digest", NOW, NOW, NOW + timedelta(days=7))
        )
        await unit.mails.send(EMAIL, "invitation", {"display_name": NAME})
        await unit.links.add(token.link(Purpose.VERIFY_EMAIL, "zeb", EMAIL, NOW), NOW)
        await unit.links.verify_email("zeb", EMAIL, NOW)
        secret = sealed.vault.seal(b"s" * 20, f"totp {sealed.organization}/zeb")
        await unit.factors.save_totp(TotpFactor("zeb", secret, NOW))
        await unit.commit()
    return token


async def check_readable(sealed: Sealed, token: LinkToken) -> None:
    async with sealed.unit() as unit:
        assert (await unit.users.get("zeb")).email == EMAIL
        assert (await unit.profiles.get("zeb")).display_name == NAME
        account = await unit.accounts.find(EMAIL.upper())
        assert account is not None
        assert account.user.display_name == NAME
        assert await unit.users.with_emails([EMAIL, "nobody@example.org"]) == {EMAIL}
        assert [each.email for each in await unit.invitations.open_for(EMAIL, NOW)] == [EMAIL]
        mails = (await unit.mails.page(PageRequest(10, None), None)).elements
        assert [(each.to, each.fields) for each in mails] == [(EMAIL, {"display_name": NAME})]
        link = await unit.links.find(token.digest)
        assert link is not None
        assert link.email == EMAIL
        assert await unit.links.is_verified("zeb", EMAIL)
        assert await unit.mails.written_since(EMAIL, "invitation", NOW - timedelta(days=36500))
        totp = (await unit.factors.of("zeb")).totp
        assert totp is not None
        assert sealed.vault.open(totp.sealed_secret, f"totp {sealed.organization}/zeb") == b"s" * 20


async def test_neither_names_nor_addresses_are_in_the_tables(sealed: Sealed) -> None:
    token = await fill(sealed)
    dump = await sealed.everything()
    for word in (NAME, EMAIL, "Quill", "zebediah"):
        assert word.encode() not in dump
    assert plain_index(EMAIL) not in dump
    await check_readable(sealed, token)


async def test_a_sealed_value_opens_in_its_own_row_only(sealed: Sealed) -> None:
    await sealed.add("one", "two")
    await sealed.superuser.execute(
        "UPDATE identity.users a SET sealed_email = b.sealed_email, data_key = b.data_key FROM identity.users b "
        "WHERE a.organization_id = $1 AND b.organization_id = $1 AND a.id = 'one' AND b.id = 'two'",
        sealed.organization,
    )
    async with sealed.unit() as unit:
        with pytest.raises(UnreadableSecret):
            await unit.users.get("one")


async def test_without_the_persons_key_nothing_of_them_opens(sealed: Sealed) -> None:
    await sealed.add("one")
    await sealed.superuser.execute(
        "UPDATE identity.users SET data_key = overlay(data_key PLACING $2 FROM 30) WHERE organization_id = $1",
        sealed.organization,
        b"\0" * 8,
    )
    async with sealed.unit() as unit:
        with pytest.raises(UnreadableSecret):
            await unit.users.get("one")


async def make_plain(sealed: Sealed) -> None:
    """As the release before sealing wrote it."""
    for statement, values in (
        (
            "UPDATE identity.users SET display_name = $2, email = $3, email_index = $4, data_key = NULL, sealed_email = NULL, "
            "sealed_display_name = NULL WHERE organization_id = $1",
            (NAME, EMAIL, plain_index(EMAIL)),
        ),
        (
            "UPDATE identity.invitations SET email = $2, email_index = $3, sealed_email = NULL WHERE organization_id = $1",
            (EMAIL, plain_index(EMAIL)),
        ),
        (
            "UPDATE identity.mails SET recipient = $2, recipient_index = $3, sealed_recipient = NULL WHERE organization_id = $1",
            (EMAIL, plain_index(EMAIL)),
        ),
        ("UPDATE identity.links SET email = $2, sealed_email = NULL WHERE organization_id = $1", (EMAIL,)),
        ("UPDATE identity.verified_emails SET email_index = $2 WHERE organization_id = $1", (plain_index(EMAIL),)),
    ):
        await sealed.superuser.execute(statement, sealed.organization, *values)


async def test_plain_rows_of_the_release_before_are_read_and_then_sealed(sealed: Sealed) -> None:
    token = await fill(sealed)
    await make_plain(sealed)
    assert EMAIL.encode() in await sealed.everything()
    await check_readable(sealed, token)
    assert await SealPlainRows(sealed.unit, sealed.platform_unit)() >= 4
    dump = await sealed.everything()
    assert EMAIL.encode() not in dump
    assert NAME.encode() not in dump
    assert plain_index(EMAIL) not in dump
    await check_readable(sealed, token)


async def test_an_address_is_taken_by_a_plain_row_too(sealed: Sealed) -> None:
    await fill(sealed)
    await make_plain(sealed)
    async with sealed.unit() as unit:
        with pytest.raises(EmailTaken):
            await unit.users.add([user("other", email=EMAIL)])
    async with sealed.unit() as unit:
        await unit.users.add([user("other")])
        with pytest.raises(EmailTaken):
            await unit.users.save(user("other", email=EMAIL))
    async with sealed.unit() as unit:
        await unit.users.save(replace(await unit.users.get("zeb"), display_name="Another"))  # their own is no obstacle
        await unit.commit()


async def test_a_profiles_name_is_sealed(sealed: Sealed) -> None:
    await sealed.add("one")
    async with sealed.unit() as unit:
        await unit.profiles.save(Profile("one", "Zebulon Inkwell"))
        await unit.commit()
    assert b"Inkwell" not in await sealed.everything()
    async with sealed.unit() as unit:
        assert (await unit.users.get("one")).display_name == "Zebulon Inkwell"
        assert (await unit.users.get("one")).email == f"one.{EMAIL}"


@pytest.mark.parametrize("afresh", [False, True])
async def test_renewing_keys_wraps_everything_anew(sealed: Sealed, afresh: bool) -> None:
    token = await fill(sealed)
    before = await sealed.superuser.fetchrow("SELECT * FROM identity.users WHERE organization_id = $1", sealed.organization)
    assert await sealed.rotate(afresh=afresh) == 4
    after = await sealed.superuser.fetchrow("SELECT * FROM identity.users WHERE organization_id = $1", sealed.organization)
    assert before["data_key"] != after["data_key"]
    assert (before["sealed_email"] != after["sealed_email"]) is afresh
    assert before["email_index"] == after["email_index"]
    await check_readable(sealed, token)


async def test_the_platforms_key_can_be_replaced(sealed: Sealed) -> None:
    token = await fill(sealed)
    between = sealed.under(AesVault(_NEW, [_OLD]))
    await check_readable(between, token)
    await between.rotate()
    later = sealed.under(AesVault(_NEW))
    await check_readable(later, token)
    with pytest.raises(UnreadableSecret):
        await check_readable(sealed, token)


async def test_keys_are_renewed_while_people_are_made_changed_and_found(sealed: Sealed) -> None:
    ids = [f"u{at}" for at in range(60)]
    await sealed.add(*ids)
    stop = asyncio.Event()
    acts = 0

    async def work(worker: int) -> None:
        nonlocal acts
        while not stop.is_set():
            who = ids[(acts * 7 + worker) % len(ids)]
            async with sealed.unit() as unit:
                account = await unit.accounts.find(f"{who}.{EMAIL}")
                assert account is not None
                found = await unit.users.get(who)
                assert found.display_name.startswith(NAME)
                await unit.users.save(replace(found, display_name=f"{NAME} {acts}"))
                await unit.commit()
            acts += 1

    workers = [asyncio.create_task(work(each)) for each in range(4)]
    for afresh in (False, True, False):
        await sealed.rotate(afresh=afresh)
    stop.set()
    await asyncio.gather(*workers)
    assert acts > 0
    await sealed.rotate()
    async with sealed.unit() as unit:
        assert len((await unit.users.page(PageRequest(100, None))).elements) == len(ids)
        assert (await unit.sealing.reseal(100, afresh=False)).remaining == 0


async def test_only_keys_that_seal_nothing_for_a_day_are_destroyed(sealed: Sealed) -> None:
    await sealed.add("one")
    await sealed.rotate()
    async with sealed.unit() as unit:
        assert await unit.sealing.forget_unused() == 0
        await unit.commit()
    await sealed.superuser.execute(
        "UPDATE identity.organization_keys SET created_at = created_at - interval '2 days' WHERE organization_id = $1",
        sealed.organization,
    )
    async with sealed.unit() as unit:
        assert await unit.sealing.forget_unused() == 1
        assert (await unit.users.get("one")).email == f"one.{EMAIL}"
        await unit.commit()


async def test_two_who_make_the_first_keys_find_each_others_people(sealed: Sealed) -> None:
    await asyncio.gather(*(sealed.add(f"u{at}") for at in range(8)))
    async with sealed.unit() as unit:
        for at in range(8):
            assert (await unit.accounts.find(f"u{at}.{EMAIL}")) is not None
        keys = (await unit.connection.execute(text("SELECT purpose FROM organization_keys"))).scalars().all()
    assert keys.count("index") == 1


async def test_the_mail_queue_opens_every_organizations_recipients(sealed: Sealed) -> None:
    await fill(sealed)
    async with sealed.platform_unit() as platform:
        mails = await platform.mail_queue.claim(NOW + timedelta(days=36500), 1_000_000)
        assert [each.to for each in mails if each.organization == sealed.organization] == [EMAIL]


async def test_an_organizations_keys_move_to_another_key_vault_while_they_are_used(sealed: Sealed) -> None:
    here, there = SecretKeyVault(sealed.vault), SecretKeyVault(AesVault(b"t" * 32))
    await sealed.add("zeb")
    prepared, moving, moved = (replace(sealed, wraps=KeyVaults(each)) for each in ((here, there), (there, here), (there,)))
    with pytest.raises(UnreadableSecret):
        async with moved.unit() as unit:
            await unit.users.get("zeb")
    await moving.rotate()
    await moving.add("zoe")
    for each in (prepared, moving, moved):
        async with each.unit() as unit:
            assert [(await unit.users.get(one)).email for one in ("zeb", "zoe")] == [f"zeb.{EMAIL}", f"zoe.{EMAIL}"]
            assert await unit.users.with_emails([f"zeb.{EMAIL}"]) == {f"zeb.{EMAIL}"}
    with pytest.raises(UnreadableSecret):
        async with sealed.unit() as unit:
            await unit.users.get("zeb")
