"""Heads signed as JSON Web Signatures (RFC 7515, EdDSA of RFC 8037), which any JOSE library verifies."""

import base64
import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from domain.audit.model import SignedEnd, microseconds
from domain.audit.ports import HeadSigner


class Ed25519HeadSigner(HeadSigner):
    def __init__(self, key: bytes, earlier: Sequence[str] = ()) -> None:
        """`key` are the 32 bytes of an Ed25519 private key; `earlier` the public keys of those before it, as `public_keys` has them, the latest
        first. Raises ValueError if one of them is none."""
        self._key = Ed25519PrivateKey.from_private_bytes(key)
        own = _base64url(self._key.public_key().public_bytes_raw())
        self._public = {each: Ed25519PublicKey.from_public_bytes(_bytes(each)) for each in dict.fromkeys((own, *earlier))}
        self._header = _encoded({"alg": "EdDSA", "typ": "paideia-audit-head+jwt"})

    @property
    def public_keys(self) -> Sequence[str]:
        return tuple(self._public)

    def sign(self, end: SignedEnd, now: datetime) -> str:
        claims = {"org": end.organization, "seq": end.sequence, "hash": end.hash.hex(), "at": microseconds(now)}
        signed = f"{self._header}.{_encoded(claims)}"
        return f"{signed}.{_base64url(self._key.sign(signed.encode()))}"

    def key_of(self, signature: str) -> str:
        header, _, rest = signature.partition(".")
        payload, _, signed = rest.partition(".")
        if header != self._header:
            return ""
        for name, key in self._public.items():
            with suppress(InvalidSignature, ValueError):
                key.verify(_bytes(signed), f"{header}.{payload}".encode())
                return name
        return ""

    def read(self, signature: str) -> SignedEnd | None:
        if not self.key_of(signature):
            return None
        claims = json.loads(_bytes(signature.split(".")[1]))
        return SignedEnd(claims["org"], claims["seq"], bytes.fromhex(claims["hash"]))


def _encoded(value: dict[str, object]) -> str:
    return _base64url(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
