"""The usual sign-in in memory."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from adapters.identity.memory_credentials import MemoryFactors
from adapters.identity.memory_sessions import MemorySessions, MemoryThrottles
from adapters.identity.memory_tenant import MemoryEvents, Platform, Tenant
from adapters.identity.memory_users import MemoryAccounts
from domain.identity.events import IdentityEvent
from domain.identity.sessions import Session
from domain.identity.sign_ins import Seen, SeenAccount, SignIns
from domain.shared.plans import Plan


class Store(Protocol):
    tenants: dict[str, Tenant]
    platform: Platform
    turn: asyncio.Lock


class MemorySignIns(SignIns):
    def __init__(self, store: Store) -> None:
        self._store = store

    async def look(self, organization: str, login: str, throttle_key: str) -> Seen:
        async with self._store.turn:
            return await self._look(organization, login, throttle_key)

    async def start(
        self,
        organization: str,
        throttle_key: str,
        account: SeenAccount,
        session: Session,
        digest: bytes,
        events: Sequence[IdentityEvent],
    ) -> bool:
        async with self._store.turn:
            now = await self._look(organization, account.user, throttle_key)
            if now.throttle.failures or now.account != account or not account.active or account.factors:
                return False
            tenant = self._store.tenants[organization]
            sessions = MemorySessions(tenant)
            await sessions.forget_expired(account.user, session.started_at)
            await sessions.start(session, digest)
            await MemoryEvents(tenant).add(events)
            return True

    async def _look(self, organization: str, login: str, throttle_key: str) -> Seen:
        tenant = self._store.tenants.get(organization, Tenant())
        throttle = await MemoryThrottles(self._store.platform).peek(throttle_key)
        plan = Plan.STANDARD if tenant.organization is None else tenant.organization.plan
        found = await MemoryAccounts(tenant).find(login)
        if found is None:
            return Seen(throttle, None, plan)
        user = found.user
        factors = await MemoryFactors(tenant.credentials).of(user.id)
        has_factors = factors.totp is not None or bool(factors.passkeys)
        return Seen(throttle, SeenAccount(user.id, user.roles, user.active, found.password_hash, has_factors), plan)
