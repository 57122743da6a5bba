"""Jobs of privacy: the export of everything about a person, and the erasure of one. Every context does its part and tells what it did."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from domain.shared.errors import NotAllowedNow, NotFound

IDENTITY = "identity"
PARTIES = frozenset({IDENTITY, "assessment", "progress", "scheduler", "paths", "analytics", "inference"})
"""The contexts that know people by name."""

EXPORT_KEPT = timedelta(days=7)
ERASURE_REPEATED_AFTER = timedelta(days=1)
"""What was on its way to a context when it erased the person, and names them again, has arrived by then."""
BY_RETENTION = "-"
"""Stands for the user who asked, where the organization's retention period did."""


class PrivacyJobNotFound(NotFound):
    reason = "PRIVACY_JOB_NOT_FOUND"

    def __init__(self, job_id: str) -> None:
        super().__init__(f"no privacy job {job_id}")


class ErasureNotCancellable(NotAllowedNow):
    reason = "ERASURE_NOT_CANCELLABLE"


class JobKind(StrEnum):
    EXPORT = "EXPORT"
    ERASURE = "ERASURE"


class JobState(StrEnum):
    WAITING = "WAITING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


OPEN = frozenset({JobState.WAITING, JobState.RUNNING})


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a context did: how many records, by what they are."""

    context: str
    at: datetime
    records: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class PrivacyJob:
    """`user` is the person's pseudonym once the erasure has begun; `subject` is who it was, kept until the contexts are told a second time.

    `digest` (SHA-256, hexadecimal) and `byte_count` are of an export's file.
    """

    id: str
    kind: JobKind
    user: str
    requested_by: str
    created_at: datetime
    due_at: datetime
    state: JobState = JobState.WAITING
    receipts: tuple[Receipt, ...] = field(default=())
    finished_at: datetime | None = None
    expires_at: datetime | None = None
    digest: str = ""
    byte_count: int = 0
    subject: str = ""

    @property
    def pseudonym(self) -> str:
        """Takes the place of an erased person's id. It follows from the job, which is random: from it, nobody finds the person."""
        return f"erased-{UUID(self.id).hex}"

    @property
    def done(self) -> frozenset[str]:
        return frozenset(each.context for each in self.receipts)

    @property
    def progress(self) -> float:
        """The share of contexts that have done their part, in [0, 1]."""
        return len(self.done & PARTIES) / len(PARTIES)

    @property
    def complete(self) -> bool:
        return self.done >= PARTIES

    def cancelled(self, now: datetime) -> "PrivacyJob":
        if self.kind is not JobKind.ERASURE or self.state is not JobState.WAITING:
            raise ErasureNotCancellable(
                f"privacy job {self.id} is {self.kind} and {self.state}: only a waiting erasure is cancelled"
            )
        return replace(self, state=JobState.CANCELLED, finished_at=now)

    def begun(self) -> "PrivacyJob":
        """An erasure shows no more whose it is, nor who asked if that was the person."""
        if self.kind is JobKind.EXPORT:
            return replace(self, state=JobState.RUNNING)
        by = self.pseudonym if self.requested_by == self.user else self.requested_by
        return replace(self, state=JobState.RUNNING, user=self.pseudonym, requested_by=by, subject=self.user)

    def repeated(self) -> "PrivacyJob":
        """An erasure that the contexts were told of twice has forgotten whose it was."""
        return replace(self, subject="")

    def with_receipt(self, receipt: Receipt) -> "PrivacyJob":
        """The first receipt of a context counts; of work done again there is nothing to tell."""
        return self if receipt.context in self.done else replace(self, receipts=(*self.receipts, receipt))

    def erased(self, now: datetime) -> "PrivacyJob":
        return replace(self, state=JobState.SUCCEEDED, finished_at=now)

    def exported(self, digest: str, byte_count: int, now: datetime) -> "PrivacyJob":
        return replace(
            self,
            state=JobState.SUCCEEDED,
            finished_at=now,
            expires_at=now + EXPORT_KEPT,
            due_at=now + EXPORT_KEPT,
            digest=digest,
            byte_count=byte_count,
        )

    def expired(self) -> "PrivacyJob":
        return replace(self, state=JobState.EXPIRED)
