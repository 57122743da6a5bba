"""Passwords by argon2id, in threads of their own."""

import asyncio
import os
import secrets
import unicodedata
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from argon2 import PasswordHasher as Argon2
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from adapters.identity.zxcvbn import score
from domain.identity.ports import PasswordHasher
from domain.shared.errors import LimitReached

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one guess costs: 19 MiB twice over in one lane, one of the equals of OWASP's password storage cheat sheet. Its 46 MiB once over
    took twice the time here, most of it for memory that the kernel has to clear, which an attacker does not pay.

    A class that signs in together at eight o'clock has to get in, too; raising the cost later reaches each hash at its next sign-in.
    """

    passes: int = 2
    memory_kib: int = 19 * 1024
    lanes: int = 1


class Argon2Passwords(PasswordHasher):
    """As many at once as there are cores: argon2 lets go of the interpreter lock, and the event loop never waits.

    `longest_queue` bounds how many wait; beyond it a caller is told to come back, which is kinder than a time-out.
    """

    def __init__(self, cost: Cost | None = None, longest_queue: int = 100) -> None:
        cost = cost or Cost()
        self._argon2 = Argon2(time_cost=cost.passes, memory_cost=cost.memory_kib, parallelism=cost.lanes)
        self._threads = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="argon2")
        self._longest_queue = longest_queue
        self._waiting = 0
        # Nobody knows this password; comparing with it costs what comparing with a real one does.
        self._nobodys = self._argon2.hash(secrets.token_hex())

    async def hash(self, password: str) -> str:
        return await self._apart(lambda: self._argon2.hash(_normalised(password)))

    async def verify(self, password: str, password_hash: str | None) -> bool:
        matches = await self._apart(lambda: self._matches(password, password_hash or self._nobodys))
        return matches and password_hash is not None

    async def guessability(self, password: str, personal: Sequence[str]) -> int:
        return await self._apart(lambda: score(password, personal))

    def outdated(self, password_hash: str) -> bool:
        return self._argon2.check_needs_rehash(password_hash)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _matches(self, password: str, password_hash: str) -> bool:
        try:
            return self._argon2.verify(password_hash, _normalised(password))
        except (VerifyMismatchError, VerificationError, InvalidHashError):
            return False

    async def _apart(self, work: Callable[[], T]) -> T:
        if self._waiting >= self._longest_queue:
            raise LimitReached("too many are signing in at this moment")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1


def _normalised(password: str) -> bytes:
    """The same bytes from every keyboard (NIST SP 800-63B, section 5.1.1.2)."""
    return unicodedata.normalize("NFKC", password).encode()
