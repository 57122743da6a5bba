"""Credentials in memory: the same promises as PostgreSQL, for one process. Units take turns, so nobody waits for anybody here."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from domain.identity.challenges import Challenge, Factors
from domain.identity.credential_ports import ChallengeRepository, FactorRepository, LinkRepository
from domain.identity.links import Link, Purpose
from domain.identity.mail_queue import Mail
from domain.identity.passkeys import Passkey
from domain.identity.recovery import RecoveryCode
from domain.identity.totp import TotpFactor


@dataclass
class CredentialState:
    """What one organization's users have; recovery codes by user and digest, challenges by id and digest."""

    totp: dict[str, TotpFactor] = field(default_factory=dict)
    codes: dict[tuple[str, bytes], RecoveryCode] = field(default_factory=dict)
    passkeys: dict[str, Passkey] = field(default_factory=dict)
    challenges: dict[tuple[str, bytes], Challenge] = field(default_factory=dict)
    links: dict[bytes, Link] = field(default_factory=dict)
    verified: dict[str, str] = field(default_factory=dict)
    mails: list[Mail] = field(default_factory=list)

    def copy(self) -> "CredentialState":
        return CredentialState(
            dict(self.totp),
            dict(self.codes),
            dict(self.passkeys),
            dict(self.challenges),
            dict(self.links),
            dict(self.verified),
            list(self.mails),
        )


class _OfState:
    def __init__(self, state: CredentialState) -> None:
        self._state = state


class MemoryFactors(_OfState, FactorRepository):
    async def of(self, user_id: str) -> Factors:
        passkeys = [each for each in self._state.passkeys.values() if each.user == user_id]
        codes = [code for (user, _), code in self._state.codes.items() if user == user_id]
        passkeys.sort(key=lambda each: (each.created_at, each.id))
        return Factors(self._state.totp.get(user_id), tuple(passkeys), tuple(codes))

    async def save_totp(self, factor: TotpFactor) -> None:
        self._state.totp[factor.user] = factor

    async def drop_totp(self, user_id: str) -> None:
        self._state.totp.pop(user_id, None)

    async def replace_recovery_codes(self, user_id: str, digests: Sequence[bytes]) -> None:
        for known in [known for known in self._state.codes if known[0] == user_id]:
            del self._state.codes[known]
        self._state.codes.update({(user_id, digest): RecoveryCode(digest) for digest in digests})

    async def use_recovery_code(self, user_id: str, digest: bytes, now: datetime) -> None:
        self._state.codes[user_id, digest] = RecoveryCode(digest, now)

    async def add_passkey(self, passkey: Passkey) -> bool:
        if await self.find_passkey(passkey.credential_id) is not None:
            return False
        self._state.passkeys[passkey.id] = passkey
        return True

    async def find_passkey(self, credential_id: bytes) -> Passkey | None:
        return next((each for each in self._state.passkeys.values() if each.credential_id == credential_id), None)

    async def save_passkey(self, passkey: Passkey) -> None:
        self._state.passkeys[passkey.id] = passkey

    async def drop_passkey(self, passkey_id: str) -> None:
        self._state.passkeys.pop(passkey_id, None)


class MemoryChallenges(_OfState, ChallengeRepository):
    async def put(self, challenge: Challenge, digest: bytes, now: datetime) -> None:
        for known, old in list(self._state.challenges.items()):
            if not old.open(now):
                del self._state.challenges[known]
        self._state.challenges[challenge.id, digest] = challenge

    async def peek(self, challenge_id: str, digest: bytes) -> Challenge | None:
        return self._state.challenges.get((challenge_id, digest))

    async def take(self, challenge_id: str, digest: bytes) -> Challenge | None:
        return self._state.challenges.pop((challenge_id, digest), None)


class MemoryLinks(_OfState, LinkRepository):
    async def add(self, link: Link, now: datetime) -> None:
        for old in list(self._state.links.values()):
            if old.expires_at <= now:
                del self._state.links[old.digest]
        self._state.links[link.digest] = link

    async def find(self, digest: bytes) -> Link | None:
        return self._state.links.get(digest)

    async def use(self, user_id: str, purpose: Purpose, now: datetime) -> None:
        for link in list(self._state.links.values()):
            if link.user == user_id and link.purpose is purpose and link.used_at is None:
                self._state.links[link.digest] = replace(link, used_at=now)

    async def verify_email(self, user_id: str, email: str, now: datetime) -> None:
        self._state.verified[user_id] = email

    async def is_verified(self, user_id: str, email: str) -> bool:
        return self._state.verified.get(user_id) == email
