"""Identity in PostgreSQL: one unit for what an organization owns, one for what the platform owns."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Self

from sqlalchemy import LargeBinary, Text, any_, literal, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adapters.identity.kafka import envelopes
from adapters.identity.personal_keys import OpenedKeys, OrganizationKeys
from adapters.identity.postgres_credentials import PostgresChallenges, PostgresFactors
from adapters.identity.postgres_federation import PostgresFederation, PostgresProviders
from adapters.identity.postgres_links import PostgresLinks
from adapters.identity.postgres_mails import PostgresMailQueue, PostgresMails
from adapters.identity.postgres_origins import PostgresOrigins
from adapters.identity.postgres_people import PostgresClasses, PostgresGuardians, PostgresInvitations, PostgresProfiles
from adapters.identity.postgres_persons import PostgresPersons
from adapters.identity.postgres_privacy import PostgresConsents, PostgresDirectory, PostgresPrivacyJobs, PostgresRetention
from adapters.identity.postgres_privacy_tables import erased_people
from adapters.identity.postgres_programs import PostgresPrograms
from adapters.identity.postgres_provisioning import PostgresProvisioning
from adapters.identity.postgres_quotas import PostgresQuotas
from adapters.identity.postgres_sealed import SealedPeople
from adapters.identity.postgres_sealing import PostgresSealing
from adapters.identity.postgres_sessions import PostgresSessions, PostgresSigningKeys, PostgresThrottles
from adapters.identity.postgres_tables import Repository, organizations, passwords, users
from adapters.identity.vault import SecretKeyVault
from adapters.shared.erased_people import digest_of
from adapters.shared.outbox import add_to_outbox
from adapters.shared.postgres import BIND_ORGANIZATION, PostgresUnit, ambient_connection
from domain.identity.credential_ports import ChallengeRepository, FactorRepository, LinkRepository, Vault
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
    MailQueue,
    MailRepository,
    ProfileRepository,
)
from domain.identity.people_settings import OrganizationSettings, SignUpPolicy, TeachersSee
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
from domain.identity.privacy_ports import (
    ConsentRepository,
    Directory,
    PersonRepository,
    PrivacyJobRepository,
    RetentionRepository,
)
from domain.identity.programs_ports import ProgramRepository
from domain.identity.provisioning_ports import ProvisioningRepository
from domain.identity.sealing import SealingRepository
from domain.shared.page import Page, PageRequest
from domain.shared.plans import plan_named

_BOUND_ORGANIZATION = text("SELECT current_setting('paideia.organization', true)")


def _refusal(error: IntegrityError) -> Exception:
    constraint = getattr(getattr(error.orig, "__cause__", None), "constraint_name", None)
    return EmailTaken("another user has this e-mail address") if constraint == "users_email" else error


class PostgresOrganizations(Repository, OrganizationRepository):
    async def found(self, organization: Organization) -> None:
        founded = await self.connection.execute(
            insert(organizations)
            .values(organization_id=organization.id, display_name=organization.display_name, founded_at=organization.founded_at)
            .on_conflict_do_nothing()
        )
        if not founded.rowcount:
            raise OrganizationAlreadyExists(f"there is an organization {organization.id} already")

    async def get(self) -> Organization:
        row = (await self.connection.execute(select(organizations).where(self.mine(organizations)))).one_or_none()
        if row is None:
            raise OrganizationNotFound(f"no organization {self.organization}")
        settings = OrganizationSettings(
            row.locale,
            row.time_zone,
            SignUpPolicy(row.sign_up),
            tuple(row.sign_up_domains),
            TeachersSee(row.teachers_see),
            tuple(row.allowed_origins),
        )
        plan = plan_named(row.plan)
        return Organization(row.organization_id, row.display_name, row.founded_at, settings, row.revision, plan)

    async def save(self, organization: Organization) -> None:
        settings = organization.settings
        changed = await self.connection.execute(
            update(organizations)
            .where(self.mine(organizations), organizations.c.revision == organization.revision - 1)
            .values(
                display_name=organization.display_name,
                locale=settings.locale,
                time_zone=settings.time_zone,
                sign_up=settings.sign_up,
                sign_up_domains=list(settings.sign_up_domains),
                teachers_see=settings.teachers_see,
                allowed_origins=list(settings.allowed_origins),
                revision=organization.revision,
                plan=organization.plan,
            )
        )
        if not changed.rowcount:
            raise StaleOrganization

    async def exists(self) -> bool:
        return (await self.connection.execute(select(literal(1)).where(self.mine(organizations)))).first() is not None


class PostgresUsers(Repository, UserRepository):
    def __init__(self, connection: AsyncConnection, keys: OrganizationKeys) -> None:
        super().__init__(connection, keys.organization)
        self._keys = keys
        self._people = SealedPeople(connection, keys)

    async def add(self, users_to_add: Sequence[User]) -> frozenset[str]:
        await self._people.check_free(users_to_add)
        erased = await self._erased(users_to_add)
        # In one order, so that two batches that overlap wait for each other instead of locking each other out.
        free = sorted((user for user in users_to_add if user.id not in erased), key=lambda user: user.id)
        if not free:
            return frozenset()
        rows = [await self._people.row(user) for user in free]
        statement = insert(users).on_conflict_do_nothing(index_elements=["organization_id", "id"]).returning(users.c.id)
        try:
            return frozenset((await self.connection.execute(statement, rows)).scalars())
        except IntegrityError as error:
            raise _refusal(error) from error

    async def get(self, user_id: str) -> User:
        query = select(users).where(self.mine(users), users.c.id == user_id).with_for_update()
        row = (await self.connection.execute(query)).one_or_none()
        if row is None:
            raise UserNotFound(f"no user {user_id}")
        return await self._people.user(row)

    async def find(self, user_ids: Sequence[str]) -> Sequence[User]:
        ids = literal(list(user_ids), ARRAY(Text))
        rows = await self.connection.execute(select(users).where(self.mine(users), users.c.id == any_(ids)))
        return [await self._people.user(row) for row in rows]

    async def _erased(self, users_to_add: Sequence[User]) -> frozenset[str]:
        """The ids that were those of people who were erased."""
        ids = {digest_of(self.organization, user.id): user.id for user in users_to_add}
        known = erased_people.c.digest == any_(literal(list(ids), ARRAY(LargeBinary)))
        rows = await self.connection.execute(select(erased_people.c.digest).where(self.mine(erased_people), known))
        return frozenset(ids[bytes(each)] for each in rows.scalars())

    async def page(self, request: PageRequest, only: frozenset[str] | None = None) -> Page[User]:
        query = select(users).where(self.mine(users)).order_by(users.c.id).limit(request.size + 1)
        if only is not None:
            query = query.where(users.c.id == any_(literal(sorted(only), ARRAY(Text))))
        if request.after is not None:
            query = query.where(users.c.id > request.after[0])
        found = [await self._people.user(row) for row in await self.connection.execute(query)]
        shown = tuple(found[: request.size])
        return Page(shown, (shown[-1].id,) if len(found) > request.size else None)

    async def with_emails(self, emails: Sequence[str]) -> frozenset[str]:
        by_index = {index: email for email in emails for index in await self._keys.indexes(email)}
        indexes = literal(list(by_index), ARRAY(LargeBinary))
        query = select(users.c.email_index).where(self.mine(users), users.c.email_index == any_(indexes))
        return frozenset(by_index[bytes(each)] for each in (await self.connection.execute(query)).scalars())

    async def directory_choices(self, user_ids: Sequence[str]) -> Mapping[str, DirectoryInformation]:
        query = select(users.c.id, users.c.directory_information).where(
            self.mine(users), users.c.id == any_(literal(list(user_ids), ARRAY(Text))), users.c.directory_information != ""
        )
        return {row.id: DirectoryInformation(row.directory_information) for row in await self.connection.execute(query)}

    async def save(self, user: User) -> None:
        await self._people.check_free([user])
        held = select(users.c.data_key).where(self.mine(users), users.c.id == user.id).with_for_update()
        data_key = (await self.connection.execute(held)).scalar_one_or_none()
        values = await self._people.row(user, data_key)
        try:
            await self.connection.execute(update(users).where(self.mine(users), users.c.id == user.id).values(values))
        except IntegrityError as error:
            raise _refusal(error) from error

    async def administrators(self) -> frozenset[str]:
        query = select(users.c.id).where(
            self.mine(users), users.c.deactivated_at.is_(None), literal("ADMIN") == any_(users.c.roles)
        )
        return frozenset((await self.connection.execute(query.order_by(users.c.id).with_for_update())).scalars())


class PostgresAccounts(Repository, AccountRepository):
    def __init__(self, connection: AsyncConnection, keys: OrganizationKeys) -> None:
        super().__init__(connection, keys.organization)
        self._keys = keys
        self._people = SealedPeople(connection, keys)

    async def find(self, login: str) -> Account | None:
        # An id never contains "@", an address always does.
        if "@" in login:
            by = users.c.email_index == any_(literal(await self._keys.indexes(login.lower()), ARRAY(LargeBinary)))
        else:
            by = users.c.id == login
        joined = users.outerjoin(
            passwords,
            (passwords.c.organization_id == users.c.organization_id) & (passwords.c.user_id == users.c.id),
        )
        query = select(users, passwords.c.hash).select_from(joined).where(self.mine(users), by)
        row = (await self.connection.execute(query)).one_or_none()
        return None if row is None else Account(await self._people.user(row), row.hash)

    async def set_password(self, user_id: str, password_hash: str, now: datetime) -> None:
        await self.connection.execute(
            insert(passwords)
            .values(organization_id=self.organization, user_id=user_id, hash=password_hash, changed_at=now)
            .on_conflict_do_update(index_elements=["organization_id", "user_id"], set_={"hash": password_hash, "changed_at": now})
        )

    async def replace_hash(self, user_id: str, old: str, new: str) -> None:
        await self.connection.execute(
            update(passwords)
            .where(self.mine(passwords), passwords.c.user_id == user_id, passwords.c.hash == old)
            .values(hash=new)
        )


class PostgresEvents(Repository, EventOutbox):
    async def add(self, events: Sequence[IdentityEvent]) -> None:
        await add_to_outbox(self.connection, envelopes(events, self.organization))


class PostgresIdentityUnit(PostgresUnit):
    """One organization's. Founding one happens inside the idempotent transaction of another, which gets its own binding back."""

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

    def __init__(self, engine: AsyncEngine, organization: str, vault: Vault, keys: OpenedKeys | None = None) -> None:
        """`keys` are what personal data is sealed under: unless given, those that `vault` wraps."""
        super().__init__(engine, organization)
        self._vault = vault
        self._keys = keys or OpenedKeys(SecretKeyVault(vault))

    async def __aenter__(self) -> Self:
        joined = ambient_connection.get()
        self._outer = (await joined.execute(_BOUND_ORGANIZATION)).scalar_one() if joined is not None else None
        return await super().__aenter__()

    async def commit(self) -> None:
        await super().commit()
        # What a savepoint has set stays set when it is released.
        if self._outer is not None and self._outer != self._organization:
            await self.connection.execute(BIND_ORGANIZATION, {"organization": self._outer})

    def _open(self) -> None:
        keys = OrganizationKeys(self.connection, self._organization, self._keys)
        self.organizations = PostgresOrganizations(self.connection, self._organization)
        self.quotas = PostgresQuotas(self.connection, self._organization)
        self.users = PostgresUsers(self.connection, keys)
        self.accounts = PostgresAccounts(self.connection, keys)
        self.sessions = PostgresSessions(self.connection, self._organization)
        self.factors = PostgresFactors(self.connection, self._organization)
        self.challenges = PostgresChallenges(self.connection, self._organization)
        self.links = PostgresLinks(self.connection, keys)
        self.profiles = PostgresProfiles(self.connection, keys)
        self.classes = PostgresClasses(self.connection, self._organization)
        self.guardians = PostgresGuardians(self.connection, self._organization)
        self.invitations = PostgresInvitations(self.connection, keys)
        self.mails = PostgresMails(self.connection, keys, self._vault)
        self.providers = PostgresProviders(self.connection, self._organization)
        self.federation = PostgresFederation(self.connection, self._organization)
        self.programs = PostgresPrograms(self.connection, self._organization)
        self.provisioned = PostgresProvisioning(self.connection, self._organization, self._vault)
        self.events = PostgresEvents(self.connection, self._organization)
        self.sealing = PostgresSealing(self.connection, keys, self._keys, self._vault)
        self.persons = PostgresPersons(self.connection, keys, self._vault)
        self.privacy_jobs = PostgresPrivacyJobs(self.connection, self._organization, self._vault)
        self.consents = PostgresConsents(self.connection, self._organization)
        self.retention = PostgresRetention(self.connection, self._organization)


class PostgresPlatformUnit(PostgresUnit):
    """Never part of an idempotent transaction: a refused request is undone there, and its failed password must still count."""

    throttles: ThrottleRepository
    signing_keys: SigningKeyRepository
    mail_queue: MailQueue
    directory: Directory
    origins: OriginDirectory
    events: EventOutbox

    def __init__(self, engine: AsyncEngine, vault: Vault, keys: OpenedKeys | None = None) -> None:
        super().__init__(engine, PLATFORM)
        self._vault = vault
        self._keys = keys or OpenedKeys(SecretKeyVault(vault))

    async def __aenter__(self) -> Self:
        outside = ambient_connection.set(None)
        try:
            return await super().__aenter__()
        finally:
            ambient_connection.reset(outside)

    def _open(self) -> None:
        self.throttles = PostgresThrottles(self.connection, self._organization)
        self.signing_keys = PostgresSigningKeys(self.connection, self._organization)
        self.mail_queue = PostgresMailQueue(self.connection, self._keys, self._vault)
        self.directory = PostgresDirectory(self.connection)
        self.origins = PostgresOrigins(self.connection)
        self.events = PostgresEvents(self.connection, self._organization)
