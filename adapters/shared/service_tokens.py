"""What one context shows another: who calls, for which organization. Verified by `services.shared.tokens`."""

from datetime import datetime

from joserfc import jwt
from joserfc.jwk import OctKey

GOOD_FOR_SECONDS = 300


def sign_service_token(mesh_key: bytes, context: str, organization: str, now: datetime) -> str:
    """Returns an HS256 JWT naming the calling context, good for five minutes. `mesh_key` has at least 32 bytes."""
    issued = int(now.timestamp())
    claims = {
        "iss": "paideia-mesh",
        "aud": "paideia",
        "sub": context,
        "org": organization,
        "iat": issued,
        "exp": issued + GOOD_FOR_SECONDS,
    }
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(mesh_key), algorithms=["HS256"])
