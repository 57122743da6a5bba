"""Passkeys: key pairs that never leave the device they are on (W3C Web Authentication, level 2)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from domain.identity.model import checked_name
from domain.shared.errors import AlreadyExists, InvalidInput, NotAllowedNow, NotFound

MOST_PASSKEYS = 20
LONGEST_CREDENTIAL = 16_384
"""Characters of the JSON a browser sends; attestation is not asked for, so a real one has about 1,000."""


class PasskeyNotFound(NotFound):
    reason = "PASSKEY_NOT_FOUND"


class PasskeyRefused(InvalidInput):
    """Registering one failed; signing in with one fails as FactorRefused."""

    reason = "PASSKEY_REFUSED"


class PasskeyAlreadyRegistered(AlreadyExists):
    reason = "PASSKEY_ALREADY_REGISTERED"

    def __init__(self) -> None:
        super().__init__("this passkey is registered already")


class TooManyPasskeys(NotAllowedNow):
    reason = "TOO_MANY_PASSKEYS"

    def __init__(self) -> None:
        super().__init__(f"an account has at most {MOST_PASSKEYS} passkeys: revoke one first")


@dataclass(frozen=True, slots=True)
class Passkey:
    """A public key of a user's. `credential_id` is the authenticator's name for it, `public_key` its COSE encoding."""

    id: str
    user: str
    credential_id: bytes
    public_key: bytes
    sign_count: int
    display_name: str
    created_at: datetime
    last_used_at: datetime | None = None

    def counts_on(self, count: int) -> bool:
        """Whether a signature with this counter may follow. One that does not grow means that the key was copied; authenticators
        without a counter send 0 for ever (section 6.1.1)."""
        return count > self.sign_count or count == self.sign_count == 0

    def used(self, count: int, now: datetime) -> "Passkey":
        return replace(self, sign_count=count, last_used_at=now)

    def renamed(self, display_name: str) -> "Passkey":
        return replace(self, display_name=checked_name(display_name, "passkey.display_name", required=True))


@dataclass(frozen=True, slots=True)
class NewCredential:
    """What a registration proved."""

    credential_id: bytes
    public_key: bytes
    sign_count: int


@dataclass(frozen=True, slots=True)
class Assertion:
    """What a signature proved. `verified_user` says whether the device asked for a finger, a face or a PIN."""

    sign_count: int
    verified_user: bool


class RelyingParty(Protocol):
    """This platform, as browsers and authenticators know it. Challenges are 32 bytes; what browsers exchange is JSON."""

    def registration_options(self, user: str, user_handle: bytes, challenge: bytes, known: Sequence[bytes]) -> str: ...

    def registered(self, credential: str, challenge: bytes) -> NewCredential:
        """Raises PasskeyRefused."""
        ...

    def sign_in_options(self, challenge: bytes, allowed: Sequence[bytes]) -> str:
        """`allowed` are credential ids; none lets the browser offer whatever it has for this platform."""
        ...

    def credential_id(self, credential: str) -> bytes | None:
        """The credential that a signature claims to be by, proving nothing; None if it cannot be read."""
        ...

    def asserted(self, credential: str, challenge: bytes, passkey: Passkey) -> Assertion | None:
        """None if the signature is not good for this challenge, platform and key."""
        ...


def checked_credential(credential: str, field: str) -> str:
    if not 1 <= len(credential) <= LONGEST_CREDENTIAL:
        raise InvalidInput.of(field, f"must be the JSON of a PublicKeyCredential, at most {LONGEST_CREDENTIAL} characters")
    return credential


def own_passkey(passkeys: Sequence[Passkey], passkey_id: str) -> Passkey:
    """Returns one of a user's own, or raises PasskeyNotFound."""
    found = next((each for each in passkeys if each.id == passkey_id), None)
    if found is None:
        raise PasskeyNotFound(f"no passkey {passkey_id}")
    return found
