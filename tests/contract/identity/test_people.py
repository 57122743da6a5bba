"""Profiles, classes, guardians, invitations and mails: the same promises from both stores."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from domain.identity.classes import Class, ClassAlreadyExists, ClassNotFound, Member, Part
from domain.identity.invitations import InvitationDraft
from domain.identity.links import LinkToken
from domain.identity.mail_queue import CLAIM_LIFE, KEPT_AFTER_SENT, DeliveryFailed, Mail, MailState
from domain.identity.model import Organization
from domain.identity.people import Accessibility, Guardianship, Profile, StaleOrganization
from domain.identity.people_ports import MailCarrier
from domain.identity.people_settings import OrganizationSettings, SignUpPolicy, TeachersSee
from domain.identity.use_cases.deliver_mails import DeliverMails
from domain.shared.caller import Role
from domain.shared.errors import InvalidInput
from domain.shared.page import PageRequest
from tests.contract.identity.conftest import NOW, Store

SETTINGS = OrganizationSettings("de", "Europe/Vienna", SignUpPolicy.BY_DOMAIN, ("example.org",), TeachersSee.CLASSES)


async def founded(store: Store) -> Organization:
    organization = Organization(store.north, "North", NOW)
    async with store.new_unit(store.north) as unit:
        await unit.organizations.found(organization)
        await unit.commit()
    return organization


async def test_settings_are_kept_and_the_slower_of_two_changes_is_told(store: Store) -> None:
    organization = await founded(store)
    changed = replace(organization, settings=SETTINGS, revision=1)
    async with store.new_unit(store.north) as unit:
        assert await unit.organizations.get() == organization
        await unit.organizations.save(changed)
        await unit.commit()
    async with store.new_unit(store.north) as unit:
        assert await unit.organizations.get() == changed
        with pytest.raises(StaleOrganization):
            await unit.organizations.save(replace(organization, display_name="Late", revision=1))


async def test_a_profile_is_empty_until_it_is_chosen(store: Store) -> None:
    await store.with_user("ada", display_name="Ada")
    chosen = Profile("ada", "Ada L.", "de", "Europe/Vienna", Accessibility(True, False, True, 1.5))
    async with store.new_unit(store.north) as unit:
        assert await unit.profiles.get("ada") == Profile("ada", "Ada")
        await unit.profiles.save(chosen)
        await unit.commit()
    async with store.new_unit(store.north) as unit:
        assert await unit.profiles.get("ada") == chosen
        assert (await unit.users.get("ada")).display_name == "Ada L."


async def in_class(store: Store, class_id: str, teachers: tuple[str, ...], learners: tuple[str, ...]) -> None:
    async with store.new_unit(store.north) as unit:
        await unit.classes.add(Class(class_id, class_id, NOW))
        members = [Member(each, Part.TEACHER, NOW) for each in teachers] + [Member(each, Part.LEARNER, NOW) for each in learners]
        await unit.classes.enrol(class_id, members)
        await unit.commit()


async def test_a_teacher_is_taught_to_see_the_learners_of_classes_that_are_not_archived(store: Store) -> None:
    for each in ("tom", "bob", "cat", "dan"):
        await store.with_user(each)
    await in_class(store, "7a", ("tom",), ("bob", "cat"))
    await in_class(store, "7b", ("tom",), ("dan",))
    await in_class(store, "7c", (), ("dan",))
    async with store.new_unit(store.north) as unit:
        assert await unit.classes.taught_by("tom") == {"bob", "cat", "dan"}
        assert await unit.classes.taught_by("bob") == frozenset()
        await unit.classes.save((await unit.classes.get("7b")).archive(NOW))
        assert await unit.classes.taught_by("tom") == {"bob", "cat"}
        assert [each.id for each in (await unit.classes.page(PageRequest(10), "tom")).elements] == ["7a", "7b"]
        assert await unit.classes.teachers("7a") == {"tom"}


async def test_a_class_is_paged_and_its_members_have_one_part(store: Store) -> None:
    for each in ("bob", "cat", "dan"):
        await store.with_user(each)
    await in_class(store, "7a", (), ("bob", "cat"))
    async with store.new_unit(store.north) as unit:
        with pytest.raises(ClassAlreadyExists):
            await unit.classes.add(Class("7a", "again", NOW))
    async with store.new_unit(store.north) as unit:
        assert await unit.classes.enrol("7a", [Member("cat", Part.TEACHER, NOW), Member("dan", Part.LEARNER, NOW)]) == {"dan"}
        first = await unit.classes.members("7a", PageRequest(2))
        rest = await unit.classes.members("7a", PageRequest(2, first.next))
        assert [each.user for each in (*first.elements, *rest.elements)] == ["bob", "cat", "dan"]
        assert {each.part for each in first.elements} == {Part.LEARNER}
        assert rest.next is None
        assert await unit.classes.withdraw("7a", ["bob", "nobody"]) == {"bob"}
        assert await unit.classes.size("7a") == 2
        with pytest.raises(ClassNotFound):
            await unit.classes.get("8z")


async def test_another_organization_sees_nothing_of_a_class_or_a_ward(store: Store) -> None:
    for each in ("tom", "bob"):
        await store.with_user(each)
    await in_class(store, "7a", ("tom",), ("bob",))
    async with store.new_unit(store.north) as unit:
        assert await unit.guardians.link(Guardianship("tom", "bob", NOW))
        assert not await unit.guardians.link(Guardianship("tom", "bob", NOW))
        await unit.commit()
    async with store.new_unit(store.south) as unit:
        assert await unit.classes.taught_by("tom") == frozenset()
        assert await unit.guardians.wards_of("tom") == frozenset()
        with pytest.raises(ClassNotFound):
            await unit.classes.get("7a")
    async with store.new_unit(store.north) as unit:
        assert await unit.guardians.wards_of("tom") == {"bob"}
        assert await unit.guardians.unlink("tom", "bob")
        assert not await unit.guardians.unlink("tom", "bob")


async def test_addresses_that_users_have_are_told_from_those_that_are_free(store: Store) -> None:
    await store.with_user("ada", email="ada@example.org")
    async with store.new_unit(store.north) as unit:
        assert await unit.users.with_emails(["ada@example.org", "eve@example.org"]) == {"ada@example.org"}
        assert await unit.users.with_emails([]) == frozenset()
        page = await unit.users.page(PageRequest(10), frozenset({"eve"}))
        assert page.elements == ()


async def test_an_invitation_is_found_by_its_link_until_it_gets_another(store: Store) -> None:
    first, second = LinkToken(store.north, "one"), LinkToken(store.north, "two")
    made = InvitationDraft("eve@example.org", frozenset({Role.TEACHER})).invitation(str(uuid4()), first, "ada", NOW)
    async with store.new_unit(store.north) as unit:
        await unit.invitations.add(made)
        await unit.commit()
    again = made.sent_again(second, NOW + timedelta(minutes=2))
    async with store.new_unit(store.north) as unit:
        assert await unit.invitations.find(first.digest) == made
        assert list(await unit.invitations.open_for("eve@example.org", NOW)) == [made]
        assert not await unit.invitations.open_for("eve@example.org", NOW + timedelta(days=8))
        await unit.invitations.save(again)
        await unit.commit()
    async with store.new_unit(store.north) as unit:
        assert await unit.invitations.find(first.digest) is None
        assert await unit.invitations.get(made.id) == again
        assert (await unit.invitations.page(PageRequest(10))).elements == (again,)
    async with store.new_unit(store.south) as unit:
        assert await unit.invitations.find(second.digest) is None


class Carrier(MailCarrier):
    """Takes mails for `organization` and does with them what the test says; what else lies in the store, it takes."""

    def __init__(self, organization: str, behave: Callable[[Mail], Awaitable[None]] | None = None) -> None:
        self.organization = organization
        self.carried: list[Mail] = []
        self.behave = behave

    async def carry(self, mail: Mail) -> None:
        if mail.organization == self.organization:
            self.carried.append(mail)
            if self.behave is not None:
                await self.behave(mail)


async def written(store: Store, template: str = "invitation") -> None:
    async with store.new_unit(store.north) as unit:
        await unit.mails.send("eve@example.org", template, {"token": "north.secret"})
        await unit.commit()


async def only(store: Store) -> Mail:
    async with store.new_unit(store.north) as unit:
        (mail,) = (await unit.mails.page(PageRequest(10), None)).elements
    return mail


async def test_a_mail_of_a_unit_that_is_undone_is_never_delivered(store: Store) -> None:
    async with store.new_unit(store.north) as unit:
        await unit.mails.send("eve@example.org", "invitation", {"token": "x"})
    carrier = Carrier(store.north)
    await DeliverMails(store.new_platform_unit, carrier, lambda: datetime.now(UTC))()
    assert carrier.carried == []


async def test_a_mail_is_delivered_once_by_many_and_then_forgets_what_filled_it(store: Store) -> None:
    organization = await founded(store)
    async with store.new_unit(store.north) as unit:
        await unit.organizations.save(replace(organization, settings=SETTINGS, revision=1))
        await unit.commit()
    await written(store)
    carrier = Carrier(store.north)
    deliver = DeliverMails(store.new_platform_unit, carrier, lambda: datetime.now(UTC))
    await asyncio.gather(*(deliver() for _ in range(4)))
    (carried,) = carrier.carried
    assert (carried.fields["token"], carried.locale, carried.sender, carried.attempts) == ("north.secret", "de", "North", 1)
    mail = await only(store)
    assert (mail.state, mail.fields) == (MailState.SENT, {})


async def test_a_mail_that_fails_waits_longer_each_time_and_is_tried_again(store: Store) -> None:
    await written(store)

    async def away(mail: Mail) -> None:
        raise DeliveryFailed("the mail server is away", for_good=False)

    carrier = Carrier(store.north, away)
    now = datetime.now(UTC) + timedelta(seconds=1)
    pauses = []
    for _ in range(4):
        moment = now
        await DeliverMails(store.new_platform_unit, carrier, lambda moment=moment: moment)()
        mail = await only(store)
        assert mail.error == "the mail server is away"
        pauses.append(mail.next_attempt_at - moment)
        now = mail.next_attempt_at
    assert pauses == [timedelta(seconds=each) for each in (15, 30, 60, 120)]
    carrier.behave = None
    await DeliverMails(store.new_platform_unit, carrier, lambda: now)()
    assert (await only(store)).state is MailState.SENT


async def test_a_mail_refused_for_good_is_dead_until_somebody_revives_it(store: Store) -> None:
    await written(store)

    async def refuse(mail: Mail) -> None:
        raise DeliveryFailed("550 nobody here", for_good=True)

    clock = lambda: datetime.now(UTC) + timedelta(seconds=1)  # noqa: E731
    await DeliverMails(store.new_platform_unit, Carrier(store.north, refuse), clock)()
    dead = await only(store)
    assert (dead.state, dead.error) == (MailState.DEAD, "550 nobody here")
    async with store.new_unit(store.north) as unit:
        assert (await unit.mails.page(PageRequest(10), MailState.DEAD)).elements == (dead,)
        await unit.mails.save((await unit.mails.get(dead.id)).revived(clock()))
        await unit.commit()
    carrier = Carrier(store.north)
    await DeliverMails(store.new_platform_unit, carrier, lambda: clock() + timedelta(seconds=1))()
    assert [each.fields["token"] for each in carrier.carried] == ["north.secret"]


async def test_a_claimed_mail_comes_again_when_whoever_had_it_is_gone(store: Store) -> None:
    await written(store)
    now = datetime.now(UTC) + timedelta(seconds=1)

    async def claimed(moment: datetime) -> list[Mail]:
        async with store.new_platform_unit() as unit:
            found = [each for each in await unit.mail_queue.claim(moment, 1000) if each.organization == store.north]
            await unit.commit()
        return found

    (first,) = await claimed(now)
    assert await claimed(now + CLAIM_LIFE / 2) == []
    (second,) = await claimed(now + CLAIM_LIFE)
    assert (first.attempts, second.attempts) == (1, 2)
    async with store.new_platform_unit() as unit:
        await unit.mail_queue.settle(first.sent(now))  # comes back from the dead: the second has it now
        await unit.commit()
    assert (await only(store)).state is MailState.WAITING


async def test_mails_are_paged_newest_first_and_sent_ones_are_forgotten_in_the_end(store: Store) -> None:
    for template in ("one", "two", "three"):
        await written(store, template)
    async with store.new_unit(store.north) as unit:
        first = await unit.mails.page(PageRequest(2), None)
        rest = await unit.mails.page(PageRequest(2, first.next), None)
        assert [each.template for each in (*first.elements, *rest.elements)] == ["three", "two", "one"]
        assert await unit.mails.written_since("eve@example.org", "one", datetime.now(UTC) - timedelta(minutes=1))
        assert not await unit.mails.written_since("eve@example.org", "four", datetime.now(UTC) - timedelta(minutes=1))
        with pytest.raises(InvalidInput):
            await unit.mails.page(PageRequest(2, ("yesterday", "x")), None)
    deliver = DeliverMails(store.new_platform_unit, Carrier(store.north), lambda: datetime.now(UTC) + timedelta(seconds=1))
    while await deliver():
        pass
    async with store.new_platform_unit() as unit:
        await unit.mail_queue.forget_sent(datetime.now(UTC) + KEPT_AFTER_SENT + timedelta(minutes=1))
        await unit.commit()
    async with store.new_unit(store.north) as unit:
        assert (await unit.mails.page(PageRequest(10), None)).elements == ()
