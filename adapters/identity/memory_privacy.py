"""Privacy in memory, for one process."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from domain.identity.consents import Consent, Purpose
from domain.identity.mail_queue import MailState
from domain.identity.model import User
from domain.identity.privacy import ERASURE_REPEATED_AFTER, OPEN, JobKind, JobState, PrivacyJob, PrivacyJobNotFound
from domain.identity.privacy_ports import (
    ConsentRepository,
    Directory,
    PersonalFiles,
    PersonRepository,
    PrivacyJobRepository,
    RetentionRepository,
)
from domain.identity.privacy_settings import PrivacySettings
from domain.identity.provisioning import Kind
from domain.identity.sealing import Resealed, SealingRepository
from domain.shared.caller import Role
from domain.shared.errors import Conflict, Unavailable
from domain.shared.page import Page, PageRequest
from domain.shared.personal_data import Records

if TYPE_CHECKING:
    from adapters.identity.memory_tenant import Tenant

K = TypeVar("K")
V = TypeVar("V")


@dataclass
class PrivacyState:
    """What one organization has; purposes by id and version."""

    jobs: dict[str, PrivacyJob] = field(default_factory=dict)
    purposes: dict[tuple[str, int], Purpose] = field(default_factory=dict)
    consents: list[Consent] = field(default_factory=list)
    settings: PrivacySettings = field(default_factory=PrivacySettings)
    erased: set[str] = field(default_factory=set)

    def copy(self) -> "PrivacyState":
        return PrivacyState(dict(self.jobs), dict(self.purposes), list(self.consents), self.settings, set(self.erased))


class NothingSealed(SealingRepository):
    """What is in memory alone is not at rest."""

    async def renew_keys(self) -> None:
        """There are none."""

    async def reseal(self, most: int, *, afresh: bool) -> Resealed:
        return Resealed(0, 0)

    async def forget_unused(self) -> int:
        return 0


class MemoryPrivacyJobs(PrivacyJobRepository):
    def __init__(self, state: PrivacyState) -> None:
        self._jobs = state.jobs

    async def add(self, job: PrivacyJob) -> None:
        self._jobs[job.id] = job

    async def get(self, job_id: str) -> PrivacyJob:
        try:
            return self._jobs[job_id]
        except KeyError:
            raise PrivacyJobNotFound(job_id) from None

    async def open_of(self, user_id: str, kind: JobKind) -> PrivacyJob | None:
        return next((each for each in await self.of(user_id) if each.kind is kind and each.state in OPEN), None)

    async def of(self, user_id: str) -> Sequence[PrivacyJob]:
        return sorted((each for each in self._jobs.values() if each.user == user_id), key=lambda job: job.created_at)

    async def save(self, job: PrivacyJob) -> None:
        self._jobs[job.id] = job

    async def page(self, request: PageRequest) -> Page[PrivacyJob]:
        after = request.after[0] if request.after is not None else ""
        found = [self._jobs[each] for each in sorted(self._jobs) if each > after]
        shown = tuple(found[: request.size])
        return Page(shown, (shown[-1].id,) if len(found) > request.size else None)


class MemoryConsents(ConsentRepository):
    def __init__(self, state: PrivacyState) -> None:
        self._state = state

    async def publish(self, purpose: Purpose) -> None:
        if (purpose.id, purpose.version) in self._state.purposes:
            raise Conflict(f"somebody published version {purpose.version} of {purpose.id} meanwhile; repeat it")
        self._state.purposes[purpose.id, purpose.version] = purpose

    async def newest(self, purpose_id: str) -> Purpose | None:
        return next((each for each in await self.purposes() if each.id == purpose_id), None)

    async def purposes(self) -> Sequence[Purpose]:
        newest = {purpose_id: self._state.purposes[purpose_id, version] for purpose_id, version in sorted(self._state.purposes)}
        return list(newest.values())

    async def add(self, consent: Consent) -> None:
        self._state.consents.append(consent)

    async def of(self, user_id: str) -> Sequence[Consent]:
        return [each for each in self._state.consents if each.user == user_id]


class MemoryRetention(RetentionRepository):
    def __init__(self, tenant: "Tenant") -> None:
        self._tenant = tenant

    async def settings(self) -> PrivacySettings:
        return self._tenant.privacy.settings

    async def save(self, settings: PrivacySettings) -> None:
        self._tenant.privacy.settings = settings

    async def forget_mails(self, before: datetime, most: int) -> int:
        mails = self._tenant.people.mails
        old = [
            each.id
            for each in mails.values()
            if each.state is not MailState.WAITING and each.settled_at is not None and each.settled_at < before
        ]
        for mail_id in old[:most]:
            del mails[mail_id]
        return len(old[:most])

    async def forget_sessions(self, before: datetime, most: int) -> int:
        sessions = self._tenant.sessions
        newest = {each.user: each.id for each in sorted(sessions.values(), key=lambda s: (s.started_at, s.id))}
        old = [each.id for each in sessions.values() if each.expires_at < before and newest[each.user] != each.id]
        for session_id in old[:most]:
            del sessions[session_id]
        return len(old[:most])

    async def forget_answers(self, before: datetime, most: int) -> int:
        return 0


class MemoryPersons(PersonRepository):
    def __init__(self, tenant: "Tenant") -> None:
        self._tenant = tenant

    async def records(self, user_id: str) -> Records:
        user = self._tenant.users[user_id]
        told = {"id": user.id, "display_name": user.display_name, "email": user.email, "roles": sorted(user.roles)}
        told["directory_information"] = user.directory
        consents = [json.dumps({"purpose": each.purpose, "given": each.given}) for each in self._consents_of(user_id)]
        return {"user": [json.dumps(told)]} | ({"consents": consents} if consents else {})

    async def erase(self, user_id: str, pseudonym: str, now: datetime) -> Mapping[str, int]:
        tenant = self._tenant
        user = tenant.users.pop(user_id, None)
        if user is None:
            return {}
        tenant.users[pseudonym] = User(pseudonym, "", None, user.roles, user.created_at, user.deactivated_at or now)
        tenant.privacy.erased.add(user_id)
        tenant.hashes.pop(user_id, None)
        _drop(tenant.sessions, lambda session: session.user == user_id)
        tenant.tokens = {digest: held for digest, held in tenant.tokens.items() if held[0] in tenant.sessions}
        people, credentials = tenant.people, tenant.credentials
        people.profiles.pop(user_id, None)
        _drop(people.members, lambda member: member.user == user_id)
        _drop(people.guardianships, lambda each: user_id in (each.guardian, each.learner))
        _drop(people.invitations, lambda each: each.email == user.email)
        for each in people.invitations.values():
            if each.invited_by == user_id:
                people.invitations[each.id] = replace(each, invited_by=pseudonym)
        _drop(people.mails, lambda each: each.to == user.email)
        credentials.mails = [each for each in credentials.mails if each.to != user.email]
        credentials.totp.pop(user_id, None)
        credentials.verified.pop(user_id, None)
        credentials.codes = {key: code for key, code in credentials.codes.items() if key[0] != user_id}
        _drop(credentials.passkeys, lambda each: each.user == user_id)
        _drop(credentials.challenges, lambda each: each.user == user_id)
        _drop(credentials.links, lambda each: each.user == user_id)
        _drop(tenant.federation.identities, lambda each: each.user == user_id)
        _drop(tenant.federation.sessions, lambda each: each.user == user_id)
        tenant.programs.records.pop((Kind.USER, user_id), None)
        privacy = tenant.privacy
        privacy.consents = [
            replace(each, by=pseudonym) if each.by == user_id else each for each in privacy.consents if each.user != user_id
        ]
        for job in privacy.jobs.values():
            of = pseudonym if job.user == user_id else job.user
            by = pseudonym if job.requested_by == user_id else job.requested_by
            privacy.jobs[job.id] = replace(job, user=of, requested_by=by)
        return {"users": 1}

    async def inactive_since(self, moment: datetime, most: int) -> Sequence[str]:
        tenant = self._tenant
        seen = {each.user for each in tenant.sessions.values() if each.last_used_at >= moment}
        asked = {
            each.user
            for each in tenant.privacy.jobs.values()
            if each.kind is JobKind.ERASURE
            and (each.state is not JobState.CANCELLED or (each.finished_at is not None and each.finished_at >= moment))
        }
        return [
            each.id
            for each in sorted(tenant.users.values(), key=lambda user: user.id)
            if each.created_at < moment
            and each.id in tenant.hashes
            and each.id not in seen | asked
            and each.roles.isdisjoint((Role.ADMIN, Role.OPERATOR))
        ][:most]

    def _consents_of(self, user_id: str) -> list[Consent]:
        return [each for each in self._tenant.privacy.consents if each.user == user_id]


class MemoryDirectory(Directory):
    def __init__(self, tenants: "Mapping[str, Tenant]") -> None:
        self._tenants = tenants

    async def organizations(self, after: str, most: int) -> Sequence[str]:
        founded = (each for each, tenant in sorted(self._tenants.items()) if tenant.organization is not None)
        return [each for each in founded if each > after][:most]

    async def due_jobs(self, now: datetime, most: int) -> Sequence[tuple[str, str]]:
        due = [
            (job.due_at, organization, job.id)
            for organization, tenant in self._tenants.items()
            for job in tenant.privacy.jobs.values()
            if job.due_at <= now
            and (
                (job.kind, job.state) in ((JobKind.ERASURE, JobState.WAITING), (JobKind.EXPORT, JobState.SUCCEEDED))
                or (job.subject and job.finished_at is not None and job.finished_at <= now - ERASURE_REPEATED_AFTER)
            )
        ]
        return [(organization, job_id) for _, organization, job_id in sorted(due)[:most]]


class MemoryPersonalFiles(PersonalFiles):
    """Parts by organization, job and context; archives by organization and job."""

    def __init__(self) -> None:
        self.parts: dict[tuple[str, str, str], bytes] = {}
        self.archives: dict[tuple[str, str], bytes] = {}

    async def put_part(self, organization: str, job_id: str, context: str, content: bytes) -> None:
        self.parts[organization, job_id, context] = content

    async def part(self, organization: str, job_id: str, context: str) -> bytes:
        try:
            return self.parts[organization, job_id, context]
        except KeyError:
            raise Unavailable(f"the part of {context} is not there") from None

    async def put_archive(self, organization: str, job_id: str, archive: bytes) -> None:
        self.archives[organization, job_id] = archive

    async def link(self, organization: str, job_id: str) -> str:
        return f"memory:{organization}/{job_id}"

    async def delete(self, organization: str, job_id: str) -> None:
        self.archives.pop((organization, job_id), None)
        await self.delete_parts(organization, job_id)

    async def delete_parts(self, organization: str, job_id: str) -> None:
        for key in [key for key in self.parts if key[:2] == (organization, job_id)]:
            del self.parts[key]


def _drop(held: dict[K, V], which: Callable[[V], bool]) -> None:
    for key in [key for key, value in held.items() if which(value)]:
        del held[key]
