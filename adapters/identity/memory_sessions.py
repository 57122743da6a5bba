"""Sessions, throttles and signing keys in memory."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from adapters.identity.memory_tenant import OfTenant, Platform
from domain.identity.ports import (
    SessionRepository,
    SigningKeyRepository,
    ThrottleRepository,
)
from domain.identity.sessions import (
    FAILURES_FORGOTTEN_AFTER,
    PresentedToken,
    Session,
    SessionNotFound,
    SigningKey,
    SignInThrottle,
)
from domain.identity.step_up import Authentication
from domain.shared.page import Page, PageRequest


class MemorySessions(OfTenant, SessionRepository):
    async def start(self, session: Session, digest: bytes) -> None:
        self._tenant.sessions[session.id] = session
        self._tenant.tokens[digest] = (session.id, False)

    async def find(self, session_id: str, digest: bytes) -> PresentedToken | None:
        session = self._tenant.sessions.get(session_id)
        owner, spent = self._tenant.tokens.get(digest, ("", False))
        return PresentedToken(session, spent) if session is not None and owner == session_id else None

    async def rotate(self, session: Session, spent: bytes, fresh: bytes) -> None:
        self._tenant.sessions[session.id] = session
        self._tenant.tokens[spent] = (session.id, True)
        self._tenant.tokens[fresh] = (session.id, False)

    async def get(self, session_id: str, user_id: str) -> Session:
        session = self._tenant.sessions.get(session_id)
        if session is None or session.user != user_id:
            raise SessionNotFound(f"no session {session_id}")
        return session

    async def page(self, user_id: str, request: PageRequest, now: datetime) -> Page[Session]:
        after = request.after[0] if request.after is not None else ""
        own = [each for each in self._tenant.sessions.values() if each.user == user_id and each.lives(now) and each.id > after]
        own.sort(key=lambda session: session.id)
        shown = tuple(own[: request.size])
        return Page(shown, (shown[-1].id,) if len(own) > request.size else None)

    async def authenticate(self, session_id: str, authentication: Authentication) -> None:
        self._tenant.sessions[session_id] = replace(self._tenant.sessions[session_id], authentication=authentication)

    async def end(self, session_id: str) -> None:
        self._tenant.sessions.pop(session_id, None)
        for digest in [digest for digest, (owner, _) in self._tenant.tokens.items() if owner == session_id]:
            del self._tenant.tokens[digest]

    async def end_all(self, user_id: str, but: str | None = None) -> Sequence[str]:
        ended = [each.id for each in self._tenant.sessions.values() if each.user == user_id and each.id != but]
        for session_id in ended:
            await self.end(session_id)
        return ended

    async def forget_expired(self, user_id: str, now: datetime) -> None:
        for session in list(self._tenant.sessions.values()):
            if session.user == user_id and not session.lives(now):
                await self.end(session.id)


class MemoryThrottles(ThrottleRepository):
    def __init__(self, platform: Platform) -> None:
        self._throttles = platform.throttles

    async def peek(self, key: str) -> SignInThrottle:
        return self._throttles.get(key, SignInThrottle(key))

    async def get(self, key: str) -> SignInThrottle:
        return await self.peek(key)

    async def save(self, throttle: SignInThrottle) -> None:
        self._throttles[throttle.key] = throttle
        now = throttle.last_failure_at
        for old in list(self._throttles.values()):
            if now is not None and old.last_failure_at is not None and old.last_failure_at < now - FAILURES_FORGOTTEN_AFTER:
                del self._throttles[old.key]

    async def clear(self, key: str) -> None:
        self._throttles.pop(key, None)


class MemorySigningKeys(SigningKeyRepository):
    def __init__(self, platform: Platform) -> None:
        self._keys = platform.keys

    async def all(self) -> Sequence[SigningKey]:
        return sorted(self._keys.values(), key=lambda key: key.not_before)

    async def lock(self) -> None:
        """Units take turns as it is."""

    async def save(self, key: SigningKey) -> None:
        known = self._keys.get(key.kid)
        self._keys[key.kid] = key if known is None else replace(known, retire_at=key.retire_at)

    async def forget_retired(self, now: datetime) -> None:
        for key in list(self._keys.values()):
            if not key.listed(now):
                del self._keys[key.kid]
