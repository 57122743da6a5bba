"""What signing in at somebody else's needs from outside."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from domain.identity.federated_sign_in import (
    AuthorizationRequest,
    FederatedIdentity,
    FederatedSession,
    Flow,
    LogoutNotice,
    PendingLink,
)
from domain.identity.federation import FederatedPerson, IdentityProvider


class ProviderRepository(Protocol):
    """The identity providers of the unit's organization."""

    async def add(self, provider: IdentityProvider) -> bool:
        """False if the id is taken. Of two who add at once, one waits: the number of providers has a limit."""
        ...

    async def find(self, provider_id: str) -> IdentityProvider | None: ...

    async def get(self, provider_id: str) -> IdentityProvider:
        """Keeps others from changing it until the unit ends. Raises ProviderNotFound."""
        ...

    async def all(self) -> Sequence[IdentityProvider]:
        """Ordered by id."""
        ...

    async def save(self, provider: IdentityProvider) -> None: ...

    async def drop(self, provider_id: str) -> None:
        """With whatever there is of its people, flows and sessions."""


class FederationRepository(Protocol):
    """People at the organization's providers, and what is on its way."""

    async def begin(self, flow: Flow, now: datetime) -> None:
        """Also drops some that have expired by now."""

    async def take(self, digest: bytes) -> Flow | None:
        """Returns it for the last time if the unit commits; of two who take it at once, one waits and gets None."""
        ...

    async def find(self, provider: str, subject: str) -> FederatedIdentity | None: ...

    async def of_user(self, user_id: str) -> Sequence[FederatedIdentity]:
        """Ordered by provider."""
        ...

    async def link(self, identity: FederatedIdentity) -> bool:
        """False if the person is connected with a user, or the user with a person at this provider, already."""
        ...

    async def unlink(self, provider: str, user_id: str) -> bool:
        """False if they are not connected."""
        ...

    async def used(self, provider: str, subject: str, now: datetime) -> None: ...

    async def put_link(self, link: PendingLink, now: datetime) -> None:
        """Also drops some that have expired by now."""

    async def take_link(self, digest: bytes) -> PendingLink | None:
        """As `take`."""
        ...

    async def note_session(self, session: FederatedSession) -> None:
        """Also drops some that are older than any session lives."""

    async def sessions(self, provider: str, subject: str = "", sid: str = "") -> Sequence[FederatedSession]:
        """Those of the provider, of one of its people, or of one of its sessions; of a person's session those also of which the provider
        did not say to which of its sessions they belong."""
        ...

    async def forget_sessions(self, session_ids: Sequence[str]) -> None: ...

    async def spend_logout(self, digest: bytes, now: datetime) -> bool:
        """False if this logout token came before. Also drops some that nobody would accept any more."""
        ...


class ProviderClient(Protocol):
    """Speaks to providers. Raises Unavailable if one does not answer, NotAllowedNow if what it says of itself cannot be used."""

    async def authorization_url(self, provider: IdentityProvider, request: AuthorizationRequest) -> str: ...

    async def person(
        self, provider: IdentityProvider, secret: str, code: str, issuer: str, request: AuthorizationRequest, now: datetime
    ) -> FederatedPerson:
        """Exchanges the code and checks what comes back. `issuer` is that of the answer, if it names one. Raises FederationRefused."""
        ...

    async def logged_out(self, provider: IdentityProvider, token: str, now: datetime) -> LogoutNotice:
        """Raises InvalidInput naming `logout_token`."""
        ...
