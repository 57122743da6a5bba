"""Secrets at rest: AES-256-GCM and HMAC-SHA-256, under keys derived from identity's encryption key."""

import hmac
import secrets
from collections.abc import Sequence
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from domain.identity.credential_ports import UnreadableSecret, Vault
from domain.identity.sealing import KeyVault
from domain.shared.errors import Unavailable

NONCE_BYTES = 12
_KEY_ID_BYTES = 8
_VERSION = b"\x01"


class AesVault(Vault):
    """`encryption_key` has 32 bytes. Each use has a key of its own (HKDF, RFC 5869), so that none gives another away.

    What it seals names the key that sealed it, and opens under any of `previous`, too; releases that named none left what is tried
    under each. Fingerprints are compared for years and cannot be made anew without what they were made of, so they stay with the
    oldest key.
    """

    def __init__(self, encryption_key: bytes, previous: Sequence[bytes] = ()) -> None:
        keys = (encryption_key, *previous)
        if any(len(each) != 32 for each in keys):
            raise ValueError("the encryption key of identity must be 32 bytes")
        self._ciphers = {_key_id(each): AESGCM(derived(each, b"paideia identity: seal")) for each in keys}
        self._current = next(iter(self._ciphers))
        self._key = derived(keys[-1], b"paideia identity: fingerprint")

    def seal(self, plain: bytes, context: str) -> bytes:
        head, nonce = self.head, secrets.token_bytes(NONCE_BYTES)
        return head + nonce + self._ciphers[self._current].encrypt(nonce, plain, head + context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        head, rest = sealed[: 1 + _KEY_ID_BYTES], sealed[1 + _KEY_ID_BYTES :]
        if head[:1] == _VERSION and (cipher := self._ciphers.get(head[1:])) is not None:
            opened = _opened(cipher, rest, head + context.encode())
            if opened is not None:
                return opened
        for cipher in self._ciphers.values():
            opened = _opened(cipher, sealed, context.encode())
            if opened is not None:
                return opened
        raise UnreadableSecret

    @property
    def head(self) -> bytes:
        return _VERSION + self._current

    def fingerprint(self, plain: str, context: str) -> bytes:
        return hmac.digest(self._key, f"{context}\0{plain}".encode(), "sha256")


class KeyVaultRefuses(Unavailable):
    """The vault answered, and will answer the same until somebody changes its settings or these."""


class SecretKeyVault(KeyVault):
    """Wraps keys under the encryption key of identity's secrets: for a platform without a key management service."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def current(self) -> str:
        return f"secret/{self._vault.head.hex()}"

    async def wrap(self, key: bytes, context: str) -> bytes:
        return self._vault.seal(key, f"key of {context}")

    async def unwrap(self, wrapped: bytes, context: str) -> bytes:
        return self._vault.open(wrapped, f"key of {context}")


def derived(key: bytes, use: bytes) -> bytes:
    """Returns 32 bytes for one use of a key."""
    return HKDF(SHA256(), 32, None, use).derive(key)


def _key_id(key: bytes) -> bytes:
    return sha256(b"paideia identity: key id" + derived(key, b"paideia identity: name")).digest()[:_KEY_ID_BYTES]


def _opened(cipher: AESGCM, sealed: bytes, associated: bytes) -> bytes | None:
    try:
        return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], associated)
    except (InvalidTag, ValueError):
        return None
