"""OAuth 2.0 for partners' programs: the token endpoint (RFC 6749, section 4.4; RFC 7523), introspection (RFC 7662), revocation (RFC 7009),
and what clients discover them by (RFC 8414)."""

import base64
import binascii
from collections.abc import Mapping
from math import ceil
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

import grpc
from paideia.identity.v1 import programs_pb2
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from integrations.shared.identity import Identity, Refusal

_CONTEXTS = (
    "analytics",
    "assessment",
    "audit",
    "catalog",
    "identity",
    "inference",
    "ingestion",
    "paths",
    "progress",
    "scheduler",
)
SCOPES = tuple(sorted({f"{context}.{act}" for context in _CONTEXTS for act in ("read", "write")} | {"scim"}))

AUDIENCE = "paideia"

_METHODS = ("client_secret_basic", "client_secret_post", "private_key_jwt")
_ALGORITHMS = ("ES256", "PS256", "RS256")
_FORM = "application/x-www-form-urlencoded"
_JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_LONGEST_BODY = 32 * 1024
_MOST_FIELDS = 20
_INVALID = {"INVALID_SCOPE": "invalid_scope", "INVALID_GRANT": "invalid_grant"}
_NOT_STORED = {"cache-control": "no-store", "pragma": "no-cache"}


class TokenRefused(Exception):
    """An answer of RFC 6749, section 5.2."""

    def __init__(self, error: str, description: str, status: int = 400, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(description)
        self.answer = JSONResponse(
            {"error": error, "error_description": description}, status, headers=_NOT_STORED | dict(headers or {})
        )


async def token(request: Request) -> Response:
    try:
        asked = _asked(await _fields(request), request)
        issued = await Identity(request).call("IssueProgramToken", asked)
    except TokenRefused as refused:
        return refused.answer
    except Refusal as refusal:
        return _refused(refusal).answer
    body = {
        "access_token": issued.access_token,
        "token_type": "Bearer",
        "expires_in": issued.expires_in.seconds,
        "scope": " ".join(issued.scopes),
    }
    return JSONResponse(body, headers=_NOT_STORED)


async def introspect(request: Request) -> Response:
    """What `/oauth/token` issued to the client that asks; of anything else only that it is not active."""
    try:
        fields = await _fields(request)
        asked = programs_pb2.IntrospectProgramTokenRequest(**_proof(fields, request), token=_presented(fields))
        found = await Identity(request).call("IntrospectProgramToken", asked)
    except TokenRefused as refused:
        return refused.answer
    except Refusal as refusal:
        return _refused(refusal).answer
    body: dict[str, Any] = {"active": found.active}
    if found.active:
        body |= {
            "scope": " ".join(found.scopes),
            "client_id": found.client_id,
            "sub": found.subject,
            "token_type": "Bearer",
            "iat": found.issue_time.seconds,
            "exp": found.expire_time.seconds,
            "iss": request.app.state.public_url.rstrip("/"),
            "aud": AUDIENCE,
            "jti": found.token_id,
        }
    return JSONResponse(body, headers=_NOT_STORED)


async def revoke(request: Request) -> Response:
    try:
        fields = await _fields(request)
        asked = programs_pb2.RevokeProgramTokenRequest(**_proof(fields, request), token=_presented(fields))
        await Identity(request).call("RevokeProgramToken", asked)
    except TokenRefused as refused:
        return refused.answer
    except Refusal as refusal:
        return _refused(refusal).answer
    return Response(status_code=200, headers=_NOT_STORED)


async def discover(request: Request) -> Response:
    return JSONResponse(metadata(request.app.state.public_url.rstrip("/")), headers={"cache-control": "public, max-age=3600"})


def metadata(issuer: str) -> dict[str, Any]:
    """What there is, and nothing that there is not: people do not sign in at partners through the platform, so no response type."""
    proofs = {
        f"{endpoint}_endpoint_auth_{what}": list(values)
        for endpoint in ("token", "introspection", "revocation")
        for what, values in (("methods_supported", _METHODS), ("signing_alg_values_supported", _ALGORITHMS))
    }
    return {
        "issuer": issuer,
        "token_endpoint": f"{issuer}/oauth/token",
        "introspection_endpoint": f"{issuer}/oauth/introspect",
        "revocation_endpoint": f"{issuer}/oauth/revoke",
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "scopes_supported": list(SCOPES),
        **proofs,
    }


async def _fields(request: Request) -> dict[str, str]:
    """The form's fields; an empty one counts as absent (RFC 6749, section 3.2). Raises TokenRefused."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise TokenRefused("invalid_request", f"the body must be {_FORM}")
    body = b""
    try:
        async for part in request.stream():
            body += part
            if len(body) > _LONGEST_BODY:
                raise TokenRefused("invalid_request", f"the body must be at most {_LONGEST_BODY} bytes", 413)
        given = parse_qsl(body.decode("utf-8"), strict_parsing=bool(body), max_num_fields=_MOST_FIELDS, errors="strict")
    except (ValueError, ClientDisconnect):
        raise TokenRefused("invalid_request", "the body is not a form in UTF-8") from None
    fields = dict(given)
    if len(fields) < len(given):
        raise TokenRefused("invalid_request", "no field may occur twice")
    return fields


def _asked(fields: Mapping[str, str], request: Request) -> programs_pb2.IssueProgramTokenRequest:
    """Raises TokenRefused unless it is one grant of ours and one proof."""
    grant = fields.get("grant_type", "")
    if not grant:
        raise TokenRefused("invalid_request", "grant_type is missing")
    if grant != "client_credentials":
        raise TokenRefused("unsupported_grant_type", "grant_type must be client_credentials")
    return programs_pb2.IssueProgramTokenRequest(**_proof(fields, request), scopes=fields.get("scope", "").split())


def _presented(fields: Mapping[str, str]) -> str:
    """The token that is asked about. What kind the client takes it for (`token_type_hint`) does not matter: there is one kind."""
    if not fields.get("token"):
        raise TokenRefused("invalid_request", "token is missing")
    return fields["token"]


def _proof(fields: Mapping[str, str], request: Request) -> dict[str, str]:
    """Who the client is and what shows it, as identity's requests name it. Raises TokenRefused unless there is one proof."""
    client, secret, assertion = (fields.get(each, "") for each in ("client_id", "client_secret", "client_assertion"))
    basic = _basic(request.headers.get("authorization", ""))
    if sum((basic is not None, bool(secret), bool(assertion))) != 1:
        if basic is None and not secret and not assertion:
            raise _unproved("prove who the client is: client_secret_basic, client_secret_post or private_key_jwt")
        raise TokenRefused("invalid_request", "prove who the client is in one way, not in several")
    if assertion and fields.get("client_assertion_type") != _JWT_BEARER:
        raise TokenRefused("invalid_request", f"client_assertion_type must be {_JWT_BEARER}")
    if basic is not None:
        if client and client != basic[0]:
            raise TokenRefused("invalid_request", "client_id differs from the user of the Authorization header")
        client, secret = basic
    return {"client_id": client, "client_secret": secret, "client_assertion": assertion}


def _basic(header: str) -> tuple[str, str] | None:
    """Client id and secret, each of which is form-encoded before they are joined (RFC 6749, section 2.3.1). Raises TokenRefused."""
    scheme, _, encoded = header.partition(" ")
    if not header:
        return None
    try:
        if scheme.lower() != "basic":
            raise ValueError
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
        found = unquote_plus(user, errors="strict"), unquote_plus(password, errors="strict")
    except (ValueError, binascii.Error):
        raise _unproved("the Authorization header must be Basic, with client id and secret") from None
    if not colon or not all(found):
        raise _unproved("the Authorization header must be Basic, with client id and secret")
    return found


def _unproved(description: str) -> TokenRefused:
    return TokenRefused("invalid_client", description, 401, {"www-authenticate": 'Basic realm="paideia"'})


def _refused(refusal: Refusal) -> TokenRefused:
    match refusal.code:
        case grpc.StatusCode.UNAUTHENTICATED:
            return _unproved(refusal.message)
        case grpc.StatusCode.INVALID_ARGUMENT:
            return TokenRefused(_INVALID.get(refusal.reason, "invalid_request"), refusal.message)
        case grpc.StatusCode.PERMISSION_DENIED:
            return TokenRefused("unauthorized_client", refusal.message)
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            return TokenRefused("slow_down", refusal.message, 429, _later(refusal))
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.DEADLINE_EXCEEDED:
            return TokenRefused("temporarily_unavailable", "try again soon", 503, _later(refusal))
        case _:
            return TokenRefused("server_error", "something went wrong here", 500)


def _later(refusal: Refusal) -> Mapping[str, str]:
    return {"retry-after": str(max(1, ceil(refusal.retry_after)))}


routes: list[BaseRoute] = [
    Route("/oauth/token", token, methods=["POST"]),
    Route("/oauth/introspect", introspect, methods=["POST"]),
    Route("/oauth/revoke", revoke, methods=["POST"]),
    Route("/.well-known/openid-configuration", discover),
    Route("/.well-known/oauth-authorization-server", discover),
]
