"""Identity in memory: the same promises as PostgreSQL, for one process. Units take turns, so races end as they would there."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self

from adapters.identity.memory_credentials import (
    CredentialState,
    MemoryChallenges,
    MemoryFactors,
    MemoryLinks,
)
from adapters.identity.memory_federation import FederationState, MemoryFederation, MemoryProviders
from adapters.identity.memory_people import (
    MemoryClasses,
    MemoryGuardians,
    MemoryInvitations,
    MemoryMailQueue,
    MemoryMails,
    MemoryProfiles,
    PeopleState,
)
from adapters.identity.memory_privacy import (
    MemoryConsents,
    MemoryDirectory,
    MemoryPersons,
    MemoryPrivacyJobs,
    MemoryRetention,
    NothingSealed,
    PrivacyState,
)
from adapters.identity.memory_programs import MemoryPrograms, MemoryProvisioning, ProgramState
from domain.identity.credential_ports import ChallengeRepository, FactorRepository, LinkRepository
from domain.identity.directory import DirectoryInformation
from domain.identity.events import IdentityEvent
from domain.identity.federation_ports import FederationRepository, ProviderRepository
from domain.identity.model import (
    PLATFORM,
    Account,
    EmailTaken,
    Organization,
    OrganizationAlreadyExists,
    OrganizationNotFound,
    User,
    UserNotFound,
)
from domain.identity.people import StaleOrganization
from domain.identity.people_ports import (
    ClassRepository,
    GuardianRepository,
    InvitationRepository,
    MailRepository,
    ProfileRepository,
)
from domain.identity.ports import (
    AccountRepository,
    EventOutbox,
    OrganizationRepository,
    OriginDirectory,
    SessionRepository,
    SigningKeyRepository,
    ThrottleRepository,
    UserRepository,
)
from domain.identity.privacy_ports import ConsentRepository, PersonRepository, PrivacyJobRepository, RetentionRepository
from domain.identity.programs_ports import ProgramRepository
from domain.identity.provisioning_ports import ProvisioningRepository
from domain.identity.sealing import SealingRepository
from domain.identity.sessions import (
    FAILURES_FORGOTTEN_AFTER,
    PresentedToken,
    Session,
    SessionNotFound,
    SigningKey,
    SignInThrottle,
)
from domain.identity.step_up import Authentication
from domain.shared.clock import Clock, system_clock
from domain.shared.page import Page, PageRequest


@dataclass
class Tenant:
    """What one organization owns. `tokens` are sessions' ids by digest, and whether the token is spent."""

    organization: Organization | None = None
    users: dict[str, User] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    tokens: dict[bytes, tuple[str, bool]] = field(default_factory=dict)
    events: list[IdentityEvent] = field(default_factory=list)
    credentials: CredentialState = field(default_factory=CredentialState)
    people: PeopleState = field(default_factory=PeopleState)
    federation: FederationState = field(default_factory=FederationState)
    programs: ProgramState = field(default_factory=ProgramState)
    privacy: PrivacyState = field(default_factory=PrivacyState)

    def copy(self) -> "Tenant":
        return Tenant(
            self.organization,
            dict(self.users),
            dict(self.hashes),
            dict(self.sessions),
            dict(self.tokens),
            list(self.events),
            self.credentials.copy(),
            self.people.copy(),
            self.federation.copy(),
            self.programs.copy(),
            self.privacy.copy(),
        )


@dataclass
class Platform:
    throttles: dict[str, SignInThrottle] = field(default_factory=dict)
    keys: dict[str, SigningKey] = field(default_factory=dict)
    events: list[IdentityEvent] = field(default_factory=list)

    def copy(self) -> "Platform":
        return Platform(dict(self.throttles), dict(self.keys), list(self.events))


class IdentityMemory:
    """The store; hands out units."""

    def __init__(self, clock: Clock = system_clock) -> None:
        self.clock = clock
        self.tenants: dict[str, Tenant] = {}
        self.platform = Platform()
        self.turn = asyncio.Lock()

    def unit(self, organization: str) -> "MemoryIdentityUnit":
        return MemoryIdentityUnit(self, organization)

    def platform_unit(self) -> "MemoryPlatformUnit":
        return MemoryPlatformUnit(self)

    def events(self, organization: str) -> list[IdentityEvent]:
        """What the organization's committed units have published, or those that belong to no organization."""
        if organization == PLATFORM:
            return self.platform.events
        return self.tenants.get(organization, Tenant()).events


