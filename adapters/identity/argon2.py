"""Passwords by argon2id, in threads of their own."""

import asyncio
import os
import secrets
import unicodedata
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from nacl.exceptions import CryptoError
from nacl.pwhash import argon2id

from adapters.identity.zxcvbn import score
from domain.identity.ports import PasswordHasher
from domain.shared.errors import LimitReached

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one guess costs: 7 MiB five times over in one lane, one of the settings that OWASP's password storage cheat sheet calls equal.

    Of these it is the one that costs this side least: its memory is cheapest to get from the kernel, and stays in the processor's cache.
    A class that signs in together at eight o'clock has to get in, too; another cost reaches each hash at its next sign-in.
    """

    passes: int = 5
    memory_kib: int = 7 * 1024


class Argon2Passwords(PasswordHasher):
    """As many at once as there are cores: libsodium lets go of the interpreter lock, and the event loop never waits.

    libsodium, because it takes the widest vector instructions that the processor has. `longest_queue` bounds how many wait; beyond it a
    caller is told to come back, which is kinder than a time-out.
    """

    def __init__(self, cost: Cost | None = None, longest_queue: int = 100) -> None:
        self._cost = cost or Cost()
        self._threads = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="argon2")
        self._longest_queue = longest_queue
        self._waiting = 0
        # Nobody knows this password; comparing with it costs what comparing with a real one does.
        self._nobodys = self._hash(secrets.token_hex())

    async def hash(self, password: str) -> str:
        return await self._apart(lambda: self._hash(password))

    async def verify(self, password: str, password_hash: str | None) -> bool:
        matches = await self._apart(lambda: self._matches(password, password_hash or self._nobodys))
        return matches and password_hash is not None

    async def guessability(self, password: str, personal: Sequence[str]) -> int:
        return await self._apart(lambda: score(password, personal))

    def outdated(self, password_hash: str) -> bool:
        return not password_hash.startswith(f"$argon2id$v=19$m={self._cost.memory_kib},t={self._cost.passes},p=1$")

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _hash(self, password: str) -> str:
        return argon2id.str(_normalised(password), opslimit=self._cost.passes, memlimit=self._cost.memory_kib * 1024).decode()

    def _matches(self, password: str, password_hash: str) -> bool:
        try:
            return argon2id.verify(password_hash.encode(), _normalised(password))
        except CryptoError:  # wrong, too long, or no hash at all
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
