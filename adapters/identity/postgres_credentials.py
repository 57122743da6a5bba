"""Second factors and challenges in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from adapters.identity.postgres_tables import Repository, challenges, passkeys, recovery_codes, totp_factors
from domain.identity.challenges import Challenge, Factors, Kind
from domain.identity.credential_ports import ChallengeRepository, FactorRepository
from domain.identity.passkeys import Passkey
from domain.identity.recovery import RecoveryCode
from domain.identity.step_up import Method
from domain.identity.totp import TotpFactor

_FORGOTTEN_AT_ONCE = 20


class PostgresFactors(Repository, FactorRepository):
    async def of(self, user_id: str) -> Factors:
        totp = (
            await self.connection.execute(select(totp_factors).where(self.mine(totp_factors), totp_factors.c.user_id == user_id))
        ).one_or_none()
        keys = await self.connection.execute(
            select(passkeys)
            .where(self.mine(passkeys), passkeys.c.user_id == user_id)
            .order_by(passkeys.c.created_at, passkeys.c.id)
        )
        codes = await self.connection.execute(
            select(recovery_codes).where(self.mine(recovery_codes), recovery_codes.c.user_id == user_id)
        )
        return Factors(
            None
            if totp is None
            else TotpFactor(totp.user_id, totp.sealed_secret, totp.enrolled_at, totp.confirmed_at, totp.last_step),
            tuple(map(_passkey, keys)),
            tuple(RecoveryCode(row.digest, row.used_at) for row in codes),
        )

    async def save_totp(self, factor: TotpFactor) -> None:
        values = {
            "sealed_secret": factor.sealed_secret,
            "enrolled_at": factor.enrolled_at,
            "confirmed_at": factor.confirmed_at,
            "last_step": factor.last_step,
        }
        await self.connection.execute(
            insert(totp_factors)
            .values(organization_id=self.organization, user_id=factor.user, **values)
            .on_conflict_do_update(index_elements=["organization_id", "user_id"], set_=values)
        )

    async def drop_totp(self, user_id: str) -> None:
        await self.connection.execute(delete(totp_factors).where(self.mine(totp_factors), totp_factors.c.user_id == user_id))

    async def replace_recovery_codes(self, user_id: str, digests: Sequence[bytes]) -> None:
        await self.connection.execute(
            delete(recovery_codes).where(self.mine(recovery_codes), recovery_codes.c.user_id == user_id)
        )
        if digests:
            rows = [{"organization_id": self.organization, "user_id": user_id, "digest": each} for each in digests]
            await self.connection.execute(insert(recovery_codes), rows)

    async def use_recovery_code(self, user_id: str, digest: bytes, now: datetime) -> None:
        await self.connection.execute(
            update(recovery_codes)
            .where(self.mine(recovery_codes), recovery_codes.c.user_id == user_id, recovery_codes.c.digest == digest)
            .values(used_at=now)
        )

    async def add_passkey(self, passkey: Passkey) -> bool:
        added = await self.connection.execute(
            insert(passkeys)
            .values(
                organization_id=self.organization,
                id=UUID(passkey.id),
                user_id=passkey.user,
                credential_id=passkey.credential_id,
                public_key=passkey.public_key,
                sign_count=passkey.sign_count,
                display_name=passkey.display_name,
                created_at=passkey.created_at,
                last_used_at=passkey.last_used_at,
            )
            .on_conflict_do_nothing(index_elements=["organization_id", "credential_id"])
        )
        return bool(added.rowcount)

    async def find_passkey(self, credential_id: bytes) -> Passkey | None:
        query = select(passkeys).where(self.mine(passkeys), passkeys.c.credential_id == credential_id)
        row = (await self.connection.execute(query)).one_or_none()
        return None if row is None else _passkey(row)

    async def save_passkey(self, passkey: Passkey) -> None:
        await self.connection.execute(
            update(passkeys)
            .where(self.mine(passkeys), passkeys.c.id == UUID(passkey.id))
            .values(sign_count=passkey.sign_count, display_name=passkey.display_name, last_used_at=passkey.last_used_at)
        )

    async def drop_passkey(self, passkey_id: str) -> None:
        await self.connection.execute(delete(passkeys).where(self.mine(passkeys), passkeys.c.id == UUID(passkey_id)))


def _passkey(row: Row[Any]) -> Passkey:
    return Passkey(
        str(row.id),
        row.user_id,
        row.credential_id,
        row.public_key,
        row.sign_count,
        row.display_name,
        row.created_at,
        row.last_used_at,
    )


class PostgresChallenges(Repository, ChallengeRepository):
    async def put(self, challenge: Challenge, digest: bytes, now: datetime) -> None:
        old = select(challenges.c.id).where(self.mine(challenges), challenges.c.expires_at <= now)
        old = old.order_by(challenges.c.expires_at).limit(_FORGOTTEN_AT_ONCE).with_for_update(skip_locked=True)
        await self.connection.execute(delete(challenges).where(self.mine(challenges), challenges.c.id.in_(old)))
        await self.connection.execute(
            insert(challenges).values(
                organization_id=self.organization,
                id=UUID(challenge.id),
                digest=digest,
                kind=challenge.kind,
                user_id=challenge.user,
                session_id=None if challenge.session is None else UUID(challenge.session),
                methods=sorted(challenge.methods),
                expires_at=challenge.expires_at,
            )
        )

    async def peek(self, challenge_id: str, digest: bytes) -> Challenge | None:
        query = select(challenges).where(
            self.mine(challenges), challenges.c.id == UUID(challenge_id), challenges.c.digest == digest
        )
        row = (await self.connection.execute(query)).one_or_none()
        return None if row is None else _challenge(row)

    async def take(self, challenge_id: str, digest: bytes) -> Challenge | None:
        taken = delete(challenges).where(
            self.mine(challenges), challenges.c.id == UUID(challenge_id), challenges.c.digest == digest
        )
        row = (await self.connection.execute(taken.returning(*challenges.c))).one_or_none()
        return None if row is None else _challenge(row)


def _challenge(row: Row[Any]) -> Challenge:
    return Challenge(
        str(row.id),
        Kind(row.kind),
        row.user_id,
        row.expires_at,
        None if row.session_id is None else str(row.session_id),
        frozenset(map(Method, row.methods)),
    )
