"""Access tokens: ES256 JWTs, signed with keys that are at rest only as AES-256-GCM ciphertext; and reading them again."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid4

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from adapters.identity.vault import NONCE_BYTES, AesVault
from domain.identity.credential_ports import UnreadableSecret
from domain.identity.ports import TokenSigner
from domain.identity.programs import Grant, ProgramToken
from domain.identity.programs_ports import TokenReader
from domain.identity.sessions import ACCESS_TOKEN_LIFE, PublicKey, SigningKey
from domain.identity.step_up import Authentication
from domain.shared.caller import Role
from domain.shared.plans import Plan

_AUDIENCE = "paideia"
_LONGEST_TOKEN = 8192


class JoseSigner(TokenSigner):
    """`issuer` is the platform's public URL. `encryption_key` has 32 bytes and seals private keys, as the vault seals; the key id is bound
    to the ciphertext."""

    def __init__(self, encryption_key: bytes, issuer: str, previous: Sequence[bytes] = ()) -> None:
        self._issuer = issuer
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
        plan: Plan = Plan.STANDARD,
    ) -> str:
        issued = int(now.timestamp())
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "aud": _AUDIENCE,
            "sub": user,
            "org": organization,
            "roles": sorted(roles),
            "plan": plan,
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


class JoseTokenReader(TokenReader):
    """`issuer` is the platform's public URL, as for JoseSigner."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer

    def read(self, token: str, keys: Sequence[SigningKey]) -> ProgramToken | None:
        if not 1 <= len(token) <= _LONGEST_TOKEN or not token.isascii():
            return None
        try:
            kid = jws.extract_compact(token.encode()).headers().get("kid")
            key = next((each for each in keys if each.kid == kid), None)
            if key is None:
                return None
            public = ECKey.import_key({"kty": "EC", "crv": "P-256", "x": key.public.x, "y": key.public.y})
            claims = jwt.decode(token, public, algorithms=["ES256"]).claims
            if claims["iss"] != self._issuer or claims["aud"] != _AUDIENCE or "client_id" not in claims:
                return None
            return ProgramToken(
                id=str(UUID(claims["jti"])),
                client_id=claims["client_id"],
                user=claims["sub"],
                scopes=frozenset(claims["scope"].split()),
                credential=claims["sid"],
                issued_at=datetime.fromtimestamp(claims["iat"], UTC),
                expires_at=datetime.fromtimestamp(claims["exp"], UTC),
            )
        except (JoseError, ValueError, TypeError, KeyError, RecursionError):
            return None


def _context(kid: str) -> str:
    return f"signing key {kid}"
