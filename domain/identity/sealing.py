"""Personal data at rest: who wraps keys, and the work of renewing them while the platform runs.

Three levels. A key vault wraps the key of each organization; an organization's key wraps the key of each of its people; a person's key
seals their name and address. Destroying the last makes what it sealed unreadable, whatever copies there are of it.
"""

from dataclasses import dataclass
from typing import Protocol

MOST_AT_ONCE = 500


class KeyVault(Protocol):
    """Wraps keys under one that never leaves it. `context` is bound to what is wrapped: it unwraps under the same one only."""

    async def current(self) -> str:
        """Names the key, and its version, that wraps now. Raises Unavailable."""
        ...

    async def wrap(self, key: bytes, context: str) -> bytes:
        """Raises Unavailable."""
        ...

    async def unwrap(self, wrapped: bytes, context: str) -> bytes:
        """Raises UnreadableSecret if it was wrapped by another vault, for another context, or changed; Unavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Resealed:
    """What a batch did: rows sealed or wrapped anew, and how many are left."""

    done: int
    remaining: int


class SealingRepository(Protocol):
    """How the personal data of the unit's organization is sealed."""

    async def renew_keys(self) -> None:
        """Gives the organization a new key, and has every key of it wrapped by the vault's current one. Older ones stay readable."""

    async def reseal(self, most: int, *, afresh: bool) -> Resealed:
        """Seals rows that are not sealed, and wraps anew what the newest key did not wrap; `afresh`: under new keys of their own, too.

        Rows that others are changing right now are left for the next batch.
        """
        ...

    async def forget_unused(self) -> int:
        """Destroys keys that nothing is sealed with any more and that nobody can be using. Returns how many."""
        ...
