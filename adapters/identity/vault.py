"""Secrets at rest: AES-256-GCM and HMAC-SHA-256, under keys derived from identity's encryption key."""

import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from domain.identity.credential_ports import UnreadableSecret, Vault

_NONCE_BYTES = 12


class AesVault(Vault):
    """`encryption_key` has 32 bytes. Each use has a key of its own (HKDF, RFC 5869), so that none gives another away."""

    def __init__(self, encryption_key: bytes) -> None:
        if len(encryption_key) != 32:
            raise ValueError("the encryption key of identity must be 32 bytes")
        self._cipher = AESGCM(_derived(encryption_key, b"paideia identity: seal"))
        self._key = _derived(encryption_key, b"paideia identity: fingerprint")

    def seal(self, plain: bytes, context: str) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context.encode())
        except (InvalidTag, ValueError):
            raise UnreadableSecret from None

    def fingerprint(self, plain: str, context: str) -> bytes:
        return hmac.digest(self._key, f"{context}\0{plain}".encode(), "sha256")


def _derived(key: bytes, use: bytes) -> bytes:
    return HKDF(SHA256(), 32, None, use).derive(key)
