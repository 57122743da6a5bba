"""What privacy needs from outside."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from domain.identity.consents import Consent, Purpose
from domain.identity.privacy import JobKind, PrivacyJob
from domain.identity.privacy_settings import PrivacySettings
from domain.shared.page import Page, PageRequest
from domain.shared.personal_data import Records


class PrivacyJobRepository(Protocol):
    """Jobs of the unit's organization."""

    async def add(self, job: PrivacyJob) -> None: ...

    async def get(self, job_id: str) -> PrivacyJob:
        """Keeps others from changing it until the unit ends. Raises PrivacyJobNotFound."""
        ...

    async def open_of(self, user_id: str, kind: JobKind) -> PrivacyJob | None:
        """The one of this kind that has not ended, if there is one. Whoever asks gets the user first."""
        ...

    async def of(self, user_id: str) -> Sequence[PrivacyJob]:
        """All of a user's."""
        ...

    async def save(self, job: PrivacyJob) -> None: ...

    async def page(self, request: PageRequest) -> Page[PrivacyJob]:
        """Ordered by id; the cursor is `(id,)`."""
        ...


class PersonRepository(Protocol):
    """Everything that identity has about one person."""

    async def records(self, user_id: str) -> Records:
        """By what they are; names and addresses in plain text, no secrets."""
        ...

    async def erase(self, user_id: str, pseudonym: str, now: datetime) -> Mapping[str, int]:
        """Destroys the person's key and whatever names them, and leaves a deactivated user under the pseudonym in their place.

        Returns how many records it removed or changed, by what they were; nothing for a user who is not there.
        """
        ...

    async def inactive_since(self, moment: datetime, most: int) -> Sequence[str]:
        """Users who can sign in by a password, were made and last seen before then, and are not waiting to be erased; no administrators."""
        ...


class ConsentRepository(Protocol):
    async def publish(self, purpose: Purpose) -> None:
        """Raises Conflict if somebody published the same version meanwhile."""

    async def newest(self, purpose_id: str) -> Purpose | None: ...

    async def purposes(self) -> Sequence[Purpose]:
        """The newest version of each, ordered by id."""
        ...

    async def add(self, consent: Consent) -> None: ...

    async def of(self, user_id: str) -> Sequence[Consent]:
        """Oldest first."""
        ...


class RetentionRepository(Protocol):
    async def settings(self) -> PrivacySettings:
        """The usual ones where the organization has chosen none."""
        ...

    async def save(self, settings: PrivacySettings) -> None: ...

    async def forget_mails(self, before: datetime, most: int) -> int:
        """Removes mails that were settled before then. Returns how many."""
        ...

    async def forget_sessions(self, before: datetime, most: int) -> int:
        """Removes sessions that expired before then, but for each person's newest. Returns how many."""
        ...

    async def forget_answers(self, before: datetime, most: int) -> int:
        """Removes what the request ledger has kept since before then. Returns how many."""
        ...


class Directory(Protocol):
    """Platform-wide: which organizations there are, and which of their jobs are due. Ids only."""

    async def organizations(self, after: str, most: int) -> Sequence[str]:
        """Ordered by id."""
        ...

    async def due_jobs(self, now: datetime, most: int) -> Sequence[tuple[str, str]]:
        """Organizations and ids of erasures to begin, or to tell of a second time, and of exports to remove."""
        ...


class PersonalFiles(Protocol):
    """Where exports are put together: a private place, sealed but for the finished file, whose links end."""

    async def part(self, organization: str, job_id: str, context: str) -> bytes:
        """What a context put there. Raises Unavailable."""
        ...

    async def put_archive(self, organization: str, job_id: str, archive: bytes) -> None:
        """Raises Unavailable."""

    async def link(self, organization: str, job_id: str) -> str:
        """Returns an address that is good for 15 minutes to whoever has it."""
        ...

    async def delete(self, organization: str, job_id: str) -> None:
        """Removes the parts and the archive. Raises Unavailable."""

    async def delete_parts(self, organization: str, job_id: str) -> None:
        """Raises Unavailable."""
