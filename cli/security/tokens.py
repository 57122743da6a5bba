"""Access tokens that must not be taken: forged, altered, expired, or signed with what anybody can have."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cli.api import Json
from cli.security.findings import Finding
from cli.security.world import World, side_by_side

_PROTECTED = (("GET", "/v1/me"), ("GET", "/v1/users"), ("POST", "/v1/courses"))


async def tokens(world: World) -> Finding:
    """Each forged token is shown to three rpcs; the true one must be taken, or nothing was learnt."""
    finding = Finding("tokens")
    true = world.tokens["ADMIN"]
    answer = await world.send("GET", "/v1/me", token=true)
    finding.expect(answer.status == 200, f"the true token: {answer.status}")
    jwks = (await world.send("GET", "/.well-known/jwks.json")).body

    async def shown(name: str, forged: str, method: str, path: str) -> None:
        answer = await world.send(method, path, {} if method == "POST" else None, forged)
        # A header too long for any server is refused before anybody looks at the token.
        finding.expect(answer.status in (401, 431), f"{name} at {method} {path}: {answer.status}")

    forgeries = list(_forgeries(true, world.other_admin, jwks["keys"]))
    await side_by_side(shown(*forgery, *protected) for forgery in forgeries for protected in _PROTECTED)
    return finding


def _forgeries(true: str, of_other: str, keys: list[Json]) -> Iterator[tuple[str, str]]:
    header, payload, signature = true.split(".")
    heading, claims = _opened(header), _opened(payload)
    now = int(time.time())
    own = ec.generate_private_key(ec.SECP256R1())
    public = own.public_key().public_numbers()
    own_jwk = {"kty": "EC", "crv": "P-256", "x": _number(public.x), "y": _number(public.y)}
    for spelling in ("none", "None", "NONE", "nOnE", ""):
        yield f"alg {spelling!r}, unsigned", f"{_closed(heading | {'alg': spelling})}.{payload}."
    yield "signature stripped", f"{header}.{payload}."
    yield "signature and its dot stripped", f"{header}.{payload}"
    yield "signature of zeros", f"{header}.{payload}.{_base64(bytes(64))}"
    yield "signature cut short", f"{header}.{payload}.{signature[:-4]}"
    yield "another organization's signature", f"{header}.{payload}.{of_other.rpartition('.')[2]}"
    for key in keys:
        for secret in (json.dumps(key, separators=(",", ":")).encode(), _bytes(key["x"]) + _bytes(key["y"]), _pem(key)):
            for issuer in (claims["iss"], "paideia-mesh"):
                yield "HS256 with the public key", _hs256(heading | {"alg": "HS256"}, claims | {"iss": issuer}, secret)
    yield "HS256 with an empty key", _hs256({"alg": "HS256", "typ": "JWT"}, claims | {"iss": "paideia-mesh"}, b"")
    changed: dict[str, dict[str, Any]] = {
        "a key of one's own": {},
        "wrong issuer": {"iss": "https://evil.example"},
        "issuer of contexts": {"iss": "paideia-mesh"},
        "issuer with a slash": {"iss": f"{claims['iss']}/"},
        "wrong audience": {"aud": "other"},
        "expired": {"iat": now - 7200, "exp": now - 3600},
        "not valid yet": {"nbf": now + 3600, "exp": now + 7200},
        "issued in the future": {"iat": now + 3600, "exp": now + 7200},
        "without expiry": {"exp": None},
        "expiry that is no number": {"exp": "never"},
        "expiry beyond all numbers": {"exp": 1e400},
        "more roles": {"roles": ["OPERATOR", "ADMIN"]},
        "role of a context": {"roles": ["SERVICE"]},
        "another organization": {"org": "demo"},
    }
    for name, change in changed.items():
        altered = claims | change
        yield f"{name}, own key", _es256(heading, altered, own)
        if change:
            yield f"{name}, old signature", f"{header}.{_closed(altered)}.{signature}"
    for kid in (
        "unknown",
        "",
        "../../../../etc/passwd",
        "/dev/null",
        "' OR 1=1 --",
        "http://127.0.0.1/key",
        "\u0000",
        "x" * 4000,
    ):
        yield f"kid {kid[:30]!r}", _es256(heading | {"kid": kid}, claims, own)
    for name, value in (
        ("jku", "https://evil.example/jwks.json"),
        ("x5u", "https://evil.example/cert.pem"),
        ("jwk", own_jwk),
        ("x5c", ["MIIB"]),
        ("crit", ["exp"]),
    ):
        yield f"header {name}", _es256(heading | {name: value}, claims, own)
        yield f"header {name} without kid", _es256({"alg": "ES256", "typ": "JWT", name: value}, claims, own)
    for text in ("", "a", "a.b.c", "." * 100, "A" * 20_000, f"{true}.{signature}", f"{true} {true}"):
        yield f"malformed {text[:10]!r}", text or "x"


def _es256(heading: Json, claims: Json, key: ec.EllipticCurvePrivateKey) -> str:
    signed = f"{_closed(heading)}.{_closed(claims)}"
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{_base64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _hs256(heading: Json, claims: Json, secret: bytes) -> str:
    signed = f"{_closed(heading)}.{_closed(claims)}"
    return f"{signed}.{_base64(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


def _pem(jwk: Json) -> bytes:
    x, y = (int.from_bytes(_bytes(jwk[name]), "big") for name in ("x", "y"))
    key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _opened(part: str) -> Json:
    value: Json = json.loads(_bytes(part))
    return value


def _closed(value: Json) -> str:
    return _base64(json.dumps({name: each for name, each in value.items() if each is not None}, separators=(",", ":")).encode())


def _number(value: int) -> str:
    return _base64(value.to_bytes(32, "big"))


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
