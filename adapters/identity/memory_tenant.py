"""What identity in memory holds, and its outbox."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from adapters.identity.memory_credentials import (
    CredentialState,
)
from adapters.identity.memory_federation import FederationState
from adapters.identity.memory_people import (
    PeopleState,
)
from adapters.identity.memory_privacy import (
    PrivacyState,
)
from adapters.identity.memory_programs import ProgramState
from domain.identity.events import IdentityEvent
from domain.identity.model import (
    Organization,
    User,
)
from domain.identity.ports import (
    EventOutbox,
)
from domain.identity.sessions import (
    Session,
    SigningKey,
    SignInThrottle,
)


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


class OfTenant:
    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant


class MemoryEvents(EventOutbox):
    def __init__(self, publisher: Tenant | Platform) -> None:
        self._publisher = publisher

    async def add(self, events: Sequence[IdentityEvent]) -> None:
        self._publisher.events.extend(events)
