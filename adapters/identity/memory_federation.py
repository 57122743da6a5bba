"""Identity providers and their people in memory: the same promises as PostgreSQL, for one process."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from domain.identity.federated_sign_in import (
    LOGOUT_TOKEN_REMEMBERED,
    FederatedIdentity,
    FederatedSession,
    Flow,
    PendingLink,
)
from domain.identity.federation import IdentityProvider, ProviderNotFound
from domain.identity.federation_ports import FederationRepository, ProviderRepository


@dataclass
class FederationState:
    """What one organization has; identities by provider and subject, flows, links and logout tokens by digest."""

    providers: dict[str, IdentityProvider] = field(default_factory=dict)
    identities: dict[tuple[str, str], FederatedIdentity] = field(default_factory=dict)
    flows: dict[bytes, Flow] = field(default_factory=dict)
    links: dict[bytes, PendingLink] = field(default_factory=dict)
    sessions: dict[str, FederatedSession] = field(default_factory=dict)
    logouts: dict[bytes, datetime] = field(default_factory=dict)

    def copy(self) -> "FederationState":
        return FederationState(
            dict(self.providers),
            dict(self.identities),
            dict(self.flows),
            dict(self.links),
            dict(self.sessions),
            dict(self.logouts),
        )


class _OfState:
    def __init__(self, state: FederationState) -> None:
        self._state = state


class MemoryProviders(_OfState, ProviderRepository):
    async def add(self, provider: IdentityProvider) -> bool:
        return self._state.providers.setdefault(provider.id, provider) is provider

    async def find(self, provider_id: str) -> IdentityProvider | None:
        return self._state.providers.get(provider_id)

    async def get(self, provider_id: str) -> IdentityProvider:
        if provider_id not in self._state.providers:
            raise ProviderNotFound(provider_id)
        return self._state.providers[provider_id]

    async def all(self) -> Sequence[IdentityProvider]:
        return [provider for _, provider in sorted(self._state.providers.items())]

    async def save(self, provider: IdentityProvider) -> None:
        self._state.providers[provider.id] = provider

    async def drop(self, provider_id: str) -> None:
        state = self._state
        state.providers.pop(provider_id, None)
        state.identities = {key: each for key, each in state.identities.items() if each.provider != provider_id}
        state.flows = {key: each for key, each in state.flows.items() if each.provider != provider_id}
        state.links = {key: each for key, each in state.links.items() if each.provider != provider_id}
        state.sessions = {key: each for key, each in state.sessions.items() if each.provider != provider_id}


class MemoryFederation(_OfState, FederationRepository):
    async def begin(self, flow: Flow, now: datetime) -> None:
        self._state.flows = {key: each for key, each in self._state.flows.items() if now < each.expires_at}
        self._state.flows[flow.digest] = flow

    async def take(self, digest: bytes) -> Flow | None:
        return self._state.flows.pop(digest, None)

    async def find(self, provider: str, subject: str) -> FederatedIdentity | None:
        return self._state.identities.get((provider, subject))

    async def of_user(self, user_id: str) -> Sequence[FederatedIdentity]:
        found = [each for each in self._state.identities.values() if each.user == user_id]
        return sorted(found, key=lambda each: each.provider)

    async def link(self, identity: FederatedIdentity) -> bool:
        taken = any(each.provider == identity.provider for each in await self.of_user(identity.user))
        if taken or (identity.provider, identity.subject) in self._state.identities:
            return False
        self._state.identities[identity.provider, identity.subject] = identity
        return True

    async def unlink(self, provider: str, user_id: str) -> bool:
        found = [each for each in await self.of_user(user_id) if each.provider == provider]
        for each in found:
            del self._state.identities[provider, each.subject]
        return bool(found)

    async def used(self, provider: str, subject: str, now: datetime) -> None:
        self._state.identities[provider, subject] = replace(self._state.identities[provider, subject], last_used_at=now)

    async def put_link(self, link: PendingLink, now: datetime) -> None:
        self._state.links = {key: each for key, each in self._state.links.items() if now < each.expires_at}
        self._state.links[link.digest] = link

    async def take_link(self, digest: bytes) -> PendingLink | None:
        return self._state.links.pop(digest, None)

    async def note_session(self, session: FederatedSession) -> None:
        self._state.sessions[session.session] = session

    async def sessions(self, provider: str, subject: str = "", sid: str = "") -> Sequence[FederatedSession]:
        sids = {sid, ""} if subject else {sid}
        return [
            each
            for _, each in sorted(self._state.sessions.items())
            if each.provider == provider and subject in ("", each.subject) and (not sid or each.sid in sids)
        ]

    async def forget_sessions(self, session_ids: Sequence[str]) -> None:
        for each in session_ids:
            self._state.sessions.pop(each, None)

    async def spend_logout(self, digest: bytes, now: datetime) -> bool:
        logouts = {key: at for key, at in self._state.logouts.items() if now < at + LOGOUT_TOKEN_REMEMBERED}
        self._state.logouts = logouts
        return logouts.setdefault(digest, now) is now
