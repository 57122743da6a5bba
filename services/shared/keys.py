"""Where every process learns identity's public keys: from identity itself, by gRPC."""

from collections.abc import Awaitable, Callable, Sequence

from paideia.identity.v1 import identity_service_pb2 as identity

from services.shared.tokens import Jwk, KeySource


def identity_keys(get_jwks: Callable[..., Awaitable[identity.GetJwksResponse]]) -> KeySource:
    """Returns a source that asks identity anew each time by its rpc GetJwks."""

    async def fetch() -> Sequence[Jwk]:
        answer = await get_jwks(identity.GetJwksRequest(), timeout=3)
        return [
            {"kty": key.kty, "crv": key.crv, "x": key.x, "y": key.y, "kid": key.kid, "use": key.use, "alg": key.alg}
            for key in answer.keys
        ]

    return fetch
