"""Signing in as most people do: with a right password, no mistake before it, and nothing besides.

Two looks at the store are enough for it, one before the slow comparison and one after it. The second one starts the session if everything
that was seen is still so; whatever else there is to sign-in, and to what has changed meanwhile, is decided with a unit of work.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from domain.identity.events import IdentityEvent
from domain.identity.sessions import Session, SignInThrottle
from domain.shared.caller import Role
from domain.shared.plans import Plan


@dataclass(frozen=True, slots=True)
class SeenAccount:
    """`password_hash` is None for a managed user. `factors`: there is an app or a passkey, be it in use or not."""

    user: str
    roles: frozenset[Role]
    active: bool
    password_hash: str | None
    factors: bool

    @property
    def usable_hash(self) -> str | None:
        """What a password is compared with; None if no password opens this account."""
        return self.password_hash if self.active else None


@dataclass(frozen=True, slots=True)
class Seen:
    """What signing in depends on, as it was at one moment. `account` is None if none answers to the login."""

    throttle: SignInThrottle
    account: SeenAccount | None
    plan: Plan


class SignIns(Protocol):
    async def look(self, organization: str, login: str, throttle_key: str) -> Seen:
        """`login` is a user id, or an e-mail address in any case."""
        ...

    async def start(
        self,
        organization: str,
        throttle_key: str,
        account: SeenAccount,
        session: Session,
        digest: bytes,
        events: Sequence[IdentityEvent],
    ) -> bool:
        """Starts the session and publishes, in one transaction that also forgets the user's expired sessions.

        Does nothing and returns False if the throttle has counted a failure, or the account has factors or is not any more what was seen.
        """
        ...
