"""What people, their classes, invitations and mails need from outside."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from domain.identity.classes import Class, Member, Part
from domain.identity.invitations import Invitation
from domain.identity.mail import Mailer
from domain.identity.mail_queue import Mail, MailState
from domain.identity.people import Guardianship, Profile
from domain.shared.page import Page, PageRequest


class ProfileRepository(Protocol):
    """Profiles of the users of the unit's organization; `display_name` is the user's."""

    async def get(self, user_id: str) -> Profile:
        """Keeps others from changing the user until the unit ends. Raises UserNotFound."""
        ...

    async def save(self, profile: Profile) -> None: ...


class ClassRepository(Protocol):
    """Classes of the unit's organization and who is in them."""

    async def add(self, new: Class) -> None:
        """Raises ClassAlreadyExists."""

    async def get(self, class_id: str) -> Class:
        """Keeps others from changing it, or its members, until the unit ends. Raises ClassNotFound."""
        ...

    async def save(self, changed: Class) -> None: ...

    async def page(self, request: PageRequest, of: str | None = None) -> Page[Class]:
        """Ordered by id; the cursor is `(id,)`. With `of`, those only that this user teaches."""
        ...

    async def enrol(self, class_id: str, members: Sequence[Member]) -> frozenset[str]:
        """Adds those who have no part in the class and returns their ids."""
        ...

    async def withdraw(self, class_id: str, user_ids: Sequence[str]) -> frozenset[str]:
        """Returns the ids of those who were in it."""
        ...

    async def size(self, class_id: str) -> int: ...

    async def members(self, class_id: str, request: PageRequest) -> Page[Member]:
        """Ordered by user; the cursor is `(user,)`."""
        ...

    async def teachers(self, class_id: str) -> frozenset[str]: ...

    async def has(self, class_id: str, user_id: str, part: Part) -> bool: ...

    async def taught_by(self, user_id: str) -> frozenset[str]:
        """The learners of the classes, not archived, that the user teaches."""
        ...


class GuardianRepository(Protocol):
    async def link(self, guardianship: Guardianship) -> bool:
        """False if they were linked already."""
        ...

    async def unlink(self, guardian: str, learner: str) -> bool:
        """False if they were not linked."""
        ...

    async def guardians_of(self, learner: str) -> Sequence[Guardianship]: ...

    async def wards_of(self, guardian: str) -> frozenset[str]: ...


class InvitationRepository(Protocol):
    async def add(self, invitation: Invitation) -> None: ...

    async def get(self, invitation_id: str) -> Invitation:
        """Keeps others from changing it until the unit ends. Raises InvitationNotFound."""
        ...

    async def find(self, digest: bytes) -> Invitation | None:
        """By its link. Others wait until the unit ends: of two who use one link, one comes second."""
        ...

    async def open_for(self, email: str, now: datetime) -> Sequence[Invitation]:
        """Those that are still good for the address; others wait until the unit ends."""
        ...

    async def save(self, invitation: Invitation) -> None: ...

    async def page(self, request: PageRequest) -> Page[Invitation]:
        """Ordered by id; the cursor is `(id,)`."""
        ...


class MailRepository(Mailer, Protocol):
    """The mails of the unit's organization."""

    async def written_since(self, to: str, template: str, moment: datetime) -> bool:
        """Whether a mail of the kind was written to the address since then."""
        ...

    async def get(self, mail_id: str) -> Mail:
        """Keeps others from changing it until the unit ends. Raises MailNotFound."""
        ...

    async def save(self, mail: Mail) -> None: ...

    async def page(self, request: PageRequest, state: MailState | None) -> Page[Mail]:
        """The newest first; the cursor is `(created_at, id)`."""
        ...


class MailQueue(Protocol):
    """Platform-wide: the mails of every organization that wait to be delivered."""

    async def claim(self, now: datetime, most: int) -> Sequence[Mail]:
        """Returns mails that are due, one attempt more on each, and keeps them from others for CLAIM_LIFE once the unit commits."""
        ...

    async def settle(self, mail: Mail) -> None:
        """Notes what became of a mail, unless somebody else has settled it meanwhile."""

    async def forget_sent(self, now: datetime) -> None:
        """Drops those that were sent KEPT_AFTER_SENT ago."""


class MailCarrier(Protocol):
    async def carry(self, mail: Mail) -> None:
        """Hands a mail over to the mail server. Raises DeliveryFailed."""
