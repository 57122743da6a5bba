"""Identity providers and their people in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    LargeBinary,
    MetaData,
    Row,
    Table,
    Text,
    Uuid,
    delete,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert

from adapters.identity.postgres_tables import Repository
from domain.identity.federated_sign_in import (
    LOGOUT_TOKEN_REMEMBERED,
    FederatedIdentity,
    FederatedSession,
    Flow,
    PendingLink,
)
from domain.identity.federation import IdentityProvider, Linking, ProviderKind, ProviderNotFound, Provisioning, RoleRule
from domain.identity.federation_ports import FederationRepository, ProviderRepository
from domain.identity.sessions import SESSION_LONGEST_LIFE
from domain.shared.caller import Role

_MOMENT = DateTime(timezone=True)
_FORGOTTEN_AT_ONCE = 20
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtextextended('identity providers of ' || :organization, 0))")

_metadata = MetaData()


def _table(name: str, *columns: Column[Any]) -> Table:
    return Table(name, _metadata, Column("organization_id", Text), *columns)


identity_providers = _table(
    "identity_providers",
    Column("id", Text),
    Column("display_name", Text),
    Column("kind", Text),
    Column("issuer", Text),
    Column("client_id", Text),
    Column("sealed_secret", LargeBinary),
    Column("created_at", _MOMENT),
    Column("scopes", ARRAY(Text)),
    Column("provisioning", Text),
    Column("linking", Text),
    Column("email_domains", ARRAY(Text)),
    Column("default_roles", ARRAY(Text)),
    Column("role_rules", JSONB),
    Column("roles_follow", Boolean),
    Column("disabled", Boolean),
)
federated_identities = _table(
    "federated_identities",
    Column("provider_id", Text),
    Column("subject", Text),
    Column("user_id", Text),
    Column("linked_at", _MOMENT),
    Column("last_used_at", _MOMENT),
)
federated_flows = _table(
    "federated_flows",
    Column("digest", LargeBinary),
    Column("provider_id", Text),
    Column("browser", LargeBinary),
    Column("expires_at", _MOMENT),
    Column("fresh", Boolean),
    Column("for_linking", Boolean),
)
pending_links = _table(
    "pending_links",
    Column("digest", LargeBinary),
    Column("provider_id", Text),
    Column("subject", Text),
    Column("expires_at", _MOMENT),
)
federated_sessions = _table(
    "federated_sessions",
    Column("session_id", Uuid),
    Column("provider_id", Text),
    Column("subject", Text),
    Column("sid", Text),
    Column("user_id", Text),
    Column("started_at", _MOMENT),
)
spent_logout_tokens = _table("spent_logout_tokens", Column("digest", LargeBinary), Column("spent_at", _MOMENT))


class PostgresProviders(Repository, ProviderRepository):
    async def add(self, provider: IdentityProvider) -> bool:
        await self.connection.execute(_ONE_AT_A_TIME, {"organization": self.organization})
        added = await self.connection.execute(
            insert(identity_providers)
            .values(organization_id=self.organization, **_row(provider))
            .on_conflict_do_nothing(index_elements=["organization_id", "id"])
        )
        return bool(added.rowcount)

    async def find(self, provider_id: str) -> IdentityProvider | None:
        row = (await self.connection.execute(select(identity_providers).where(self._is(provider_id)))).one_or_none()
        return None if row is None else _provider(row)

    async def get(self, provider_id: str) -> IdentityProvider:
        query = select(identity_providers).where(self._is(provider_id)).with_for_update()
        row = (await self.connection.execute(query)).one_or_none()
        if row is None:
            raise ProviderNotFound(provider_id)
        return _provider(row)

    async def all(self) -> Sequence[IdentityProvider]:
        query = select(identity_providers).where(self.mine(identity_providers)).order_by(identity_providers.c.id)
        return [_provider(row) for row in await self.connection.execute(query)]

    async def save(self, provider: IdentityProvider) -> None:
        await self.connection.execute(update(identity_providers).where(self._is(provider.id)).values(_row(provider)))

    async def drop(self, provider_id: str) -> None:
        await self.connection.execute(delete(identity_providers).where(self._is(provider_id)))

    def _is(self, provider_id: str) -> ColumnElement[bool]:
        return self.mine(identity_providers) & (identity_providers.c.id == provider_id)


class PostgresFederation(Repository, FederationRepository):
    async def begin(self, flow: Flow, now: datetime) -> None:
        await self._forget(federated_flows, federated_flows.c.digest, federated_flows.c.expires_at, now)
        await self.connection.execute(
            insert(federated_flows).values(
                organization_id=self.organization,
                digest=flow.digest,
                provider_id=flow.provider,
                browser=flow.browser,
                expires_at=flow.expires_at,
                fresh=flow.fresh,
                for_linking=flow.for_linking,
            )
        )

    async def take(self, digest: bytes) -> Flow | None:
        row = await self._take(federated_flows, digest)
        return None if row is None else Flow(row.digest, row.provider_id, row.browser, row.expires_at, row.fresh, row.for_linking)

    async def find(self, provider: str, subject: str) -> FederatedIdentity | None:
        table = federated_identities
        query = select(table).where(self.mine(table), table.c.provider_id == provider, table.c.subject == subject)
        row = (await self.connection.execute(query)).one_or_none()
        return None if row is None else _identity(row)

    async def of_user(self, user_id: str) -> Sequence[FederatedIdentity]:
        table = federated_identities
        query = select(table).where(self.mine(table), table.c.user_id == user_id).order_by(table.c.provider_id)
        return [_identity(row) for row in await self.connection.execute(query)]

    async def link(self, identity: FederatedIdentity) -> bool:
        added = await self.connection.execute(
            insert(federated_identities)
            .values(
                organization_id=self.organization,
                provider_id=identity.provider,
                subject=identity.subject,
                user_id=identity.user,
                linked_at=identity.linked_at,
                last_used_at=identity.last_used_at,
            )
            .on_conflict_do_nothing()
        )
        return bool(added.rowcount)

    async def unlink(self, provider: str, user_id: str) -> bool:
        table = federated_identities
        gone = await self.connection.execute(
            delete(table).where(self.mine(table), table.c.provider_id == provider, table.c.user_id == user_id)
        )
        return bool(gone.rowcount)

    async def used(self, provider: str, subject: str, now: datetime) -> None:
        table = federated_identities
        await self.connection.execute(
            update(table)
            .where(self.mine(table), table.c.provider_id == provider, table.c.subject == subject)
            .values(last_used_at=now)
        )

    async def put_link(self, link: PendingLink, now: datetime) -> None:
        await self._forget(pending_links, pending_links.c.digest, pending_links.c.expires_at, now)
        await self.connection.execute(
            insert(pending_links).values(
                organization_id=self.organization,
                digest=link.digest,
                provider_id=link.provider,
                subject=link.subject,
                expires_at=link.expires_at,
            )
        )

    async def take_link(self, digest: bytes) -> PendingLink | None:
        row = await self._take(pending_links, digest)
        return None if row is None else PendingLink(row.digest, row.provider_id, row.subject, row.expires_at)

    async def note_session(self, session: FederatedSession) -> None:
        table = federated_sessions
        await self._forget(table, table.c.session_id, table.c.started_at, session.started_at - SESSION_LONGEST_LIFE)
        await self.connection.execute(
            insert(table).values(
                organization_id=self.organization,
                session_id=UUID(session.session),
                provider_id=session.provider,
                subject=session.subject,
                sid=session.sid,
                user_id=session.user,
                started_at=session.started_at,
            )
        )

    async def sessions(self, provider: str, subject: str = "", sid: str = "") -> Sequence[FederatedSession]:
        table = federated_sessions
        query = select(table).where(self.mine(table), table.c.provider_id == provider).order_by(table.c.session_id)
        if subject:
            query = query.where(table.c.subject == subject)
        if sid:
            query = query.where(table.c.sid.in_([sid, ""]) if subject else table.c.sid == sid)
        return [
            FederatedSession(str(row.session_id), row.provider_id, row.subject, row.sid, row.user_id, row.started_at)
            for row in await self.connection.execute(query)
        ]

    async def forget_sessions(self, session_ids: Sequence[str]) -> None:
        table = federated_sessions
        await self.connection.execute(
            delete(table).where(self.mine(table), table.c.session_id.in_([UUID(each) for each in session_ids]))
        )

    async def spend_logout(self, digest: bytes, now: datetime) -> bool:
        table = spent_logout_tokens
        await self._forget(table, table.c.digest, table.c.spent_at, now - LOGOUT_TOKEN_REMEMBERED)
        spent = await self.connection.execute(
            insert(table)
            .values(organization_id=self.organization, digest=digest, spent_at=now)
            .on_conflict_do_nothing(index_elements=["organization_id", "digest"])
        )
        return bool(spent.rowcount)

    async def _take(self, table: Table, digest: bytes) -> Row[Any] | None:
        taken = delete(table).where(self.mine(table), table.c.digest == digest).returning(*table.c)
        return (await self.connection.execute(taken)).one_or_none()

    async def _forget(self, table: Table, key: Column[Any], age: Column[Any], until: datetime) -> None:
        """A few at a time, and none that another transaction is dropping."""
        old = select(key).where(self.mine(table), age <= until).order_by(age).limit(_FORGOTTEN_AT_ONCE)
        await self.connection.execute(delete(table).where(self.mine(table), key.in_(old.with_for_update(skip_locked=True))))


def _row(provider: IdentityProvider) -> dict[str, Any]:
    return {
        "id": provider.id,
        "display_name": provider.display_name,
        "kind": provider.kind,
        "issuer": provider.issuer,
        "client_id": provider.client_id,
        "sealed_secret": provider.sealed_secret,
        "created_at": provider.created_at,
        "scopes": list(provider.scopes),
        "provisioning": provider.provisioning,
        "linking": provider.linking,
        "email_domains": list(provider.email_domains),
        "default_roles": sorted(provider.default_roles),
        "role_rules": [{"claim": rule.claim, "value": rule.value, "role": rule.role} for rule in provider.role_rules],
        "roles_follow": provider.roles_follow,
        "disabled": provider.disabled,
    }


def _provider(row: Row[Any]) -> IdentityProvider:
    return IdentityProvider(
        id=row.id,
        display_name=row.display_name,
        kind=ProviderKind(row.kind),
        issuer=row.issuer,
        client_id=row.client_id,
        sealed_secret=row.sealed_secret,
        created_at=row.created_at,
        scopes=tuple(row.scopes),
        provisioning=Provisioning(row.provisioning),
        linking=Linking(row.linking),
        email_domains=tuple(row.email_domains),
        default_roles=frozenset(map(Role, row.default_roles)),
        role_rules=tuple(RoleRule(each["claim"], each["value"], Role(each["role"])) for each in row.role_rules),
        roles_follow=row.roles_follow,
        disabled=row.disabled,
    )


def _identity(row: Row[Any]) -> FederatedIdentity:
    return FederatedIdentity(row.provider_id, row.subject, row.user_id, row.linked_at, row.last_used_at)
