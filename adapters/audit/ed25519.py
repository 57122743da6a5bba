"""Heads signed as JSON Web Signatures (RFC 7515, EdDSA of RFC 8037), which any JOSE library verifies."""

import base64
import binascii
import json
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.audit.model import SignedEnd, microseconds
from domain.audit.ports import HeadSigner


class Ed25519HeadSigner(HeadSigner):
    def __init__(self, key: bytes) -> None:
        """`key` are the 32 bytes of an Ed25519 private key."""
        self._key = Ed25519PrivateKey.from_private_bytes(key)
        self._header = _encoded({"alg": "EdDSA", "typ": "paideia-audit-head+jwt"})

    @property
    def public_key(self) -> str:
        return _base64url(self._key.public_key().public_bytes_raw())

    def sign(self, end: SignedEnd, now: datetime) -> str:
        claims = {"org": end.organization, "seq": end.sequence, "hash": end.hash.hex(), "at": microseconds(now)}
        signed = f"{self._header}.{_encoded(claims)}"
        return f"{signed}.{_base64url(self._key.sign(signed.encode()))}"

    def read(self, signature: str) -> SignedEnd | None:
        header, _, rest = signature.partition(".")
        payload, _, signed = rest.partition(".")
        if header != self._header:
            return None
        try:
            self._key.public_key().verify(_bytes(signed), f"{header}.{payload}".encode())
            claims = json.loads(_bytes(payload))
            return SignedEnd(claims["org"], claims["seq"], bytes.fromhex(claims["hash"]))
        except (InvalidSignature, binascii.Error, ValueError):
            return None


def _encoded(value: dict[str, object]) -> str:
    return _base64url(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
