"""One suite for the memory and for PostgreSQL; every test has organizations of its own."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from paideia.identity.v1 import events_pb2
from sqlalchemy.ext.asyncio import create_async_engine

from adapters.identity.memory import IdentityMemory
from adapters.identity.personal_keys import OpenedKeys
from adapters.identity.postgres import PostgresIdentityUnit, PostgresPlatformUnit
from adapters.identity.postgres_sign_ins import PostgresSignIns
from adapters.identity.vault import AesVault, SecretKeyVault
from adapters.shared.postgres_connections import open_pool
from domain.identity.events import (
    IdentityEvent,
    Notice,
    PlanChanged,
    PrivacyOrdered,
    SecurityNoticed,
    SessionRevoked,
    SightChanged,
    SigningKeyMade,
    TokenRevoked,
    UserCreated,
    UserDeactivated,
)
from domain.identity.model import User
from domain.identity.ports import NewPlatformUnit, NewUnit
from domain.identity.privacy import JobKind
from domain.identity.sign_ins import SignIns
from domain.shared.caller import Role
from domain.shared.plans import Plan

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@dataclass
class Store:
    """What the suite needs of either store."""

    new_unit: NewUnit
    new_platform_unit: NewPlatformUnit
    sign_ins: SignIns
    published: Callable[[str], Any]
    """Awaitable: the events an organization's committed units have published, in order."""
    north: str = field(default_factory=lambda: f"n{uuid4().hex}")
    south: str = field(default_factory=lambda: f"s{uuid4().hex}")

    async def with_user(self, user_id: str = "ada", **changes: Any) -> User:
        made = user(user_id, **changes)
        async with self.new_unit(self.north) as unit:
            await unit.users.add([made])
            await unit.commit()
        return made


def user(user_id: str, **changes: Any) -> User:
    usual: dict[str, Any] = {"display_name": "", "email": None, "roles": frozenset({Role.LEARNER}), "created_at": NOW}
    return User(user_id, **usual | changes)


@pytest.fixture(params=["memory", "postgres"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    if request.param == "memory":
        memory = IdentityMemory()

        async def published(organization: str) -> list[IdentityEvent]:
            return memory.events(organization)

        yield Store(memory.unit, memory.platform_unit, memory.sign_ins(), published)
        return
    postgres = request.getfixturevalue("postgres")
    dsn = postgres.dsn("paideia_identity")
    engine = create_async_engine(dsn.replace("postgresql://", "postgresql+asyncpg://", 1), pool_size=12, max_overflow=0)

    async def in_outbox(organization: str) -> list[IdentityEvent]:
        connection = await asyncpg.connect(dsn)
        try:
            async with connection.transaction():
                await connection.execute("SELECT set_config('paideia.organization', $1, true)", organization)
                rows = await connection.fetch("SELECT type, topic, key, payload FROM outbox ORDER BY position")
            assert {row["topic"] for row in rows} <= {"identity.events", "privacy.orders", "audit.acts"}
            return [_event(row["type"], row["key"], row["payload"]) for row in rows]
        finally:
            await connection.close()

    vault = AesVault(b"k" * 32)
    pool = await open_pool(dsn, 4)
    yield Store(
        lambda organization: PostgresIdentityUnit(engine, organization, vault),
        lambda: PostgresPlatformUnit(engine, vault),
        PostgresSignIns(pool, OpenedKeys(SecretKeyVault(vault))),
        in_outbox,
    )
    await pool.close()
    await engine.dispose()


def _event(type_name: str, key: str, payload: bytes) -> IdentityEvent:
    name = type_name.removeprefix("paideia.identity.v1.")
    message = getattr(events_pb2, name).FromString(payload)
    if isinstance(message, events_pb2.PrivacyOrdered):
        assert message.privacy_job == key
        user_id, pseudonym = message.user.removeprefix("users/"), message.pseudonym.removeprefix("users/")
        moment = message.order_time.ToDatetime(UTC)
        return PrivacyOrdered(key.removeprefix("privacyJobs/"), JobKind(message.kind), user_id, pseudonym, moment)
    if isinstance(message, events_pb2.SigningKeyMade):
        assert message.signing_key == key
        made, signs_from = message.make_time.ToDatetime(UTC), message.sign_time.ToDatetime(UTC)
        return SigningKeyMade(key.removeprefix("signingKeys/"), made, signs_from)
    if isinstance(message, events_pb2.OrganizationPlanChanged):
        assert key == "plan"
        plans = (Plan(each.removeprefix("plans/")) for each in (message.plan, message.plan_before))
        return PlanChanged(message.change_time.ToDatetime(UTC), *plans)
    assert message.user == key
    moment = next(value for descriptor, value in message.ListFields() if descriptor.name.endswith("_time")).ToDatetime(UTC)
    if isinstance(message, events_pb2.SessionRevoked) and message.session.startswith("tokens/"):
        return TokenRevoked(key.removeprefix("users/"), moment, message.session.removeprefix("tokens/"))
    if isinstance(message, events_pb2.SessionRevoked):
        return SessionRevoked(key.removeprefix("users/"), moment, message.session.removeprefix("sessions/"))
    if isinstance(message, events_pb2.SecurityNoticed):
        return SecurityNoticed(key.removeprefix("users/"), moment, Notice(message.notice))
    kind = {"UserCreated": UserCreated, "UserDeactivated": UserDeactivated, "SightChanged": SightChanged}[name]
    return kind(key.removeprefix("users/"), moment)
