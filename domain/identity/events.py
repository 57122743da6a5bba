"""What happened to users, for other contexts to know."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class UserCreated:
    user: str
    at: datetime


@dataclass(frozen=True, slots=True)
class UserDeactivated:
    user: str
    at: datetime


@dataclass(frozen=True, slots=True)
class SessionRevoked:
    """A refresh token was presented twice."""

    user: str
    at: datetime


IdentityEvent = UserCreated | UserDeactivated | SessionRevoked
