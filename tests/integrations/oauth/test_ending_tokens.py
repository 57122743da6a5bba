"""Introspection (RFC 7662) and revocation (RFC 7009), by hand and by a stock library."""

from typing import Any

import pytest
from authlib.integrations.httpx_client import AsyncOAuth2Client
from joserfc import jws

from domain.identity.events import TokenRevoked
from tests.integrations.partner import Partner
from tests.rpc.identity.people import ORIGIN


def client(partner: Partner, method: str = "client_secret_basic") -> AsyncOAuth2Client:
    return AsyncOAuth2Client(partner.client_id, partner.secret, token_endpoint_auth_method=method, trust_env=False)


async def introspected(partner: Partner, token: str, **fields: str) -> dict[str, Any]:
    answer = await partner.http.post(
        "/oauth/introspect", data={"token": token} | fields, auth=(partner.client_id, partner.secret)
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    found: dict[str, Any] = answer.json()
    return found


async def revoked(partner: Partner, token: str) -> Any:
    return await partner.http.post("/oauth/revoke", data={"token": token}, auth=(partner.client_id, partner.secret))


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_a_stock_library_asks_about_a_token_and_ends_it(partner: Partner, method: str) -> None:
    await partner.gets_program("identity.read", "scim")
    async with client(partner, method) as library:
        answer = (await library.introspect_token(f"{partner.url}/oauth/introspect", partner.token)).json()
        assert answer == {
            "active": True,
            "scope": "identity.read scim",
            "client_id": partner.client_id,
            "sub": "program~partner-north",
            "token_type": "Bearer",
            "iat": int(partner.north.time.now.timestamp()),
            "exp": int(partner.north.time.now.timestamp()) + 600,
            "iss": ORIGIN,
            "aud": "paideia",
            "jti": answer["jti"],
        }
        ended = await library.revoke_token(f"{partner.url}/oauth/revoke", partner.token, token_type_hint="access_token")
        assert (ended.status_code, ended.content) == (200, b"")
        assert (await library.introspect_token(f"{partner.url}/oauth/introspect", partner.token)).json() == {"active": False}


async def test_discovery_names_the_issuer_that_tokens_name_and_both_endpoints(partner: Partner) -> None:
    await partner.gets_program("identity.read")
    found = (await partner.http.get("/.well-known/oauth-authorization-server")).json()
    claims = jws.extract_compact(partner.token.encode()).payload
    assert f'"iss":"{found["issuer"]}"'.encode() in claims.replace(b" ", b"")
    assert found["introspection_endpoint"] == f"{ORIGIN}/oauth/introspect"
    assert found["revocation_endpoint"] == f"{ORIGIN}/oauth/revoke"
    for endpoint in ("introspection", "revocation"):
        assert found[f"{endpoint}_endpoint_auth_methods_supported"] == found["token_endpoint_auth_methods_supported"]


async def test_one_token_ends_and_the_next_one_works(partner: Partner) -> None:
    await partner.gets_program("identity.read")
    other = (await partner.asks_token()).json()["access_token"]
    for _ in range(2):  # ending what has ended is no error, and is told once
        assert (await revoked(partner, partner.token)).status_code == 200
    told = [each for each in partner.north.memory.events("north") if isinstance(each, TokenRevoked)]
    assert [each.user for each in told] == ["program~partner-north"]
    assert not (await introspected(partner, partner.token))["active"]
    assert (await introspected(partner, other))["active"]
    # What every process does when it hears of it.
    partner.north.revoked.add(told[0].token, told[0].at)
    assert (await partner.scim("GET", "/Users")).status_code == 401
    partner.token = other
    assert (await partner.scim("GET", "/Users")).status_code == 403


async def test_of_what_is_not_its_own_a_program_learns_nothing(partner: Partner) -> None:
    ada = await partner.administrator()
    await partner.gets_program("identity.read")
    first, proof = partner.token, (partner.client_id, partner.secret)
    for nothing in ("hello", "a.b.c", "x" * 8_000, ada.pair.access_token, ada.pair.refresh_token, first[:-4]):
        assert await introspected(partner, nothing) == {"active": False}
        assert (await revoked(partner, nothing)).status_code == 200
    await partner.gets_program("identity.read", organization="south")
    assert await introspected(partner, first) == {"active": False}
    answer = await revoked(partner, first)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    partner.client_id, partner.secret = proof
    assert (await introspected(partner, first))["active"]


async def test_a_token_is_inactive_when_it_has_expired_or_its_program_has_ended(partner: Partner) -> None:
    await partner.gets_program("identity.read")
    partner.north.time.passes(minutes=10)
    assert await introspected(partner, partner.token) == {"active": False}
    assert (await revoked(partner, partner.token)).status_code == 200
    fresh = (await partner.asks_token()).json()["access_token"]
    assert (await introspected(partner, fresh))["active"]
    ada = await partner.administrator()
    secret = (await ada.call("RotateProgramSecret", name="programs/partner-north", overlap={"seconds": 0})).client_secret
    partner.secret = secret
    assert await introspected(partner, fresh) == {"active": False}


@pytest.mark.parametrize("path", ["/oauth/introspect", "/oauth/revoke"])
async def test_who_does_not_prove_who_they_are_is_told_nothing(partner: Partner, path: str) -> None:
    await partner.gets_program("identity.read")
    proof = (partner.client_id, partner.secret)
    wrong = await partner.http.post(path, data={"token": partner.token}, auth=(partner.client_id, "wrong"))
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
    nobody = await partner.http.post(path, data={"token": partner.token})
    assert (nobody.status_code, nobody.json()["error"]) == (401, "invalid_client")
    missing = await partner.http.post(path, data={"token_type_hint": "access_token"}, auth=proof)
    assert (missing.status_code, missing.json()["error"]) == (400, "invalid_request")
    huge = await partner.http.post(path, data={"token": "x" * 9_000}, auth=proof)
    assert (huge.status_code, huge.json()["error"]) == (400, "invalid_request")
    assert (await partner.http.get(path)).status_code == 405
    assert (await introspected(partner, partner.token))["active"]
