"""Access tokens: ES256 JWTs, signed with keys that are at rest only as AES-256-GCM ciphertext."""

import json
import secrets
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import uuid4

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from joserfc import jwt
from joserfc.jwk import ECKey

from domain.identity.ports import TokenSigner
from domain.identity.sessions import ACCESS_TOKEN_LIFE, PublicKey, SigningKey
from domain.identity.step_up import Authentication
from domain.shared.caller import Role

_NONCE_BYTES = 12


class JoseSigner(TokenSigner):
    """`encryption_key` has 32 bytes and seals private keys; the key id is bound to the ciphertext."""

    def __init__(self, encryption_key: bytes) -> None:
        if len(encryption_key) != 32:
            raise ValueError("the encryption key of identity must be 32 bytes")
        self._cipher = AESGCM(encryption_key)
        self._opened = lru_cache(maxsize=8)(self._open)

    def new_key(self, not_before: datetime) -> SigningKey:
        pair = ECKey.generate_key("P-256")
        kid = pair.thumbprint()
        jwk = pair.as_dict(private=True)
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, json.dumps(jwk).encode(), kid.encode())
        return SigningKey(kid, PublicKey(str(jwk["x"]), str(jwk["y"])), sealed, not_before)

    def opens(self, key: SigningKey) -> bool:
        try:
            self._opened(key.kid, key.sealed_private)
        except InvalidTag:
            return False
        return True

    def sign(
        self,
        key: SigningKey,
        organization: str,
        user: str,
        roles: frozenset[Role],
        session: str,
        now: datetime,
        authentication: Authentication | None = None,
    ) -> str:
        issued = int(now.timestamp())
        claims: dict[str, Any] = {
            "iss": "paideia",
            "aud": "paideia",
            "sub": user,
            "org": organization,
            "roles": sorted(roles),
            "sid": session,
            "jti": str(uuid4()),
            "iat": issued,
            "exp": issued + int(ACCESS_TOKEN_LIFE.total_seconds()),
        }
        if authentication is not None:
            claims |= {"auth_time": int(authentication.at.timestamp()), "amr": sorted(authentication.methods)}
        header = {"alg": "ES256", "typ": "JWT", "kid": key.kid}
        return jwt.encode(header, claims, self._opened(key.kid, key.sealed_private), algorithms=["ES256"])

    def _open(self, kid: str, sealed: bytes) -> ECKey:
        opened = self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], kid.encode())
        return ECKey.import_key(json.loads(opened))
