"""Identity in PostgreSQL: one unit for what an organization owns, one for what the platform owns."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self

from sqlalchemy import LargeBinary, Row, Text, any_, literal, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.identity.kafka import envelopes
from adapters.identity.postgres_credentials import PostgresChallenges, PostgresFactors
from adapters.identity.postgres_links import PostgresLinks
from adapters.identity.postgres_mails import PostgresMailQueue, PostgresMails
from adapters.identity.postgres_people import PostgresClasses, PostgresGuardians, PostgresInvitations, PostgresProfiles
from adapters.identity.postgres_sessions import PostgresSessions, PostgresSigningKeys, PostgresThrottles
from adapters.identity.postgres_tables import Repository, email_index, organizations, passwords, users
from adapters.shared.outbox import add_to_outbox
from adapters.shared.postgres import BIND_ORGANIZATION, PostgresUnit, ambient_connection
from domain.identity.credential_ports import ChallengeRepository, FactorRepository, LinkRepository, Vault
from domain.identity.events import IdentityEvent
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
    SessionRepository,
    SigningKeyRepository,
    ThrottleRepository,
    UserRepository,
)
from domain.shared.caller import Role
from domain.shared.page import Page, PageRequest

_BOUND_ORGANIZATION = text("SELECT current_setting('paideia.organization', true)")


def _user_row(organization: str, user: User) -> dict[str, Any]:
    return {
        "organization_id": organization,
        "id": user.id,
        "display_name": user.display_name,
        "email": user.email,
        "email_index": None if user.email is None else email_index(user.email),
        "roles": sorted(user.roles),
        "created_at": user.created_at,
        "deactivated_at": user.deactivated_at,
    }


def _user(row: Row[Any]) -> User:
    roles = frozenset(Role(role) for role in row.roles)
    return User(row.id, row.display_name, row.email, roles, row.created_at, row.deactivated_at)


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
            row.locale, row.time_zone, SignUpPolicy(row.sign_up), tuple(row.sign_up_domains), TeachersSee(row.teachers_see)
        )
        return Organization(row.organization_id, row.display_name, row.founded_at, settings, row.revision)

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
                revision=organization.revision,
            )
        )
        if not changed.rowcount:
            raise StaleOrganization

    async def exists(self) -> bool:
        return (await self.connection.execute(select(literal(1)).where(self.mine(organizations)))).first() is not None


class PostgresUsers(Repository, UserRepository):
    async def add(self, users_to_add: Sequence[User]) -> frozenset[str]:
        # In one order, so that two batches that overlap wait for each other instead of locking each other out.
        rows = [_user_row(self.organization, user) for user in sorted(users_to_add, key=lambda user: user.id)]
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
        return _user(row)

    async def find(self, user_ids: Sequence[str]) -> Sequence[User]:
        ids = literal(list(user_ids), ARRAY(Text))
        return [
            _user(row) for row in await self.connection.execute(select(users).where(self.mine(users), users.c.id == any_(ids)))
        ]

    async def page(self, request: PageRequest, only: frozenset[str] | None = None) -> Page[User]:
        query = select(users).where(self.mine(users)).order_by(users.c.id).limit(request.size + 1)
        if only is not None:
            query = query.where(users.c.id == any_(literal(sorted(only), ARRAY(Text))))
        if request.after is not None:
            query = query.where(users.c.id > request.after[0])
        found = [_user(row) for row in await self.connection.execute(query)]
        shown = tuple(found[: request.size])
        return Page(shown, (shown[-1].id,) if len(found) > request.size else None)

    async def with_emails(self, emails: Sequence[str]) -> frozenset[str]:
        by_index = {email_index(email): email for email in emails}
        indexes = literal(list(by_index), ARRAY(LargeBinary))
        query = select(users.c.email_index).where(self.mine(users), users.c.email_index == any_(indexes))
        return frozenset(by_index[bytes(each)] for each in (await self.connection.execute(query)).scalars())

    async def save(self, user: User) -> None:
        changed = update(users).where(self.mine(users), users.c.id == user.id).values(_user_row(self.organization, user))
        try:
            await self.connection.execute(changed)
        except IntegrityError as error:
            raise _refusal(error) from error

    async def administrators(self) -> frozenset[str]:
        query = select(users.c.id).where(
            self.mine(users), users.c.deactivated_at.is_(None), literal("ADMIN") == any_(users.c.roles)
        )
        return frozenset((await self.connection.execute(query.order_by(users.c.id).with_for_update())).scalars())


class PostgresAccounts(Repository, AccountRepository):
    async def find(self, login: str) -> Account | None:
        # An id never contains "@", an address always does.
        by = users.c.email_index == email_index(login.lower()) if "@" in login else users.c.id == login
        joined = users.outerjoin(
            passwords,
            (passwords.c.organization_id == users.c.organization_id) & (passwords.c.user_id == users.c.id),
        )
        query = select(users, passwords.c.hash).select_from(joined).where(self.mine(users), by)
        row = (await self.connection.execute(query)).one_or_none()
        return None if row is None else Account(_user(row), row.hash)

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
    events: EventOutbox

    def __init__(self, engine: AsyncEngine, organization: str, vault: Vault) -> None:
        super().__init__(engine, organization)
        self._vault = vault

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
        self.organizations = PostgresOrganizations(self.connection, self._organization)
        self.users = PostgresUsers(self.connection, self._organization)
        self.accounts = PostgresAccounts(self.connection, self._organization)
        self.sessions = PostgresSessions(self.connection, self._organization)
        self.factors = PostgresFactors(self.connection, self._organization)
        self.challenges = PostgresChallenges(self.connection, self._organization)
        self.links = PostgresLinks(self.connection, self._organization)
        self.profiles = PostgresProfiles(self.connection, self._organization)
        self.classes = PostgresClasses(self.connection, self._organization)
        self.guardians = PostgresGuardians(self.connection, self._organization)
        self.invitations = PostgresInvitations(self.connection, self._organization)
        self.mails = PostgresMails(self.connection, self._organization, self._vault)
        self.events = PostgresEvents(self.connection, self._organization)


class PostgresPlatformUnit(PostgresUnit):
    """Never part of an idempotent transaction: a refused request is undone there, and its failed password must still count."""

    throttles: ThrottleRepository
    signing_keys: SigningKeyRepository
    mail_queue: MailQueue

    def __init__(self, engine: AsyncEngine, vault: Vault) -> None:
        super().__init__(engine, PLATFORM)
        self._vault = vault

    async def __aenter__(self) -> Self:
        outside = ambient_connection.set(None)
        try:
            return await super().__aenter__()
        finally:
            ambient_connection.reset(outside)

    def _open(self) -> None:
        self.throttles = PostgresThrottles(self.connection, self._organization)
        self.signing_keys = PostgresSigningKeys(self.connection, self._organization)
        self.mail_queue = PostgresMailQueue(self.connection, self._vault)
