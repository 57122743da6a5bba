"""Who gets past the edge."""

import base64
import hmac
import json
import time
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from tests.edge.conftest import Front
from tests.edge.upstream import ISSUER


def refused(front: Front, token: str) -> dict[str, Any]:
    before = len(front.upstream.seen.metadata)
    reply = front.rest.get("/v1/me", headers={"authorization": f"Bearer {token}"})
    assert reply.status_code == 401
    assert "www-authenticate" in reply.headers
    assert len(front.upstream.seen.metadata) == before
    answer: dict[str, Any] = reply.json()
    assert answer["code"] == 16
    assert answer["details"][0]["reason"] == "UNAUTHENTICATED"
    return answer


def part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def test_a_request_without_a_token_is_told_how_to_get_one(front: Front) -> None:
    reply = front.rest.get("/v1/me")
    assert (reply.status_code, reply.json()["code"]) == (401, 16)
    assert "POST /v1/sessions:signIn" in reply.json()["message"]


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "somebody"},
        {"iss": "paideia"},
        {"iss": "paideia-mesh"},
        {"aud": "somewhere"},
    ],
)
def test_a_token_of_another_issuer_or_audience_is_refused(front: Front, changes: dict[str, Any]) -> None:
    refused(front, front.upstream.signer.token(**changes))


@pytest.mark.parametrize(("claim", "seconds"), [("exp", -60), ("nbf", 300)])
def test_a_token_that_is_over_or_not_good_yet_is_refused(front: Front, claim: str, seconds: int) -> None:
    refused(front, front.upstream.signer.token(**{claim: int(time.time()) + seconds}))


def test_a_token_without_an_expiry_is_refused(front: Front) -> None:
    key = front.upstream.signer.keys[-1]
    refused(front, jwt.encode({"alg": "ES256", "kid": key.kid}, {"iss": ISSUER, "aud": "paideia", "sub": "ada"}, key))


def test_a_token_signed_by_a_stranger_is_refused_also_under_a_known_key_id(front: Front) -> None:
    known = front.upstream.signer.keys[-1].kid
    refused(front, front.upstream.signer.token(key=ECKey.generate_key("P-256", {"kid": known})))
    refused(front, front.upstream.signer.token(key=ECKey.generate_key("P-256", {"kid": "unknown"})))


def test_a_token_with_changed_claims_is_refused(front: Front) -> None:
    header, claims, signature = front.upstream.signer.token().split(".")
    changed = json.loads(base64.urlsafe_b64decode(claims + "==")) | {"roles": ["ADMIN"], "org": "south"}
    refused(front, f"{header}.{part(changed)}.{signature}")


def test_an_unsigned_token_is_refused(front: Front) -> None:
    claims = front.upstream.signer.token().split(".")[1]
    for algorithm in ("none", "None", "NONE"):
        refused(front, f"{part({'alg': algorithm, 'typ': 'JWT'})}.{claims}.")


def test_a_public_key_is_not_taken_for_a_shared_secret(front: Front) -> None:
    key = front.upstream.signer.keys[-1]
    claims = {"iss": ISSUER, "aud": "paideia", "sub": "ada", "org": "north", "roles": ["ADMIN"], "exp": int(time.time()) + 60}
    signed = f"{part({'alg': 'HS256', 'kid': key.kid})}.{part(claims)}"
    signature = hmac.digest(key.as_pem(private=False), signed.encode(), "sha256")
    refused(front, f"{signed}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}")


@pytest.mark.parametrize("header", ["Bearer", "Bearer x", "Bearer a.b.c", "Bearer ä", "Bearer " + "." * 5_000, "Basic YTpi", "x"])
def test_what_is_no_token_at_all_is_refused(front: Front, header: str) -> None:
    reply = front.rest.get("/v1/me", headers={"authorization": header.encode()})
    assert (reply.status_code, reply.json()["code"]) == (401, 16)


def test_a_token_in_the_query_does_not_count(front: Front) -> None:
    assert front.rest.get(f"/v1/me?access_token={front.upstream.signer.token()}").status_code == 401


def test_signing_in_needs_no_token_and_its_token_works(front: Front) -> None:
    body = {"organization": "organizations/north", "login": "ada", "password": "correct horse battery"}
    signed = front.rest.post("/v1/sessions:signIn", json=body)
    assert signed.status_code == 200
    me = front.rest.get("/v1/me", headers={"authorization": f"Bearer {signed.json()['accessToken']}"})
    assert me.json()["user"] == "users/ada"


def test_an_expired_token_does_not_hinder_signing_in(front: Front) -> None:
    body = {"organization": "organizations/north", "login": "ada", "password": "correct horse battery"}
    reply = front.rest.post("/v1/sessions:signIn", json=body, headers=front.bearer(exp=1))
    assert reply.status_code == 200


def test_the_services_own_refusal_of_a_sign_in_comes_through(front: Front) -> None:
    reply = front.rest.post("/v1/sessions:signIn", json={"login": "ada", "password": "wrong"})
    assert (reply.status_code, reply.json()["message"]) == (401, "the organization, the login or the password is wrong")


def test_the_public_keys_are_public(front: Front) -> None:
    keys = front.rest.get("/.well-known/jwks.json").json()["keys"]
    assert {key["kid"] for key in keys} == {key.kid for key in front.upstream.signer.keys}
    assert all("d" not in key for key in keys)
