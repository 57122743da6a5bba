"""Jobs of privacy, consents and retention, the same in memory and in PostgreSQL."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from adapters.identity.memory_privacy import MemoryPersonalFiles
from domain.identity.classes import Class, Member, Part
from domain.identity.consents import Consent, Purpose
from domain.identity.directory import DirectoryInformation
from domain.identity.events import PrivacyOrdered
from domain.identity.invitations import Invitation
from domain.identity.links import LinkToken
from domain.identity.links import Purpose as LinkPurpose
from domain.identity.model import Organization, UserNotFound
from domain.identity.people import Guardianship
from domain.identity.privacy import (
    ERASURE_REPEATED_AFTER,
    IDENTITY,
    PARTIES,
    JobKind,
    JobState,
    PrivacyJob,
    PrivacyJobNotFound,
    Receipt,
)
from domain.identity.privacy_settings import PrivacySettings
from domain.identity.sessions import Session
from domain.identity.step_up import Authentication, Method
from domain.identity.use_cases.apply_retention import ApplyRetention
from domain.identity.use_cases.assemble_export import AssembleExport
from domain.identity.use_cases.carry_out_due_jobs import CarryOutDueJobs
from domain.identity.use_cases.take_receipt import TakeReceipt
from domain.shared.caller import Role
from domain.shared.errors import Conflict
from domain.shared.page import PageRequest
from tests.contract.identity.conftest import NOW, Store, user

NAME, EMAIL = "Zebediah Quill", "zebediah.quill@example.org"
LATER = NOW + timedelta(days=30)


def job(kind: JobKind = JobKind.ERASURE, of: str = "zeb", **changes: object) -> PrivacyJob:
    return replace(PrivacyJob(str(uuid4()), kind, of, of, NOW, NOW), **changes)  # type: ignore[arg-type]


async def put_person(store: Store) -> None:
    """Somebody who is everywhere in identity, and two others who must stay."""
    async with store.new_unit(store.north) as unit:
        await unit.organizations.found(Organization(store.north, "North", NOW))
        await unit.users.add(
            [
                user("zeb", display_name=NAME, email=EMAIL),
                user("boss", roles=frozenset({Role.ADMIN}), email="boss@example.org"),
                user("child", display_name="A child"),
            ]
        )
        await unit.accounts.set_password("zeb", "a hash", NOW)
        session = Session(
            str(uuid4()),
            "zeb",
            NOW,
            NOW + timedelta(days=14),
            NOW,
            Authentication(NOW, frozenset({Method.PASSWORD})),
            "A browser",
        )
        await unit.sessions.start(session, b"a digest")
        await unit.classes.add(Class("form-1", "Form 1", NOW))
        await unit.classes.enrol("form-1", [Member("zeb", Part.LEARNER, NOW), Member("child", Part.LEARNER, NOW)])
        await unit.guardians.link(Guardianship("zeb", "child", NOW))
        for to, by in ((EMAIL, "boss"), ("friend@example.org", "zeb")):
            digest = to.encode()
            await unit.invitations.add(
                Invitation(str(uuid4()), to, frozenset({Role.LEARNER}), "", by, digest, NOW, NOW, NOW + timedelta(days=7))
            )
            await unit.mails.send(to, "invitation", {"token": "x"})
        token = LinkToken(store.north, "secret")
        await unit.links.add(token.link(LinkPurpose.VERIFY_EMAIL, "zeb", EMAIL, NOW), NOW)
        await unit.links.verify_email("zeb", EMAIL, NOW)
        await unit.consents.publish(Purpose("research", 1, "May we?", NOW))
        await unit.consents.add(Consent("zeb", "research", 1, True, "zeb", NOW))
        await unit.consents.add(Consent("child", "research", 1, True, "zeb", NOW))
        await unit.commit()


def carrying_out(store: Store, files: MemoryPersonalFiles | None = None) -> CarryOutDueJobs:
    return CarryOutDueJobs(store.new_unit, store.new_platform_unit, files or MemoryPersonalFiles(), lambda: NOW)


async def erase(store: Store) -> PrivacyJob:
    waiting = job()
    async with store.new_unit(store.north) as unit:
        await unit.privacy_jobs.add(waiting)
        await unit.commit()
    while await carrying_out(store)():
        pass
    async with store.new_unit(store.north) as unit:
        return await unit.privacy_jobs.get(waiting.id)


async def test_an_erased_person_is_a_deactivated_user_without_a_name(store: Store) -> None:
    await put_person(store)
    done = await erase(store)
    assert (done.state, done.user, done.requested_by) == (JobState.RUNNING, done.pseudonym, done.pseudonym)
    async with store.new_unit(store.north) as unit:
        with pytest.raises(UserNotFound):
            await unit.users.get("zeb")
        left = await unit.users.get(done.pseudonym)
        assert (left.display_name, left.email, left.active, left.created_at) == ("", None, False, NOW)
        assert await unit.accounts.find(EMAIL) is None
        account = await unit.accounts.find(done.pseudonym)
        assert account is not None
        assert account.password_hash is None


async def test_what_was_about_the_person_goes_and_what_they_did_for_others_stays(store: Store) -> None:
    await put_person(store)
    done = await erase(store)
    async with store.new_unit(store.north) as unit:
        assert [each.user for each in (await unit.classes.members("form-1", PageRequest(10, None))).elements] == ["child"]
        assert await unit.guardians.guardians_of("child") == []
        invitations = (await unit.invitations.page(PageRequest(10, None))).elements
        assert [(each.email, each.invited_by) for each in invitations] == [("friend@example.org", done.pseudonym)]
        mails = (await unit.mails.page(PageRequest(10, None), None)).elements
        assert [each.to for each in mails] == ["friend@example.org"]
        assert await unit.consents.of("zeb") == []
        assert [each.by for each in await unit.consents.of("child")] == [done.pseudonym]
        assert await unit.links.find(LinkToken(store.north, "secret").digest) is None


async def test_every_context_is_told_once_and_the_last_receipt_ends_the_job(store: Store) -> None:
    await put_person(store)
    running = await erase(store)
    assert await carrying_out(store)() == 0
    ordered = [each for each in await store.published(store.north) if type(each).__name__ == "PrivacyOrdered"]
    assert [(each.user, each.pseudonym, each.job) for each in ordered] == [("zeb", running.pseudonym, running.id)]
    take = TakeReceipt(store.new_unit, AssembleExport(store.new_unit, MemoryPersonalFiles(), lambda: NOW), lambda: NOW)
    for context in sorted(PARTIES - {IDENTITY}):
        async with store.new_unit(store.north) as unit:
            assert (await unit.privacy_jobs.get(running.id)).state is JobState.RUNNING
        await take(store.north, running.id, Receipt(context, NOW, {"attempts": 3}))
        await take(store.north, running.id, Receipt(context, LATER, {"attempts": 0}))  # a repeat
    async with store.new_unit(store.north) as unit:
        done = await unit.privacy_jobs.get(running.id)
    assert done.state is JobState.SUCCEEDED
    assert done.progress == 1.0
    assert [dict(each.records) for each in done.receipts if each.context != IDENTITY] == [{"attempts": 3}] * 6
    await take(store.north, str(uuid4()), Receipt("paths", NOW, {}))  # of a job that nobody knows


async def told_again(store: Store, after: timedelta) -> list[tuple[str, str]]:
    """Ends an erasure, lets so much time pass, and returns whom the contexts were told of, and in whose place, from the second time on."""
    running = await erase(store)
    take = TakeReceipt(store.new_unit, AssembleExport(store.new_unit, MemoryPersonalFiles(), lambda: NOW), lambda: NOW)
    for context in sorted(PARTIES - {IDENTITY}):
        await take(store.north, running.id, Receipt(context, NOW, {}))
    later = replace(carrying_out(store), clock=lambda: NOW + after)
    while await later():
        pass
    async with store.new_unit(store.north) as unit:
        job = await unit.privacy_jobs.get(running.id)
    assert (job.state, job.user) == (JobState.SUCCEEDED, running.pseudonym)
    assert bool(job.subject) is (after < ERASURE_REPEATED_AFTER)
    ordered = [each for each in await store.published(store.north) if isinstance(each, PrivacyOrdered)]
    return [(each.user, each.pseudonym.removeprefix(running.pseudonym)) for each in ordered][1:]


async def test_the_contexts_are_not_told_of_an_erasure_again_before_a_day_has_passed(store: Store) -> None:
    await put_person(store)
    assert await told_again(store, ERASURE_REPEATED_AFTER - timedelta(seconds=1)) == []


async def test_what_came_late_goes_when_the_contexts_are_told_once_more(store: Store) -> None:
    await put_person(store)
    assert await told_again(store, ERASURE_REPEATED_AFTER) == [("zeb", "")]


async def test_an_id_that_was_an_erased_persons_is_not_given_to_anybody_again(store: Store) -> None:
    await put_person(store)
    await erase(store)
    async with store.new_unit(store.north) as unit:
        assert await unit.users.add([user("zeb", display_name="Another Zeb"), user("zeb2")]) == {"zeb2"}
        assert await unit.users.add([user("zeb")]) == set()
        await unit.commit()
    async with store.new_unit(store.south) as unit:
        assert await unit.users.add([user("zeb")]) == {"zeb"}


async def test_nothing_is_told_once_more_when_the_release_before_gave_the_id_to_somebody_else(store: Store) -> None:
    await put_person(store)
    before = job(state=JobState.SUCCEEDED, subject="zeb", finished_at=NOW)
    before = replace(before, user=before.pseudonym)
    async with store.new_unit(store.north) as unit:
        await unit.privacy_jobs.add(before)
        await unit.commit()
    later = replace(carrying_out(store), clock=lambda: NOW + ERASURE_REPEATED_AFTER)
    assert await later() >= 1
    assert not [each for each in await store.published(store.north) if isinstance(each, PrivacyOrdered)]
    async with store.new_unit(store.north) as unit:
        assert (await unit.privacy_jobs.get(before.id)).subject == ""
        assert (await unit.users.get("zeb")).active


async def test_the_last_administrator_is_not_erased(store: Store) -> None:
    await put_person(store)
    waiting = job(of="boss")
    async with store.new_unit(store.north) as unit:
        await unit.privacy_jobs.add(waiting)
        await unit.commit()
    await carrying_out(store)()
    async with store.new_unit(store.north) as unit:
        assert (await unit.privacy_jobs.get(waiting.id)).state is JobState.CANCELLED
        assert (await unit.users.get("boss")).active


async def test_an_erasure_takes_the_files_of_exports_along(store: Store) -> None:
    await put_person(store)
    files = MemoryPersonalFiles()
    export = job(JobKind.EXPORT, state=JobState.SUCCEEDED, due_at=LATER)
    await files.put_archive(store.north, export.id, b"zip")
    erasure = job()
    async with store.new_unit(store.north) as unit:
        await unit.privacy_jobs.add(export)
        await unit.privacy_jobs.add(erasure)
        await unit.commit()
    await carrying_out(store, files)()
    assert files.archives == {}
    async with store.new_unit(store.north) as unit:
        expired = await unit.privacy_jobs.get(export.id)
    assert (expired.state, expired.user) == (JobState.EXPIRED, erasure.pseudonym)


async def test_exports_are_removed_when_their_time_is_over(store: Store) -> None:
    await put_person(store)
    files = MemoryPersonalFiles()
    export = job(JobKind.EXPORT, state=JobState.SUCCEEDED, due_at=NOW)
    await files.put_archive(store.north, export.id, b"zip")
    async with store.new_unit(store.north) as unit:
        await unit.privacy_jobs.add(export)
        await unit.commit()
    assert await carrying_out(store, files)() >= 1
    assert files.archives == {}


async def test_jobs_are_an_organizations_own(store: Store) -> None:
    await put_person(store)
    mine = job()
    async with store.new_unit(store.north) as unit:
        await unit.privacy_jobs.add(mine)
        await unit.commit()
    async with store.new_unit(store.south) as unit:
        for job_id in (mine.id, "no uuid"):
            with pytest.raises(PrivacyJobNotFound):
                await unit.privacy_jobs.get(job_id)
        assert (await unit.privacy_jobs.page(PageRequest(10, None))).elements == ()
    async with store.new_unit(store.north) as unit:
        assert await unit.privacy_jobs.open_of("zeb", JobKind.ERASURE) == mine
        assert await unit.privacy_jobs.open_of("zeb", JobKind.EXPORT) is None
        await unit.privacy_jobs.save(mine.cancelled(NOW))
        assert await unit.privacy_jobs.open_of("zeb", JobKind.ERASURE) is None


async def test_jobs_are_paged_by_id(store: Store) -> None:
    made = sorted((job(of=f"u{at}") for at in range(5)), key=lambda each: each.id)
    async with store.new_unit(store.north) as unit:
        for each in made:
            await unit.privacy_jobs.add(each)
        first = await unit.privacy_jobs.page(PageRequest(3, None))
        rest = await unit.privacy_jobs.page(PageRequest(3, first.next))
    assert [*first.elements, *rest.elements] == made
    assert rest.next is None


async def test_versions_of_a_purpose_are_kept_and_the_newest_is_shown(store: Store) -> None:
    async with store.new_unit(store.north) as unit:
        await unit.consents.publish(Purpose("research", 1, "May we?", NOW))
        await unit.consents.publish(Purpose("research", 2, "May we, please?", LATER))
        await unit.consents.publish(Purpose("photos", 1, "And this?", NOW))
        assert [(each.id, each.version) for each in await unit.consents.purposes()] == [("photos", 1), ("research", 2)]
        newest = await unit.consents.newest("research")
        assert newest is not None
        assert newest.text == "May we, please?"
        assert await unit.consents.newest("none") is None
        with pytest.raises(Conflict):
            await unit.consents.publish(Purpose("research", 2, "Other words", LATER))


async def test_retention_removes_what_is_old_and_asks_to_erase_who_is_gone(store: Store) -> None:
    await put_person(store)
    much_later = NOW + timedelta(days=400)
    async with store.new_unit(store.north) as unit:
        for each in (await unit.mails.page(PageRequest(10, None), None)).elements:
            await unit.mails.save(each.sent(NOW))
        await unit.retention.save(PrivacySettings(inactive_account_days=365))
        await unit.commit()
    retain = ApplyRetention(store.new_unit, store.new_platform_unit, lambda: str(uuid4()), lambda: much_later)
    assert await retain() >= 3
    async with store.new_unit(store.north) as unit:
        assert (await unit.mails.page(PageRequest(10, None), None)).elements == ()
        jobs = (await unit.privacy_jobs.page(PageRequest(10, None))).elements
    assert [(each.user, each.requested_by, each.state) for each in jobs] == [("zeb", "-", JobState.WAITING)]
    await retain()
    async with store.new_unit(store.north) as unit:
        assert len((await unit.privacy_jobs.page(PageRequest(10, None))).elements) == 1


async def test_retention_keeps_the_newest_session_of_everybody(store: Store) -> None:
    proof = Authentication(NOW, frozenset({Method.PASSWORD}))
    await store.with_user("ada")
    async with store.new_unit(store.north) as unit:
        for day in range(3):
            began = NOW + timedelta(days=day)
            await unit.sessions.start(
                Session(str(uuid4()), "ada", began, began + timedelta(days=1), began, proof, ""), bytes([day])
            )
        assert await unit.retention.forget_sessions(NOW + timedelta(days=10), 10) == 2
        assert await unit.retention.forget_sessions(NOW + timedelta(days=10), 10) == 0


async def test_settings_are_the_usual_ones_until_chosen(store: Store) -> None:
    async with store.new_unit(store.north) as unit:
        assert await unit.retention.settings() == PrivacySettings()
        await unit.retention.save(PrivacySettings(mail_days=5))
        await unit.retention.save(PrivacySettings(mail_days=6))
        assert (await unit.retention.settings()).mail_days == 6
        withholding = PrivacySettings(directory_information=DirectoryInformation.WITHHELD)
        await unit.retention.save(withholding)
        assert await unit.retention.settings() == withholding


async def test_what_was_chosen_about_directory_information_is_kept_until_the_erasure(store: Store) -> None:
    await put_person(store)
    async with store.new_unit(store.north) as unit:
        zeb = await unit.users.get("zeb")
        assert zeb.directory is None
        await unit.users.save(replace(zeb, directory=DirectoryInformation.WITHHELD))
        await unit.users.add([user("quiet", directory=DirectoryInformation.SHARED)])
        await unit.commit()
    async with store.new_unit(store.north) as unit:
        chosen = {"zeb": DirectoryInformation.WITHHELD, "quiet": DirectoryInformation.SHARED}
        assert await unit.users.directory_choices(["zeb", "quiet", "child", "nobody"]) == chosen
        await unit.profiles.save(replace(await unit.profiles.get("zeb"), locale="de"))
        assert (await unit.users.get("zeb")).directory is DirectoryInformation.WITHHELD
        assert '"directory_information": "WITHHELD"' in (await unit.persons.records("zeb"))["user"][0]
        await unit.commit()
    async with store.new_unit(store.south) as unit:
        assert await unit.users.directory_choices(["zeb"]) == {}
    erased = await erase(store)
    async with store.new_unit(store.north) as unit:
        assert await unit.users.directory_choices([erased.user, "zeb"]) == {}
