"""Quotas: counted as they stand, and never exceeded however many come at once."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from domain.identity.classes import Class
from domain.identity.events import PlanChanged, TokenRevoked
from domain.identity.federation import FederatedPerson
from domain.identity.model import Organization, OrganizationNotFound, User, UserDraft
from domain.identity.ports import UsageElsewhere
from domain.identity.provisioning import Kind
from domain.identity.use_cases.change_provisioned import ChangeProvisioned
from domain.identity.use_cases.create_class import CreateClass
from domain.identity.use_cases.create_provisioned import CreateProvisioned
from domain.identity.use_cases.create_users import CreateUsers
from domain.identity.use_cases.enrol_from_csv import EnrolFromCsv
from domain.identity.use_cases.get_usage import GetUsage
from domain.identity.use_cases.provisioned_directory import Directories
from domain.identity.use_cases.provisioned_groups import ProvisionedGroups
from domain.identity.use_cases.provisioned_users import ProvisionedUsers
from domain.identity.use_cases.recognise_person import RecognisePerson
from domain.identity.use_cases.set_plan import SetPlan
from domain.shared.caller import Caller, Role
from domain.shared.errors import QuotaReached
from domain.shared.ids import random_id
from domain.shared.plans import Plan, Quota, limit_of
from tests.contract.identity.conftest import NOW, Store, user
from tests.contract.identity.test_federation import SCHOOL
from tests.contract.identity.test_programs import LMS
from tests.contract.identity.test_races import outcomes

PEOPLE = limit_of(Quota.PEOPLE, Plan.TRIAL)
DIRECTORIES: Directories = {Kind.USER: ProvisionedUsers(random_id), Kind.GROUP: ProvisionedGroups(random_id)}


def admin(store: Store) -> Caller:
    return Caller(store.north, "ada", frozenset({Role.ADMIN}))


async def on_trial(store: Store, people: int) -> None:
    """North has the trial plan, and so many people."""
    async with store.new_unit(store.north) as unit:
        await unit.organizations.found(Organization(store.north, "North", NOW))
        await unit.users.add([user("ada", roles=frozenset({Role.ADMIN})), *(user(f"p{at}") for at in range(people - 1))])
        await unit.commit()
    await SetPlan(store.new_unit, lambda: NOW)(store.north, Plan.TRIAL)


async def people(store: Store) -> int:
    async with store.new_unit(store.north) as unit:
        return await unit.quotas.used(Quota.PEOPLE)


def drafts(*ids: str) -> tuple[UserDraft, ...]:
    return tuple(UserDraft(each, "", None, frozenset({Role.LEARNER})) for each in ids)


async def test_what_has_ended_is_not_counted(store: Store) -> None:
    async with store.new_unit(store.north) as unit:
        await unit.users.add([user("ada"), user("bob"), replace(user("gone"), deactivated_at=NOW)])
        await unit.classes.add(Class.create("a", "A", NOW))
        await unit.classes.add(Class.create("b", "B", NOW))
        await unit.classes.save((await unit.classes.get("b")).archive(NOW))
        await unit.programs.add(LMS)
        await unit.programs.add(replace(LMS, id="old", credentials=(), disabled_at=NOW))
        await unit.commit()
    async with store.new_unit(store.north) as unit:
        assert [await unit.quotas.used(each) for each in (Quota.PEOPLE, Quota.CLASSES, Quota.PROGRAMS)] == [2, 1, 1]
    async with store.new_unit(store.south) as unit:
        assert [await unit.quotas.used(each) for each in (Quota.PEOPLE, Quota.CLASSES, Quota.PROGRAMS)] == [0, 0, 0]


async def test_a_plan_is_kept_told_once_and_kept_by_other_changes(store: Store) -> None:
    await on_trial(store, 1)
    again = await SetPlan(store.new_unit, lambda: NOW)(store.north, Plan.TRIAL)
    assert (again.plan, again.revision) == (Plan.TRIAL, 1)
    async with store.new_unit(store.north) as unit:
        assert await unit.quotas.plan() is Plan.TRIAL
        before = await unit.organizations.get()
        await unit.organizations.save(replace(before, display_name="South", revision=before.revision + 1))
        await unit.commit()
    async with store.new_unit(store.north) as unit:
        assert (await unit.organizations.get()).plan is Plan.TRIAL
    told = [each for each in await store.published(store.north) if isinstance(each, PlanChanged)]
    assert told == [PlanChanged(NOW, Plan.TRIAL, Plan.STANDARD)]
    with pytest.raises(OrganizationNotFound):
        await SetPlan(store.new_unit, lambda: NOW)(store.south, Plan.LARGE)


async def test_of_many_who_add_the_last_one_one_does(store: Store) -> None:
    await on_trial(store, PEOPLE - 1)
    create = CreateUsers(store.new_unit, lambda: NOW)
    provision = CreateProvisioned(store.new_unit, DIRECTORIES, lambda: NOW)
    made, refused = await outcomes(
        *(create(admin(store), drafts(f"new-{at}"), skip_existing=False) for at in range(4)),
        *(provision(admin(store), Kind.USER, {"userName": f"scim-{at}@example.org"}) for at in range(4)),
    )
    assert len(made) == 1
    assert {type(each) for each in refused} == {QuotaReached}
    assert await people(store) == PEOPLE


async def test_a_batch_comes_in_whole_or_not_at_all_and_those_who_are_there_do_not_count(store: Store) -> None:
    await on_trial(store, PEOPLE - 1)
    create = CreateUsers(store.new_unit, lambda: NOW)
    with pytest.raises(QuotaReached):
        await create(admin(store), drafts("new-1", "new-2"), skip_existing=False)
    assert await people(store) == PEOPLE - 1
    shown = await create(admin(store), drafts("p1", "new-1", "p2"), skip_existing=True)
    assert [each.id for each in shown] == ["p1", "new-1", "p2"]
    assert await people(store) == PEOPLE


async def test_a_list_of_a_class_brings_in_nobody_beyond_the_limit(store: Store) -> None:
    await on_trial(store, PEOPLE)
    await CreateClass(store.new_unit, lambda: NOW)(admin(store), "a", "A")
    enrol = EnrolFromCsv(store.new_unit, lambda: NOW)
    with pytest.raises(QuotaReached):
        await enrol(admin(store), "a", "user_id\nnew\n", validate_only=False)
    assert len(await enrol(admin(store), "a", "user_id\np1\n", validate_only=False)) == 1
    assert await people(store) == PEOPLE


async def test_provisioning_brings_nobody_back_beyond_the_limit(store: Store) -> None:
    await on_trial(store, PEOPLE - 1)
    provision = CreateProvisioned(store.new_unit, DIRECTORIES, lambda: NOW)
    change = ChangeProvisioned(store.new_unit, DIRECTORIES, lambda: NOW)
    asleep = await provision(admin(store), Kind.USER, {"userName": "zoe@example.org", "active": False})
    other = await provision(admin(store), Kind.USER, {"userName": "yan@example.org"})
    await provision(admin(store), Kind.USER, {"userName": "xia@example.org", "active": False})

    async def active(resource: str, value: bool) -> None:
        await change(admin(store), Kind.USER, resource, "", lambda tree: tree | {"active": value})

    with pytest.raises(QuotaReached):
        await active(asleep.id, True)
    await active(other.id, False)
    await active(asleep.id, True)
    assert await people(store) == PEOPLE


async def test_a_smaller_plan_takes_nothing_away_and_lets_nothing_in(store: Store) -> None:
    await on_trial(store, PEOPLE + 5)
    assert await people(store) == PEOPLE + 5
    create = CreateUsers(store.new_unit, lambda: NOW)
    with pytest.raises(QuotaReached) as refused:
        await create(admin(store), drafts("new"), skip_existing=False)
    assert (refused.value.quota, refused.value.limit, refused.value.plan) == ("people", PEOPLE, "trial")
    await SetPlan(store.new_unit, lambda: NOW)(store.north, Plan.STANDARD)
    await create(admin(store), drafts("new"), skip_existing=False)


async def test_classes_made_in_either_way_share_their_quota(store: Store) -> None:
    await on_trial(store, 1)
    create = CreateClass(store.new_unit, lambda: NOW)
    provision = CreateProvisioned(store.new_unit, DIRECTORIES, lambda: NOW)
    most = limit_of(Quota.CLASSES, Plan.TRIAL)
    made, refused = await outcomes(
        *(create(admin(store), f"c{at}", "C") for at in range(most - 5)),
        *(provision(admin(store), Kind.GROUP, {"displayName": f"G{at}"}) for at in range(10)),
    )
    assert (len(made), len(refused)) == (most, 5)
    assert {type(each) for each in refused} == {QuotaReached}


class Elsewhere(UsageElsewhere):
    async def of(self, organization: str) -> dict[Quota, int]:
        return {Quota.ITEMS: 7}


async def test_usage_is_shown_to_its_own_and_to_operators(store: Store) -> None:
    await on_trial(store, 3)
    usage = GetUsage(store.new_unit, [Elsewhere()])
    plan, quotas = await usage(admin(store), store.north)
    assert plan is Plan.TRIAL
    assert {each.quota: each.used for each in quotas} == {
        Quota.PEOPLE: 3,
        Quota.CLASSES: 0,
        Quota.PROGRAMS: 0,
        Quota.ITEMS: 7,
    }
    assert all(each.limit == limit_of(each.quota, Plan.TRIAL) for each in quotas)
    operator = Caller(store.south, "root", frozenset({Role.OPERATOR}))
    assert await usage(operator, store.north) == (plan, quotas)
    for caller, wanted in (
        (Caller(store.south, "sue", frozenset({Role.ADMIN})), store.north),
        (operator, "nowhere"),
        (operator, "-"),
    ):
        with pytest.raises(OrganizationNotFound):
            await usage(caller, wanted)


async def test_a_token_is_revoked_once_and_forgotten_when_it_has_expired(store: Store) -> None:
    first, second = str(uuid4()), str(uuid4())
    until = NOW + timedelta(minutes=10)
    async with store.new_unit(store.north) as unit:
        assert await unit.programs.revoke_token(first, until, NOW)
        assert not await unit.programs.revoke_token(first, until, NOW)
        await unit.events.add([TokenRevoked("program~lms", NOW, first)])
        await unit.commit()
    assert await store.published(store.north) == [TokenRevoked("program~lms", NOW, first)]
    async with store.new_unit(store.north) as unit:
        assert await unit.programs.is_token_revoked(first)
        assert not await unit.programs.is_token_revoked(second)
        await unit.programs.revoke_token(second, until + timedelta(minutes=10), until)
        await unit.commit()
    async with store.new_unit(store.north) as unit:
        assert not await unit.programs.is_token_revoked(first)
        assert await unit.programs.is_token_revoked(second)
    async with store.new_unit(store.south) as unit:
        assert not await unit.programs.is_token_revoked(second)


async def test_a_first_sign_in_by_an_identity_provider_waits_for_room_and_later_ones_do_not(store: Store) -> None:
    await on_trial(store, PEOPLE - 1)
    recognise = RecognisePerson(random_id, lambda: NOW)

    async def signs_in(subject: str) -> User | None:
        async with store.new_unit(store.north) as unit:
            if await unit.providers.find(SCHOOL.id) is None:
                await unit.providers.add(SCHOOL)
            found = await recognise(unit, SCHOOL, FederatedPerson(subject, f"{subject}@example.org", subject))
            await unit.commit()
        return found

    first = await signs_in("eve")
    assert first is not None
    with pytest.raises(QuotaReached):
        await signs_in("zoe")
    again = await signs_in("eve")
    assert again is not None
    assert again.id == first.id
    assert await people(store) == PEOPLE