class MemoryIdentityUnit:
    organizations: OrganizationRepository
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

    def __init__(self, memory: IdentityMemory, organization: str) -> None:
        self._memory = memory
        self._organization = organization

    async def commit(self) -> None:
        self._memory.tenants[self._organization] = self._tenant

    async def __aenter__(self) -> Self:
        await self._memory.turn.acquire()
        self._tenant = self._memory.tenants.get(self._organization, Tenant()).copy()
        self.organizations = MemoryOrganizations(self._tenant, self._organization)
        self.users = MemoryUsers(self._tenant)
        self.accounts = MemoryAccounts(self._tenant)
        self.sessions = MemorySessions(self._tenant)
        self.factors = MemoryFactors(self._tenant.credentials)
        self.challenges = MemoryChallenges(self._tenant.credentials)
        self.links = MemoryLinks(self._tenant.credentials)
        people = self._tenant.people
        self.profiles = MemoryProfiles(people, self._tenant.users)
        self.classes = MemoryClasses(people)
        self.guardians = MemoryGuardians(people)
        self.invitations = MemoryInvitations(people)
        self.mails = MemoryMails(people, self._tenant.credentials.mails, self._organization, self._memory.clock)
        self.providers = MemoryProviders(self._tenant.federation)
        self.federation = MemoryFederation(self._tenant.federation)
        self.programs = MemoryPrograms(self._tenant.programs)
        self.provisioned = MemoryProvisioning(self._tenant.programs, people, self._tenant.users)
        self.events = MemoryEvents(self._tenant)
        self.sealing = NothingSealed()
        self.persons = MemoryPersons(self._tenant)
        self.privacy_jobs = MemoryPrivacyJobs(self._tenant.privacy)
        self.consents = MemoryConsents(self._tenant.privacy)
        self.retention = MemoryRetention(self._tenant)
        return self

    async def __aexit__(self, *error: object) -> None:
        self._memory.turn.release()


class MemoryPlatformUnit:
    throttles: ThrottleRepository
    signing_keys: SigningKeyRepository
    mail_queue: MemoryMailQueue
    directory: MemoryDirectory
    origins: OriginDirectory
    events: EventOutbox

    def __init__(self, memory: IdentityMemory) -> None:
        self._memory = memory

    async def commit(self) -> None:
        self._memory.platform = self._platform
        self.mail_queue.apply()

    async def __aenter__(self) -> Self:
        await self._memory.turn.acquire()
        self._platform = self._memory.platform.copy()
        self.throttles = MemoryThrottles(self._platform)
        self.signing_keys = MemorySigningKeys(self._platform)
        tenants = self._memory.tenants
        people = {organization: tenant.people for organization, tenant in tenants.items()}
        self.mail_queue = MemoryMailQueue(people, lambda organization: tenants[organization].organization)
        self.directory = MemoryDirectory(tenants)
        self.origins = MemoryOrigins(tenants)
        self.events = MemoryEvents(self._platform)
        return self

    async def __aexit__(self, *error: object) -> None:
        self._memory.turn.release()


class _OfTenant:
    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant


class MemoryOrigins(OriginDirectory):
    def __init__(self, tenants: Mapping[str, Tenant]) -> None:
        self._tenants = tenants

    async def allowing(self, origin: str) -> Sequence[str]:
        there = ((id, tenant.organization) for id, tenant in sorted(self._tenants.items()))
        return [id for id, organization in there if organization and origin in organization.settings.allowed_origins]


class MemoryOrganizations(OrganizationRepository):
    def __init__(self, tenant: Tenant, organization: str) -> None:
        self._tenant = tenant
        self._organization = organization

    async def found(self, organization: Organization) -> None:
        if self._tenant.organization is not None:
            raise OrganizationAlreadyExists(f"there is an organization {organization.id} already")
        self._tenant.organization = organization

    async def get(self) -> Organization:
        if self._tenant.organization is None:
            raise OrganizationNotFound(f"no organization {self._organization}")
        return self._tenant.organization

    async def exists(self) -> bool:
        return self._tenant.organization is not None

    async def save(self, organization: Organization) -> None:
        if organization.revision != (await self.get()).revision + 1:
            raise StaleOrganization
        self._tenant.organization = organization


class MemoryUsers(_OfTenant, UserRepository):
    async def add(self, users: Sequence[User]) -> frozenset[str]:
        free = [user for user in users if user.id not in self._tenant.users]
        for user in free:
            self._put(user)
        return frozenset(user.id for user in free)

    async def get(self, user_id: str) -> User:
        try:
            return self._tenant.users[user_id]
        except KeyError:
            raise UserNotFound(f"no user {user_id}") from None

    async def find(self, user_ids: Sequence[str]) -> Sequence[User]:
        return [self._tenant.users[each] for each in user_ids if each in self._tenant.users]

    async def page(self, request: PageRequest, only: frozenset[str] | None = None) -> Page[User]:
        after = request.after[0] if request.after is not None else ""
        shown_ids = (each for each in sorted(self._tenant.users) if only is None or each in only)
        found = [self._tenant.users[each] for each in shown_ids if each > after]
        shown = tuple(found[: request.size])
        return Page(shown, (shown[-1].id,) if len(found) > request.size else None)

    async def save(self, user: User) -> None:
        self._put(user)

    async def with_emails(self, emails: Sequence[str]) -> frozenset[str]:
        return frozenset(emails) & {user.email for user in self._tenant.users.values() if user.email is not None}

    async def directory_choices(self, user_ids: Sequence[str]) -> Mapping[str, DirectoryInformation]:
        return {each.id: each.directory for each in await self.find(user_ids) if each.directory is not None}

    async def administrators(self) -> frozenset[str]:
        return frozenset(user.id for user in self._tenant.users.values() if user.administers)

    def _put(self, user: User) -> None:
        others = (other.email for other in self._tenant.users.values() if other.id != user.id)
        if user.email is not None and user.email in others:
            raise EmailTaken("another user has this e-mail address")
        self._tenant.users[user.id] = user


