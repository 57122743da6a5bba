"""What identity needs from outside."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol, Self

from domain.identity.credential_ports import ChallengeRepository, FactorRepository, LinkRepository
from domain.identity.directory import DirectoryInformation
from domain.identity.events import IdentityEvent
from domain.identity.federation_ports import FederationRepository, ProviderRepository
from domain.identity.model import Account, Organization, User
from domain.identity.people_ports import (
    ClassRepository,
    GuardianRepository,
    InvitationRepository,
    MailQueue,
    MailRepository,
    ProfileRepository,
)
from domain.identity.privacy_ports import (
    ConsentRepository,
    Directory,
    PersonRepository,
    PrivacyJobRepository,
    RetentionRepository,
)
from domain.identity.programs import Grant
from domain.identity.programs_ports import ProgramRepository
from domain.identity.provisioning_ports import ProvisioningRepository
from domain.identity.sealing import SealingRepository
from domain.identity.sessions import PresentedToken, Session, SigningKey, SignInThrottle
from domain.identity.step_up import Authentication
from domain.shared.caller import Role
from domain.shared.page import Page, PageRequest
from domain.shared.plans import Plan, Quota


class OrganizationRepository(Protocol):
    """Sees the unit's own organization only."""

    async def found(self, organization: Organization) -> None:
        """Raises OrganizationAlreadyExists."""

    async def get(self) -> Organization:
        """Raises OrganizationNotFound."""
        ...

    async def exists(self) -> bool: ...

    async def save(self, organization: Organization) -> None:
        """Raises StaleOrganization unless the organization's revision is the one before."""


class QuotaRepository(Protocol):
    """What the unit's organization may have, and what it has."""

    async def plan(self) -> Plan:
        """STANDARD if there is no such organization."""
        ...

    async def hold(self, quota: Quota) -> None:
        """Waits until nobody else is adding what the quota counts, and keeps others from it until the unit ends.

        Whoever locks rows as well does this first, so that two never wait for each other.
        """

    async def used(self, quota: Quota) -> int: ...


class UserRepository(Protocol):
    """Users of the unit's organization."""

    async def add(self, users: Sequence[User]) -> frozenset[str]:
        """Adds those whose id is free and returns their ids; leaves the others as they are. An erased person's id is never free again.
        Raises EmailTaken."""
        ...

    async def get(self, user_id: str) -> User:
        """Keeps others from changing the user until the unit ends. Raises UserNotFound."""
        ...

    async def find(self, user_ids: Sequence[str]) -> Sequence[User]:
        """Those there are, in any order."""
        ...

    async def page(self, request: PageRequest, only: frozenset[str] | None = None) -> Page[User]:
        """Ordered by id; the cursor is `(id,)`. With `only`, no others than these."""
        ...

    async def with_emails(self, emails: Sequence[str]) -> frozenset[str]:
        """Those of the (normalised) addresses that users have."""
        ...

    async def directory_choices(self, user_ids: Sequence[str]) -> Mapping[str, DirectoryInformation]:
        """What was chosen about the directory information of these users; nothing of those about whom nobody has."""
        ...

    async def save(self, user: User) -> None:
        """Raises EmailTaken."""

    async def administrators(self) -> frozenset[str]:
        """Ids of the active users with the role ADMIN. None can stop being one until the unit ends.

        Ask before `get`, so that two who change two administrators wait for each other in the same order.
        """
        ...


class AccountRepository(Protocol):
    """What the users of the unit's organization sign in with."""

    async def find(self, login: str) -> Account | None:
        """By user id, or by e-mail address in lower case."""
        ...

    async def set_password(self, user_id: str, password_hash: str, now: datetime) -> None: ...

    async def replace_hash(self, user_id: str, old: str, new: str) -> None:
        """For the same password; does nothing if the password was changed meanwhile."""


class SessionRepository(Protocol):
    """Sessions of the unit's organization and the digests of every refresh token they have had."""

    async def start(self, session: Session, digest: bytes) -> None: ...

    async def find(self, session_id: str, digest: bytes) -> PresentedToken | None:
        """Returns the session if it had this token. Others wait until the unit ends: of two with one token, one comes second."""
        ...

    async def rotate(self, session: Session, spent: bytes, fresh: bytes) -> None:
        """Saves the session, with one token spent and another one good."""

    async def get(self, session_id: str, user_id: str) -> Session:
        """Keeps others from changing it until the unit ends. Raises SessionNotFound, also for another user's."""
        ...

    async def page(self, user_id: str, request: PageRequest, now: datetime) -> Page[Session]:
        """The user's that live, ordered by id; the cursor is `(id,)`."""
        ...

    async def authenticate(self, session_id: str, authentication: Authentication) -> None:
        """Notes a fresh proof of who the session's user is."""

    async def end(self, session_id: str) -> None:
        """Ending what has ended is no error."""

    async def end_all(self, user_id: str, but: str | None = None) -> Sequence[str]:
        """Returns the ids of those it ended."""
        ...

    async def forget_expired(self, user_id: str, now: datetime) -> None: ...


