"""Plans and what is used of them, from the command line through Envoy to the contexts that count."""

import base64
import json
from uuid import uuid4

import pytest

from tests.e2e.platform import Platform

pytestmark = pytest.mark.e2e
PASSWORD = "harbour quartz 93 meadow"


def founded(platform: Platform) -> tuple[str, str]:
    """A new organization, and its administrator's token."""
    organization = f"q{uuid4().hex[:12]}"
    body = {
        "requestId": str(uuid4()),
        "organizationId": organization,
        "organization": {"displayName": "Quotas"},
        "adminUserId": "ada",
        "adminPassword": PASSWORD,
    }
    assert platform.call("POST", "/v1/organizations", body, platform.token()).status == 200
    return organization, platform.token(organization, "ada", PASSWORD)


def test_tokens_name_the_issuer_that_is_discovered(platform: Platform) -> None:
    payload = platform.token().split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["iss"] == platform.call("GET", "/.well-known/openid-configuration").body["issuer"]
    assert claims["plan"] == "standard"


def test_a_plan_that_an_operator_gives_bounds_an_organization_in_every_context(platform: Platform) -> None:
    organization, token = founded(platform)
    changed = platform.paideia("organization", "plan", organization, "trial")
    assert changed.returncode == 0, changed.stdout + changed.stderr
    usage = json.loads(platform.paideia("organization", "usage", "--organization", organization, "--json").stdout)
    assert usage["plan"] == "plans/trial"
    assert {each["quota"]: (each["used"], each["limit"]) for each in usage["quotas"]} == {
        "people": ("1", "50"),
        "classes": ("0", "20"),
        "programs": ("0", "2"),
        "courses": ("0", "10"),
        "items": ("0", "1000"),
        "exports_in_progress": ("0", "1"),
        "exports_a_day": ("0", "5"),
        "events_a_day": ("0", "20000"),
    }
    people = [{"userId": f"p{at}", "user": {"roles": ["ROLE_LEARNER"]}} for at in range(50)]
    full = platform.call("POST", "/v1/users:batchCreate", {"requestId": str(uuid4()), "requests": people}, token)
    assert (full.status, full.body["details"][0]["reason"]) == (429, "QUOTA_REACHED")
    assert full.body["details"][0]["metadata"] == {"quota": "people", "limit": "50", "plan": "trial"}
    fits = {"requestId": str(uuid4()), "requests": people[:49]}
    assert platform.call("POST", "/v1/users:batchCreate", fits, token).status == 200
    assert platform.call("GET", f"/v1/organizations/{organization}/usage", token=token).body["quotas"][0]["used"] == "50"
    assert platform.call("GET", f"/v1/organizations/{organization}/usage", token=platform.token()).status == 200
    assert platform.call("GET", "/v1/organizations/demo/usage", token=token).status == 404