class MemoryAccounts(_OfTenant, AccountRepository):
    async def find(self, login: str) -> Account | None:
        if "@" in login:
            user = next((each for each in self._tenant.users.values() if each.email == login.lower()), None)
        else:
            user = self._tenant.users.get(login)
        return None if user is None else Account(user, self._tenant.hashes.get(user.id))

    async def set_password(self, user_id: str, password_hash: str, now: datetime) -> None:
        self._tenant.hashes[user_id] = password_hash

    async def replace_hash(self, user_id: str, old: str, new: str) -> None:
        if self._tenant.hashes.get(user_id) == old:
            self._tenant.hashes[user_id] = new


class MemorySessions(_OfTenant, SessionRepository):
    async def start(self, session: Session, digest: bytes) -> None:
        self._tenant.sessions[session.id] = session
        self._tenant.tokens[digest] = (session.id, False)

    async def find(self, session_id: str, digest: bytes) -> PresentedToken | None:
        session = self._tenant.sessions.get(session_id)
        owner, spent = self._tenant.tokens.get(digest, ("", False))
        return PresentedToken(session, spent) if session is not None and owner == session_id else None

    async def rotate(self, session: Session, spent: bytes, fresh: bytes) -> None:
        self._tenant.sessions[session.id] = session
        self._tenant.tokens[spent] = (session.id, True)
        self._tenant.tokens[fresh] = (session.id, False)

    async def get(self, session_id: str, user_id: str) -> Session:
        session = self._tenant.sessions.get(session_id)
        if session is None or session.user != user_id:
            raise SessionNotFound(f"no session {session_id}")
        return session

    async def page(self, user_id: str, request: PageRequest, now: datetime) -> Page[Session]:
        after = request.after[0] if request.after is not None else ""
        own = [each for each in self._tenant.sessions.values() if each.user == user_id and each.lives(now) and each.id > after]
        own.sort(key=lambda session: session.id)
        shown = tuple(own[: request.size])
        return Page(shown, (shown[-1].id,) if len(own) > request.size else None)

    async def authenticate(self, session_id: str, authentication: Authentication) -> None:
        self._tenant.sessions[session_id] = replace(self._tenant.sessions[session_id], authentication=authentication)

    async def end(self, session_id: str) -> None:
        self._tenant.sessions.pop(session_id, None)
        for digest in [digest for digest, (owner, _) in self._tenant.tokens.items() if owner == session_id]:
            del self._tenant.tokens[digest]

    async def end_all(self, user_id: str, but: str | None = None) -> Sequence[str]:
        ended = [each.id for each in self._tenant.sessions.values() if each.user == user_id and each.id != but]
        for session_id in ended:
            await self.end(session_id)
        return ended

    async def forget_expired(self, user_id: str, now: datetime) -> None:
        for session in list(self._tenant.sessions.values()):
            if session.user == user_id and not session.lives(now):
                await self.end(session.id)


class MemoryEvents(EventOutbox):
    def __init__(self, publisher: Tenant | Platform) -> None:
        self._publisher = publisher

    async def add(self, events: Sequence[IdentityEvent]) -> None:
        self._publisher.events.extend(events)


class MemoryThrottles(ThrottleRepository):
    def __init__(self, platform: Platform) -> None:
        self._throttles = platform.throttles

    async def peek(self, key: str) -> SignInThrottle:
        return self._throttles.get(key, SignInThrottle(key))

    async def get(self, key: str) -> SignInThrottle:
        return await self.peek(key)

    async def save(self, throttle: SignInThrottle) -> None:
        self._throttles[throttle.key] = throttle
        now = throttle.last_failure_at
        for old in list(self._throttles.values()):
            if now is not None and old.last_failure_at is not None and old.last_failure_at < now - FAILURES_FORGOTTEN_AFTER:
                del self._throttles[old.key]

    async def clear(self, key: str) -> None:
        self._throttles.pop(key, None)


class MemorySigningKeys(SigningKeyRepository):
    def __init__(self, platform: Platform) -> None:
        self._keys = platform.keys

    async def all(self) -> Sequence[SigningKey]:
        return sorted(self._keys.values(), key=lambda key: key.not_before)

    async def lock(self) -> None:
        """Units take turns as it is."""

    async def save(self, key: SigningKey) -> None:
        known = self._keys.get(key.kid)
        self._keys[key.kid] = key if known is None else replace(known, retire_at=key.retire_at)

    async def forget_retired(self, now: datetime) -> None:
        for key in list(self._keys.values()):
            if not key.listed(now):
                del self._keys[key.kid]
