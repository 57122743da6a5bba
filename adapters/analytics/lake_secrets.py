"""What stands for learners in the lake, over PostgreSQL: a keyed digest under the organization's key and a secret of each learner's own."""

import hmac
import secrets
from collections.abc import Mapping, Sequence
from hashlib import sha256

from sqlalchemy import TextClause, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.shared.erased_people import digest_of
from adapters.shared.postgres import BIND_ORGANIZATION, translated
from domain.analytics.lake import Pseudonyms

_MAKE = text(
    "INSERT INTO lake_learners (organization_id, learner, secret) "
    "SELECT :organization, learner, secret "
    "FROM unnest(CAST(:learners AS text[]), CAST(:secrets AS bytea[]), CAST(:digests AS bytea[])) AS new (learner, secret, digest) "
    "WHERE NOT EXISTS (SELECT FROM erased_people e WHERE e.organization_id = :organization AND e.digest = new.digest) "
    "ON CONFLICT DO NOTHING"
)
_READ = text("SELECT learner, secret FROM lake_learners WHERE learner = ANY(CAST(:learners AS text[]))")
_FORGET = text("DELETE FROM lake_learners WHERE organization_id = :organization AND learner = :learner")
_SECRET_BYTES = 16
_DIGITS = 32


def pseudonym(key: bytes, organization: str, learner: str, secret: bytes) -> str:
    """Returns 32 hexadecimal digits that need the platform's key and the learner's secret to be made again."""
    of_organization = hmac.digest(key, organization.encode(), sha256)
    return hmac.digest(of_organization, secret + learner.encode(), sha256).hex()[:_DIGITS]


class PostgresPseudonyms(Pseudonyms):
    """Nothing is remembered between calls, so that a forgotten secret is forgotten at once."""

    def __init__(self, engine: AsyncEngine, key: bytes) -> None:
        if len(key) < 32:
            raise ValueError("the lake's key must be at least 32 bytes")
        self._engine = engine
        self._key = key

    async def of(self, organization: str, learners: Sequence[str]) -> Mapping[str, str]:
        wanted = sorted(set(learners))
        found = await self._read(organization, wanted)
        if missing := [each for each in wanted if each not in found]:
            # What another writer made a moment before stays.
            fresh = [secrets.token_bytes(_SECRET_BYTES) for _ in missing]
            digests = [digest_of(organization, each) for each in missing]
            await self._change(organization, _MAKE, {"learners": missing, "secrets": fresh, "digests": digests})
            found |= await self._read(organization, missing)
        return {learner: pseudonym(self._key, organization, learner, secret) for learner, secret in found.items()}

    async def forget(self, organization: str, learner: str) -> bool:
        return await self._change(organization, _FORGET, {"learner": learner}) > 0

    async def _read(self, organization: str, learners: Sequence[str]) -> dict[str, bytes]:
        try:
            async with self._engine.connect() as connection:
                await connection.execute(BIND_ORGANIZATION, {"organization": organization})
                rows = await connection.execute(_READ, {"learners": list(learners)})
                return {row.learner: bytes(row.secret) for row in rows}
        except (OSError, DBAPIError, PoolTimeout) as error:
            raise translated(error) from error

    async def _change(self, organization: str, statement: TextClause, values: Mapping[str, object]) -> int:
        try:
            async with self._engine.begin() as connection:
                await connection.execute(BIND_ORGANIZATION, {"organization": organization})
                return (await connection.execute(statement, {**values, "organization": organization})).rowcount
        except (OSError, DBAPIError, PoolTimeout) as error:
            raise translated(error) from error
