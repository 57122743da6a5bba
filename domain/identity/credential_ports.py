"""What credentials need from outside."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from domain.identity.challenges import Challenge, Factors
from domain.identity.links import Link, Purpose
from domain.identity.passkeys import Passkey
from domain.identity.totp import TotpFactor


class FactorRepository(Protocol):
    """What users of the unit's organization have besides their passwords.

    Whoever changes a user's factors gets the user first (`users.get`), so that two who use one code come one after the other.
    """

    async def of(self, user_id: str) -> Factors: ...

    async def save_totp(self, factor: TotpFactor) -> None:
        """Replaces the one there may be."""

    async def drop_totp(self, user_id: str) -> None: ...

    async def replace_recovery_codes(self, user_id: str, digests: Sequence[bytes]) -> None:
        """None of the old ones is good any more."""

    async def use_recovery_code(self, user_id: str, digest: bytes, now: datetime) -> None: ...

    async def add_passkey(self, passkey: Passkey) -> bool:
        """False if the credential is registered in the organization already."""
        ...

    async def find_passkey(self, credential_id: bytes) -> Passkey | None: ...

    async def save_passkey(self, passkey: Passkey) -> None: ...

    async def drop_passkey(self, passkey_id: str) -> None: ...


class ChallengeRepository(Protocol):
    async def put(self, challenge: Challenge, digest: bytes, now: datetime) -> None:
        """Also drops some that have expired by now."""

    async def peek(self, challenge_id: str, digest: bytes) -> Challenge | None: ...

    async def take(self, challenge_id: str, digest: bytes) -> Challenge | None:
        """Returns it for the last time if the unit commits; of two who take it at once, one waits and gets None."""
        ...


class LinkRepository(Protocol):
    """Links sent by mail, and which addresses they proved."""

    async def add(self, link: Link, now: datetime) -> None:
        """Also drops some that have expired by now."""

    async def find(self, digest: bytes) -> Link | None: ...

    async def use(self, user_id: str, purpose: Purpose, now: datetime) -> None:
        """Marks every link that the user has for this purpose as used."""

    async def verify_email(self, user_id: str, email: str, now: datetime) -> None: ...

    async def is_verified(self, user_id: str, email: str) -> bool: ...


class Vault(Protocol):
    """Keeps secrets readable to this platform only. `context` is bound to what is sealed: it opens under the same one only."""

    @property
    def head(self) -> bytes:
        """What everything begins with that the key which seals now has sealed. It tells nothing of the key."""
        ...

    def seal(self, plain: bytes, context: str) -> bytes: ...

    def open(self, sealed: bytes, context: str) -> bytes:
        """Raises UnreadableSecret if it was sealed with another key or for another context."""
        ...

    def fingerprint(self, plain: str, context: str) -> bytes:
        """32 bytes that are the same for the same text, and tell nothing to whoever lacks the key."""
        ...


class UnreadableSecret(Exception):
    """The key that sealed it was lost or replaced, or somebody changed what was sealed."""
