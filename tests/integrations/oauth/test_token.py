"""The token endpoint, by hand and by a stock library."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from paideia.auth.v1 import rule_pb2 as auth
from paideia.identity.v1 import identity_service_pb2 as identity
from paideia.identity.v1 import programs_pb2

from domain.identity.programs import SCOPES, TOKENS_A_MINUTE
from integrations.oauth.routes import SCOPES as SERVED_SCOPES
from tests.integrations.partner import Partner
from tests.rpc.identity.people import ORIGIN

FORM = "application/x-www-form-urlencoded"


async def members(partner: Partner, token: str) -> set[str]:
    listed = await partner.north.stub.ListUsers(identity.ListUsersRequest(), metadata=(("authorization", f"Bearer {token}"),))
    return {each.name for each in listed.users}


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_a_stock_library_gets_a_token_that_opens_what_its_scope_says(partner: Partner, method: str) -> None:
    await partner.gets_program("identity.read")
    client = AsyncOAuth2Client(
        partner.client_id, partner.secret, scope="identity.read", token_endpoint_auth_method=method, trust_env=False
    )
    async with client:
        token = await client.fetch_token(f"{partner.url}/oauth/token", grant_type="client_credentials")
    assert token["token_type"] == "Bearer"
    assert token["expires_in"] == 600
    assert token["scope"] == "identity.read"
    assert await members(partner, token["access_token"]) == {"users/ada", "users/bob"}


async def test_a_stock_library_signs_its_assertions(partner: Partner) -> None:
    key = RSAKey.generate_key(2048)
    program = programs_pb2.Program(display_name="Signs", roles=[auth.ROLE_ADMIN], scopes=["identity.read"])
    ada = await partner.administrator()
    public = json.dumps(key.as_dict(private=False))
    made = await ada.call("CreateProgram", program_id="signs", program=program, public_key=public)
    now = int(partner.north.time.now.timestamp())
    signs = PrivateKeyJWT(f"{ORIGIN}/oauth/token", claims={"iat": now, "exp": now + 60})
    client = AsyncOAuth2Client(
        made.program.client_id, key.as_pem(private=True), token_endpoint_auth_method="private_key_jwt", trust_env=False
    )
    client.register_client_auth_method(signs)
    async with client:
        token = await client.fetch_token(f"{partner.url}/oauth/token", grant_type="client_credentials")
    assert await members(partner, token["access_token"]) == {"users/ada", "users/bob"}


async def test_an_assertion_is_good_once_even_for_two_at_once(partner: Partner) -> None:
    key = ECKey.generate_key("P-256")
    program = programs_pb2.Program(display_name="Signs", roles=[auth.ROLE_ADMIN], scopes=["identity.read"])
    ada = await partner.administrator()
    public = json.dumps(key.as_dict(private=False))
    await ada.call("CreateProgram", program_id="signs", program=program, public_key=public)
    now = int(partner.north.time.now.timestamp())
    claims = {"iss": "north.signs", "sub": "north.signs", "aud": ORIGIN, "exp": now + 60, "jti": "once"}
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": jwt.encode({"alg": "ES256"}, claims, key, algorithms=["ES256"]),
    }
    answers = await asyncio.gather(*(partner.http.post("/oauth/token", data=form) for _ in range(5)))
    assert sorted(each.status_code for each in answers) == [200, 401, 401, 401, 401]


async def test_no_answer_is_stored_and_the_secret_is_in_none(partner: Partner) -> None:
    await partner.gets_program("identity.read")
    wrong = await partner.http.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=(partner.client_id, "wrong"))
    right = await partner.asks_token()
    for answer in (wrong, right):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["pragma"] == "no-cache"
        assert partner.secret not in answer.text
    assert wrong.status_code == 401
    assert wrong.json()["error"] == "invalid_client"
    assert wrong.headers["www-authenticate"].startswith("Basic ")


REFUSALS: list[tuple[dict[str, str], int, str]] = [
    ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ({"grant_type": ""}, 400, "invalid_request"),
    ({"scope": "catalog.write"}, 400, "invalid_scope"),
    ({"scope": "scim scim identity.read"}, 400, "invalid_scope"),
    ({"client_secret": "another proof"}, 400, "invalid_request"),
    ({"client_id": "north.other"}, 400, "invalid_request"),
    ({"client_assertion": "a.b.c"}, 400, "invalid_request"),
    ({"resource": "x" * 40_000}, 413, "invalid_request"),
    ({f"f{at}": "x" for at in range(30)}, 400, "invalid_request"),
]


async def test_refusals_are_those_of_the_standard(partner: Partner) -> None:
    await partner.gets_program("identity.read")
    for changes, status, error in REFUSALS:
        answer = await partner.asks_token(**changes)
        assert (answer.status_code, answer.json()["error"]) == (status, error), changes
        assert answer.json()["error_description"]


MALFORMED: list[tuple[bytes, dict[str, str], str]] = [
    (b"{}", {"content-type": "application/json"}, "invalid_request"),
    (b"grant_type=client_credentials&grant_type=client_credentials", {}, "invalid_request"),
    (b"\xff\xfe", {}, "invalid_request"),
    (b"grant_type=%ff", {}, "invalid_request"),
    (b"grant_type", {}, "invalid_request"),
    (b"grant_type=client_credentials", {}, "invalid_client"),
    (b"grant_type=client_credentials", {"authorization": "Basic !!!"}, "invalid_client"),
    (b"grant_type=client_credentials", {"authorization": "Basic YQ=="}, "invalid_client"),
    (b"grant_type=client_credentials", {"authorization": "Basic /////w=="}, "invalid_client"),
    (b"grant_type=client_credentials", {"authorization": "Bearer abc"}, "invalid_client"),
    (b"grant_type=client_credentials&client_id=a&client_secret=b", {}, "invalid_client"),
    (b"grant_type=client_credentials&client_secret=b", {}, "invalid_request"),
    (b"", {}, "invalid_request"),
]


async def test_what_is_malformed_is_refused(partner: Partner) -> None:
    for body, headers, error in MALFORMED:
        answer = await partner.http.post("/oauth/token", content=body, headers={"content-type": FORM} | headers)
        assert answer.status_code in (400, 401), (body, headers)
        assert answer.json()["error"] == error, (body, headers)


async def test_a_client_that_asks_too_often_is_told_when_to_come_back(partner: Partner) -> None:
    await partner.gets_program("identity.read")
    programs = partner.north.memory.tenants["north"].programs.programs
    programs["partner-north"] = replace(programs["partner-north"], issued=TOKENS_A_MINUTE)
    answer = await partner.asks_token()
    assert answer.status_code == 429
    assert answer.json()["error"] == "slow_down"
    assert answer.headers["retry-after"] == "60"


async def test_what_is_discovered_is_so(partner: Partner) -> None:
    paths = ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server")
    first, second = [(await partner.http.get(path)).json() for path in paths]
    assert first == second
    found: dict[str, Any] = first
    assert found["issuer"] == ORIGIN
    assert found["token_endpoint"] == f"{ORIGIN}/oauth/token"
    assert found["jwks_uri"] == f"{ORIGIN}/.well-known/jwks.json"
    assert set(found["scopes_supported"]) == SCOPES
    assert found["grant_types_supported"] == ["client_credentials"]
    assert (await partner.http.get("/oauth/token")).status_code == 405


def test_the_face_offers_the_scopes_there_are() -> None:
    assert set(SERVED_SCOPES) == SCOPES
