"""Whom a context has erased, for ever: as digests, so that its tables name nobody, and with how many messages about each were dropped since.

A digest is SHA-256 over the organization and the id: what is known can be looked up, what is not known is not told.
"""

import time
from collections.abc import Callable, Collection, Mapping
from hashlib import sha256

import asyncpg

from adapters.shared.asyncpg_unit import AsyncpgUnit

REMEMBER = "INSERT INTO erased_people (organization_id, digest) VALUES ($1, $2) ON CONFLICT DO NOTHING"
_READ = "SELECT digest FROM erased_people WHERE organization_id = $1"
_COUNT = """
UPDATE erased_people e SET dropped = e.dropped + new.dropped, dropped_at = now()
FROM unnest($2::bytea[], $3::bigint[]) AS new (digest, dropped) WHERE e.organization_id = $1 AND e.digest = new.digest
"""
_FRESH_SECONDS = 60.0
_MOST_ORGANIZATIONS = 10_000


def digest_of(organization: str, person: str) -> bytes:
    return sha256(f"{organization}/{person}".encode()).digest()


class ErasedPeople:
    """What another process has erased is known here after a minute; what slips through until then goes when identity gives its order a
    second time."""

    def __init__(self, pool: asyncpg.Pool, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._monotonic = monotonic
        self._known: dict[str, tuple[float, frozenset[bytes]]] = {}

    async def among(self, organization: str, people: Collection[str]) -> frozenset[str]:
        """Raises Unavailable."""
        known = await self._of(organization)
        return frozenset(each for each in people if digest_of(organization, each) in known) if known else frozenset()

    async def count(self, organization: str, dropped: Mapping[str, int]) -> None:
        """Adds to how many messages about these people were dropped. Raises Unavailable."""
        digests = [digest_of(organization, each) for each in dropped]
        async with AsyncpgUnit(self._pool, organization) as unit:
            await unit.connection.execute(_COUNT, organization, digests, list(dropped.values()))
            await unit.commit()

    async def _of(self, organization: str) -> frozenset[bytes]:
        until, known = self._known.get(organization, (0.0, frozenset()))
        if self._monotonic() < until:
            return known
        async with AsyncpgUnit(self._pool, organization) as unit:
            known = frozenset(bytes(row[0]) for row in await unit.connection.fetch(_READ, organization))
        if len(self._known) >= _MOST_ORGANIZATIONS:
            self._known.clear()
        self._known[organization] = (self._monotonic() + _FRESH_SECONDS, known)
        return known