class ThrottleRepository(Protocol):
    """Platform-wide: sees every organization's."""

    async def peek(self, key: str) -> SignInThrottle:
        """As it stands; without failures if it is not known."""
        ...

    async def get(self, key: str) -> SignInThrottle:
        """Like peek, but others wait until the unit ends, even if it is not known."""
        ...

    async def save(self, throttle: SignInThrottle) -> None:
        """Also drops some that are forgotten by now, so that invented names do not pile up."""

    async def clear(self, key: str) -> None: ...


class SigningKeyRepository(Protocol):
    """Platform-wide."""

    async def all(self) -> Sequence[SigningKey]: ...

    async def lock(self) -> None:
        """Waits until nobody else is changing keys, and keeps others from it until the unit ends."""

    async def save(self, key: SigningKey) -> None: ...

    async def forget_retired(self, now: datetime) -> None: ...


class EventOutbox(Protocol):
    async def add(self, events: Sequence[IdentityEvent]) -> None:
        """They are published if, and only if, the unit commits."""


class IdentityUnit(Protocol):
    """One transaction in one organization; leaving it without commit() undoes it."""

    organizations: OrganizationRepository
    quotas: QuotaRepository
    users: UserRepository
    accounts: AccountRepository
    sessions: SessionRepository
    factors: FactorRepository
    challenges: ChallengeRepository
    links: LinkRepository
    profiles: ProfileRepository
    classes: ClassRepository
    guardians: GuardianRepository
    invitations: InvitationRepository
    mails: MailRepository
    providers: ProviderRepository
    federation: FederationRepository
    programs: ProgramRepository
    provisioned: ProvisioningRepository
    events: EventOutbox
    sealing: SealingRepository
    persons: PersonRepository
    privacy_jobs: PrivacyJobRepository
    consents: ConsentRepository
    retention: RetentionRepository

    async def commit(self) -> None: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *error: object) -> None: ...


class OriginDirectory(Protocol):
    """Sees every organization's settings."""

    async def allowing(self, origin: str) -> Sequence[str]:
        """Ids of the organizations that allow the origin, in order, at most a hundred."""
        ...


class PlatformUnit(Protocol):
    """One transaction on what belongs to no organization.

    It stands on its own: what it commits stays, whatever becomes of the request around it (a failed sign-in must count).
    """

    throttles: ThrottleRepository
    signing_keys: SigningKeyRepository
    mail_queue: MailQueue
    directory: Directory
    origins: OriginDirectory
    events: EventOutbox

    async def commit(self) -> None: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *error: object) -> None: ...


class UsageElsewhere(Protocol):
    """Another context that counts."""

    async def of(self, organization: str) -> Mapping[Quota, int]:
        """Raises Unavailable."""
        ...


NewUnit = Callable[[str], AbstractAsyncContextManager[IdentityUnit]]
NewPlatformUnit = Callable[[], AbstractAsyncContextManager[PlatformUnit]]


class PasswordHasher(Protocol):
    """Slow on purpose, and off the event loop. Raises LimitReached when too many wait."""

    async def hash(self, password: str) -> str: ...

    async def verify(self, password: str, password_hash: str | None) -> bool:
        """False for None, after the same work."""
        ...

    async def guessability(self, password: str, personal: Sequence[str]) -> int:
        """0, guessed at once, to 4, by nobody: how many guesses an attacker needs who knows these words (zxcvbn's score)."""
        ...

    def outdated(self, password_hash: str) -> bool:
        """Whether it was made with weaker parameters than today's."""
        ...


class TokenSigner(Protocol):
    """Makes key pairs and signs access tokens with them."""

    def new_key(self, not_before: datetime) -> SigningKey: ...

    def opens(self, key: SigningKey) -> bool:
        """Whether the private part can be unsealed: not if the key that sealed it was lost or replaced."""
        ...

    def sign(
        self,
        key: SigningKey,
        organization: str,
        user: str,
        roles: frozenset[Role],
        session: str,
        now: datetime,
        authentication: Authentication | None = None,
        grant: Grant | None = None,
        plan: Plan = Plan.STANDARD,
    ) -> str:
        """Returns a JWT good for ACCESS_TOKEN_LIFE; it says when and how the user proved who they are, or what a program was granted, and
        which plan the organization has."""
        ...


NewSecret = Callable[[], str]
"""Returns 256 random bits in base64url."""
