"""Identity in memory: the same promises as PostgreSQL, for one process. Units take turns, so races end as they would there."""

import asyncio
from typing import Self

from adapters.identity.memory_credentials import (
    MemoryChallenges,
    MemoryFactors,
    MemoryLinks,
)
from adapters.identity.memory_federation import MemoryFederation, MemoryProviders
from adapters.identity.memory_people import (
    MemoryClasses,
    MemoryGuardians,
    MemoryInvitations,
    MemoryMailQueue,
    MemoryMails,
    MemoryProfiles,
)
from adapters.identity.memory_privacy import (
    MemoryConsents,
    MemoryDirectory,
    MemoryPersons,
    MemoryPrivacyJobs,
    MemoryRetention,
    NothingSealed,
)
from adapters.identity.memory_programs import MemoryPrograms, MemoryProvisioning
from adapters.identity.memory_quotas import MemoryQuotas
from adapters.identity.memory_sessions import MemorySessions, MemorySigningKeys, MemoryThrottles
from adapters.identity.memory_sign_ins import MemorySignIns
from adapters.identity.memory_tenant import MemoryEvents, Platform, Tenant
from adapters.identity.memory_users import MemoryAccounts, MemoryOrganizations, MemoryOrigins, MemoryUsers
from domain.identity.credential_ports import ChallengeRepository, FactorRepository, LinkRepository
from domain.identity.events import IdentityEvent
from domain.identity.federation_ports import FederationRepository, ProviderRepository
from domain.identity.model import (
    PLATFORM,
)
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
    QuotaRepository,
    SessionRepository,
    SigningKeyRepository,
    ThrottleRepository,
    UserRepository,
)
from domain.identity.privacy_ports import ConsentRepository, PersonRepository, PrivacyJobRepository, RetentionRepository
from domain.identity.programs_ports import ProgramRepository
from domain.identity.provisioning_ports import ProvisioningRepository
from domain.identity.sealing import SealingRepository
from domain.shared.clock import Clock, system_clock


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

    def sign_ins(self) -> MemorySignIns:
        return MemorySignIns(self)

    def events(self, organization: str) -> list[IdentityEvent]:
        """What the organization's committed units have published, or those that belong to no organization."""
        if organization == PLATFORM:
            return self.platform.events
        return self.tenants.get(organization, Tenant()).events


class MemoryIdentityUnit:
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

    def __init__(self, memory: IdentityMemory, organization: str) -> None:
        self._memory = memory
        self._organization = organization

    async def commit(self) -> None:
        self._memory.tenants[self._organization] = self._tenant

    async def __aenter__(self) -> Self:
        await self._memory.turn.acquire()
        self._tenant = self._memory.tenants.get(self._organization, Tenant()).copy()
        self.organizations = MemoryOrganizations(self._tenant, self._organization)
        self.quotas = MemoryQuotas(self._tenant.organization, self._tenant.users, self._tenant.people, self._tenant.programs)
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
