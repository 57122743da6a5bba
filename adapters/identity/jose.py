"""Access tokens: ES256 JWTs, signed with keys that are at rest only as AES-256-GCM ciphertext."""

import json
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import uuid4

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from joserfc import jwt
from joserfc.jwk import ECKey

from adapters.identity.vault import NONCE_BYTES, AesVault
from domain.identity.credential_ports import UnreadableSecret
from domain.identity.ports import TokenSigner
from domain.identity.programs import Grant
from domain.identity.sessions import ACCESS_TOKEN_LIFE, PublicKey, SigningKey
from domain.identity.step_up import Authentication
from domain.shared.caller import Role


class JoseSigner(TokenSigner):
    """`encryption_key` has 32 bytes and seals private keys, as the vault seals; the key id is bound to the ciphertext."""

    def __init__(self, encryption_key: bytes, previous: Sequence[bytes] = ()) -> None:
        self._vault = AesVault(encryption_key, previous)
        # Releases before this one sealed under the encryption key itself.
        self._older = [AESGCM(each) for each in (encryption_key, *previous)]
        self._opened = lru_cache(maxsize=8)(self._open)

    def new_key(self, not_before: datetime) -> SigningKey:
        pair = ECKey.generate_key("P-256")
        kid = pair.thumbprint()
        jwk = pair.as_dict(private=True)
        sealed = self._vault.seal(json.dumps(jwk).encode(), _context(kid))
        return SigningKey(kid, PublicKey(str(jwk["x"]), str(jwk["y"])), sealed, not_before)

    def opens(self, key: SigningKey) -> bool:
        try:
            self._opened(key.kid, key.sealed_private)
        except UnreadableSecret:
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
        grant: Grant | None = None,
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
        if grant is not None:
            claims |= {"client_id": grant.client_id, "scope": " ".join(sorted(grant.scopes))}
        header = {"alg": "ES256", "typ": "JWT", "kid": key.kid}
        return jwt.encode(header, claims, self._opened(key.kid, key.sealed_private), algorithms=["ES256"])

    def _open(self, kid: str, sealed: bytes) -> ECKey:
        try:
            return ECKey.import_key(json.loads(self._vault.open(sealed, _context(kid))))
        except UnreadableSecret:
            for cipher in self._older:
                try:
                    return ECKey.import_key(json.loads(cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], kid.encode())))
                except InvalidTag:
                    continue
            raise


def _context(kid: str) -> str:
    return f"signing key {kid}"
