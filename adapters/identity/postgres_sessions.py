"""Sessions, throttles and signing keys in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from adapters.identity.postgres_tables import Repository, refresh_tokens, sessions, signing_keys, throttles
from domain.identity.ports import SessionRepository, SigningKeyRepository, ThrottleRepository
from domain.identity.sessions import (
    FAILURES_FORGOTTEN_AFTER,
    PresentedToken,
    PublicKey,
    Session,
    SessionNotFound,
    SigningKey,
    SignInThrottle,
)
from domain.identity.step_up import Authentication, Method
from domain.shared.page import Page, PageRequest

_FORGOTTEN_AT_ONCE = 20


class PostgresSessions(Repository, SessionRepository):
    async def start(self, session: Session, digest: bytes) -> None:
        await self.connection.execute(
            insert(sessions).values(
                organization_id=self.organization,
                id=UUID(session.id),
                user_id=session.user,
                started_at=session.started_at,
                expires_at=session.expires_at,
                last_used_at=session.last_used_at,
                authenticated_at=session.authentication.at,
                methods=sorted(session.authentication.methods),
                device=session.device,
            )
        )
        await self._add_token(session.id, digest)

    async def find(self, session_id: str, digest: bytes) -> PresentedToken | None:
        # Two statements: had the token been read in the one that waits for the lock, it would be as it was before the wait.
        locked = select(sessions).where(self.mine(sessions), sessions.c.id == UUID(session_id)).with_for_update()
        row = (await self.connection.execute(locked)).one_or_none()
        if row is None:
            return None
        token = select(refresh_tokens.c.spent).where(
            self.mine(refresh_tokens), refresh_tokens.c.digest == digest, refresh_tokens.c.session_id == row.id
        )
        spent = (await self.connection.execute(token)).scalar_one_or_none()
        if spent is None:
            return None
        return PresentedToken(_session(row), spent)

    async def rotate(self, session: Session, spent: bytes, fresh: bytes) -> None:
        await self.connection.execute(
            update(sessions)
            .where(self.mine(sessions), sessions.c.id == UUID(session.id))
            .values(expires_at=session.expires_at, last_used_at=session.last_used_at)
        )
        await self.connection.execute(
            update(refresh_tokens).where(self.mine(refresh_tokens), refresh_tokens.c.digest == spent).values(spent=True)
        )
        await self._add_token(session.id, fresh)

    async def get(self, session_id: str, user_id: str) -> Session:
        query = select(sessions).where(self.mine(sessions), sessions.c.id == UUID(session_id), sessions.c.user_id == user_id)
        row = (await self.connection.execute(query.with_for_update())).one_or_none()
        if row is None:
            raise SessionNotFound(f"no session {session_id}")
        return _session(row)

    async def page(self, user_id: str, request: PageRequest, now: datetime) -> Page[Session]:
        query = select(sessions).where(self.mine(sessions), sessions.c.user_id == user_id, sessions.c.expires_at > now)
        if request.after is not None:
            query = query.where(sessions.c.id > UUID(request.after[0]))
        rows = await self.connection.execute(query.order_by(sessions.c.id).limit(request.size + 1))
        found = [_session(row) for row in rows]
        shown = tuple(found[: request.size])
        return Page(shown, (shown[-1].id,) if len(found) > request.size else None)

    async def authenticate(self, session_id: str, authentication: Authentication) -> None:
        await self.connection.execute(
            update(sessions)
            .where(self.mine(sessions), sessions.c.id == UUID(session_id))
            .values(authenticated_at=authentication.at, methods=sorted(authentication.methods))
        )

    async def end(self, session_id: str) -> None:
        await self.connection.execute(delete(sessions).where(self.mine(sessions), sessions.c.id == UUID(session_id)))

    async def end_all(self, user_id: str, but: str | None = None) -> Sequence[str]:
        ended = delete(sessions).where(self.mine(sessions), sessions.c.user_id == user_id).returning(sessions.c.id)
        ids = await self.connection.execute(ended if but is None else ended.where(sessions.c.id != UUID(but)))
        return [str(each) for each in ids.scalars()]

    async def forget_expired(self, user_id: str, now: datetime) -> None:
        await self.connection.execute(
            delete(sessions).where(self.mine(sessions), sessions.c.user_id == user_id, sessions.c.expires_at <= now)
        )

    async def _add_token(self, session_id: str, digest: bytes) -> None:
        await self.connection.execute(
            insert(refresh_tokens).values(
                organization_id=self.organization, digest=digest, session_id=UUID(session_id), spent=False
            )
        )


def _session(row: Row[Any]) -> Session:
    """Sessions that began before proofs were noted count as begun by a password."""
    return Session(
        str(row.id),
        row.user_id,
        row.started_at,
        row.expires_at,
        row.last_used_at or row.started_at,
        Authentication(row.authenticated_at or row.started_at, frozenset(map(Method, row.methods))),
        row.device,
    )


class PostgresThrottles(Repository, ThrottleRepository):
    async def peek(self, key: str) -> SignInThrottle:
        query = select(throttles).where(self.mine(throttles), throttles.c.key == key)
        row = (await self.connection.execute(query)).one_or_none()
        if row is None:
            return SignInThrottle(key)
        return SignInThrottle(key, row.failures, row.last_failure_at, row.locked_until)

    async def get(self, key: str) -> SignInThrottle:
        # A row lock needs a row; the first failure has none.
        await self.connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 1))"), {"key": key})
        return await self.peek(key)

    async def save(self, throttle: SignInThrottle) -> None:
        values = {
            "failures": throttle.failures,
            "last_failure_at": throttle.last_failure_at,
            "locked_until": throttle.locked_until,
        }
        await self.connection.execute(
            insert(throttles)
            .values(organization_id=self.organization, key=throttle.key, **values)
            .on_conflict_do_update(index_elements=["organization_id", "key"], set_=values)
        )
        if throttle.last_failure_at is not None:
            await self._forget(throttle.last_failure_at - FAILURES_FORGOTTEN_AFTER)

    async def _forget(self, before: datetime) -> None:
        old = select(throttles.c.key).where(self.mine(throttles), throttles.c.last_failure_at < before)
        old = old.order_by(throttles.c.last_failure_at).limit(_FORGOTTEN_AT_ONCE).with_for_update(skip_locked=True)
        await self.connection.execute(delete(throttles).where(self.mine(throttles), throttles.c.key.in_(old)))

    async def clear(self, key: str) -> None:
        await self.connection.execute(delete(throttles).where(self.mine(throttles), throttles.c.key == key))


class PostgresSigningKeys(Repository, SigningKeyRepository):
    async def all(self) -> Sequence[SigningKey]:
        rows = await self.connection.execute(
            select(signing_keys).where(self.mine(signing_keys)).order_by(signing_keys.c.not_before)
        )
        return [SigningKey(row.kid, PublicKey(row.x, row.y), row.sealed_private, row.not_before, row.retire_at) for row in rows]

    async def lock(self) -> None:
        await self.connection.execute(select(func.pg_advisory_xact_lock(func.hashtext("paideia signing keys"))))

    async def save(self, key: SigningKey) -> None:
        await self.connection.execute(
            insert(signing_keys)
            .values(
                organization_id=self.organization,
                kid=key.kid,
                x=key.public.x,
                y=key.public.y,
                sealed_private=key.sealed_private,
                not_before=key.not_before,
                retire_at=key.retire_at,
            )
            .on_conflict_do_update(index_elements=["organization_id", "kid"], set_={"retire_at": key.retire_at})
        )

    async def forget_retired(self, now: datetime) -> None:
        await self.connection.execute(delete(signing_keys).where(self.mine(signing_keys), signing_keys.c.retire_at <= now))
