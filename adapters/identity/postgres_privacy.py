"""Jobs of privacy, consents, retention and the platform's directory, in PostgreSQL."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, and_, delete, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.identity.postgres_people_tables import mails
from adapters.identity.postgres_privacy_tables import (
    consent_purposes,
    consents,
    privacy_jobs,
    privacy_settings,
    request_ledger,
    under_hold,
)
from adapters.identity.postgres_tables import Repository, organizations, sessions
from domain.identity.consents import Consent, Purpose
from domain.identity.credential_ports import UnreadableSecret, Vault
from domain.identity.directory import DirectoryInformation
from domain.identity.mail_queue import MailState
from domain.identity.privacy import ERASURE_REPEATED_AFTER, OPEN, JobKind, JobState, PrivacyJob, PrivacyJobNotFound, Receipt
from domain.identity.privacy_ports import ConsentRepository, Directory, PrivacyJobRepository, RetentionRepository
from domain.identity.privacy_settings import PrivacySettings
from domain.shared.errors import Conflict
from domain.shared.ids import canonical_uuid
from domain.shared.page import Page, PageRequest


class PostgresPrivacyJobs(Repository, PrivacyJobRepository):
    """`vault` seals whom an erasure was of."""

    def __init__(self, connection: AsyncConnection, organization: str, vault: Vault) -> None:
        super().__init__(connection, organization)
        self._vault = vault

    async def add(self, job: PrivacyJob) -> None:
        await self.connection.execute(insert(privacy_jobs).values(organization_id=self.organization, **self._row(job)))

    async def get(self, job_id: str) -> PrivacyJob:
        try:
            by_id = privacy_jobs.c.id == UUID(job_id)
        except ValueError:
            raise PrivacyJobNotFound(job_id) from None
        query = select(privacy_jobs).where(self.mine(privacy_jobs), by_id).with_for_update()
        row = (await self.connection.execute(query)).one_or_none()
        if row is None:
            raise PrivacyJobNotFound(job_id)
        return self._job(row)

    async def open_of(self, user_id: str, kind: JobKind) -> PrivacyJob | None:
        return next((each for each in await self.of(user_id) if each.kind is kind and each.state in OPEN), None)

    async def of(self, user_id: str) -> Sequence[PrivacyJob]:
        query = select(privacy_jobs).where(self.mine(privacy_jobs), privacy_jobs.c.user_id == user_id)
        return [self._job(row) for row in await self.connection.execute(query.order_by(privacy_jobs.c.created_at))]

    async def save(self, job: PrivacyJob) -> None:
        this = update(privacy_jobs).where(self.mine(privacy_jobs), privacy_jobs.c.id == UUID(job.id))
        await self.connection.execute(this.values(self._row(job)))

    async def page(self, request: PageRequest) -> Page[PrivacyJob]:
        query = select(privacy_jobs).where(self.mine(privacy_jobs)).order_by(privacy_jobs.c.id).limit(request.size + 1)
        if request.after is not None:
            query = query.where(privacy_jobs.c.id > UUID(canonical_uuid(request.after[0], "page_token")))
        found = [self._job(row) for row in await self.connection.execute(query)]
        shown = tuple(found[: request.size])
        return Page(shown, (shown[-1].id,) if len(found) > request.size else None)

    def _row(self, job: PrivacyJob) -> dict[str, Any]:
        sealed = self._vault.seal(job.subject.encode(), self._context(job.id)) if job.subject else None
        return _job_row(job) | {"sealed_subject": sealed}

    def _job(self, row: Row[Any]) -> PrivacyJob:
        job = _job(row)
        if row.sealed_subject is None:
            return job
        try:
            return replace(job, subject=self._vault.open(row.sealed_subject, self._context(job.id)).decode())
        except UnreadableSecret:
            return job  # the key it was sealed with is gone, and with it what could be told a second time

    def _context(self, job_id: str) -> str:
        return f"privacy job {self.organization} {job_id}"


class PostgresConsents(Repository, ConsentRepository):
    async def publish(self, purpose: Purpose) -> None:
        published = await self.connection.execute(
            insert(consent_purposes).values(organization_id=self.organization, **asdict(purpose)).on_conflict_do_nothing()
        )
        if not published.rowcount:
            raise Conflict(f"somebody published version {purpose.version} of {purpose.id} meanwhile; repeat it")

    async def newest(self, purpose_id: str) -> Purpose | None:
        query = select(consent_purposes).where(self.mine(consent_purposes), consent_purposes.c.id == purpose_id)
        row = (await self.connection.execute(query.order_by(consent_purposes.c.version.desc()).limit(1))).one_or_none()
        return None if row is None else Purpose(row.id, row.version, row.text, row.published_at)

    async def purposes(self) -> Sequence[Purpose]:
        query = select(consent_purposes).where(self.mine(consent_purposes)).ext(distinct_on(consent_purposes.c.id))
        rows = await self.connection.execute(query.order_by(consent_purposes.c.id, consent_purposes.c.version.desc()))
        return [Purpose(row.id, row.version, row.text, row.published_at) for row in rows]

    async def add(self, consent: Consent) -> None:
        await self.connection.execute(
            insert(consents).values(
                organization_id=self.organization,
                user_id=consent.user,
                purpose=consent.purpose,
                version=consent.version,
                given=consent.given,
                by_user=consent.by,
                at=consent.at,
            )
        )

    async def of(self, user_id: str) -> Sequence[Consent]:
        query = select(consents).where(self.mine(consents), consents.c.user_id == user_id).order_by(consents.c.position)
        return [
            Consent(row.user_id, row.purpose, row.version, row.given, row.by_user, row.at)
            for row in await self.connection.execute(query)
        ]


class PostgresRetention(Repository, RetentionRepository):
    async def settings(self) -> PrivacySettings:
        row = (await self.connection.execute(select(privacy_settings).where(self.mine(privacy_settings)))).one_or_none()
        if row is None:
            return PrivacySettings()
        return PrivacySettings(
            row.erasure_grace_days,
            row.inactive_account_days,
            row.mail_days,
            row.sign_in_days,
            DirectoryInformation(row.directory_information),
        )

    async def save(self, settings: PrivacySettings) -> None:
        values = asdict(settings)
        await self.connection.execute(
            insert(privacy_settings)
            .values(organization_id=self.organization, **values)
            .on_conflict_do_update(index_elements=["organization_id"], set_=values)
        )

    async def forget_mails(self, before: datetime, most: int) -> int:
        old = select(mails.c.id).where(self.mine(mails), mails.c.state != MailState.WAITING, mails.c.settled_at < before)
        old = old.limit(most).with_for_update(skip_locked=True)
        return (await self.connection.execute(delete(mails).where(self.mine(mails), mails.c.id.in_(old)))).rowcount

    async def forget_sessions(self, before: datetime, most: int) -> int:
        later = sessions.alias("later")
        newer = (
            select(later.c.id)
            .where(
                later.c.organization_id == sessions.c.organization_id,
                later.c.user_id == sessions.c.user_id,
                tuple_(later.c.started_at, later.c.id) > tuple_(sessions.c.started_at, sessions.c.id),
            )
            .exists()
        )
        old = select(sessions.c.id).where(self.mine(sessions), sessions.c.expires_at < before, newer)
        old = old.limit(most).with_for_update(skip_locked=True)
        return (await self.connection.execute(delete(sessions).where(self.mine(sessions), sessions.c.id.in_(old)))).rowcount

    async def forget_answers(self, before: datetime, most: int) -> int:
        old = select(request_ledger.c.request_id).where(self.mine(request_ledger), request_ledger.c.create_time < before)
        old = old.limit(most).with_for_update(skip_locked=True)
        gone = delete(request_ledger).where(self.mine(request_ledger), request_ledger.c.request_id.in_(old))
        return (await self.connection.execute(gone)).rowcount


class PostgresDirectory(Directory):
    """For a unit of the platform: policies let it read which organizations and jobs there are, and change nothing."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def organizations(self, after: str, most: int) -> Sequence[str]:
        query = select(organizations.c.organization_id).where(organizations.c.organization_id > after)
        return list((await self._connection.execute(query.order_by(organizations.c.organization_id).limit(most))).scalars())

    async def due_jobs(self, now: datetime, most: int) -> Sequence[tuple[str, str]]:
        free = ~under_hold(privacy_jobs.c.organization_id, privacy_jobs.c.user_id)
        to_begin = and_(privacy_jobs.c.kind == JobKind.ERASURE, privacy_jobs.c.state == JobState.WAITING, free)
        to_remove = and_(privacy_jobs.c.kind == JobKind.EXPORT, privacy_jobs.c.state == JobState.SUCCEEDED)
        to_repeat = and_(
            privacy_jobs.c.kind == JobKind.ERASURE,
            privacy_jobs.c.state == JobState.SUCCEEDED,
            privacy_jobs.c.sealed_subject.is_not(None),
            privacy_jobs.c.finished_at <= now - ERASURE_REPEATED_AFTER,
            free,
        )
        query = select(privacy_jobs.c.organization_id, privacy_jobs.c.id).where(
            privacy_jobs.c.due_at <= now, or_(to_begin, to_remove, to_repeat)
        )
        rows = await self._connection.execute(query.order_by(privacy_jobs.c.due_at).limit(most))
        return [(row.organization_id, str(row.id)) for row in rows]


def _job_row(job: PrivacyJob) -> dict[str, Any]:
    return {
        "id": UUID(job.id),
        "kind": job.kind,
        "user_id": job.user,
        "requested_by": job.requested_by,
        "state": job.state,
        "created_at": job.created_at,
        "due_at": job.due_at,
        "finished_at": job.finished_at,
        "expires_at": job.expires_at,
        "receipts": [
            {"context": each.context, "at": each.at.isoformat(), "records": dict(each.records)} for each in job.receipts
        ],
        "digest": job.digest,
        "byte_count": job.byte_count,
    }


def _job(row: Row[Any]) -> PrivacyJob:
    return PrivacyJob(
        id=str(row.id),
        kind=JobKind(row.kind),
        user=row.user_id,
        requested_by=row.requested_by,
        created_at=row.created_at,
        due_at=row.due_at,
        state=JobState(row.state),
        receipts=tuple(Receipt(each["context"], datetime.fromisoformat(each["at"]), each["records"]) for each in row.receipts),
        finished_at=row.finished_at,
        expires_at=row.expires_at,
        digest=row.digest,
        byte_count=row.byte_count,
    )
