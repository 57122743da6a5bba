"""A partner's program, from the command line through Envoy to the rpcs of several contexts, and an identity provider through SCIM."""

import base64
import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.platform import Platform

pytestmark = pytest.mark.e2e


def asked(platform: Platform, client: str, secret: str, scope: str = "") -> tuple[int, dict[str, Any]]:
    """What the token endpoint answers."""
    form = urllib.parse.urlencode({"grant_type": "client_credentials", "scope": scope}).encode()
    basic = base64.b64encode(f"{client}:{secret}".encode()).decode()
    headers = {"authorization": f"Basic {basic}", "content-type": "application/x-www-form-urlencoded"}
    try:
        with urllib.request.urlopen(
            urllib.request.Request(f"{platform.record.url}/oauth/token", form, headers), timeout=30
        ) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_a_program_made_on_the_command_line_gets_what_its_scopes_say_and_ends_at_once(platform: Platform) -> None:
    name = f"lms-{uuid4().hex[:8]}"
    made = platform.paideia("program", "create", name, "--role", "admin", "--scope", "catalog.read", "--scope", "scim", "--json")
    assert made.returncode == 0, made.stdout + made.stderr
    secret, client = json.loads(made.stdout)["clientSecret"], f"demo.{name}"
    status, granted = asked(platform, client, secret)
    assert (status, granted.get("token_type"), granted.get("scope")) == (200, "Bearer", "catalog.read scim"), granted
    token = granted["access_token"]
    assert platform.call("GET", "/v1/courses", token=token).status == 200
    refused = platform.call("GET", "/v1/users", token=token)
    assert (refused.status, refused.body["details"][0]["reason"]) == (403, "SCOPE_MISSING")

    user = {"userName": f"{name}@example.org", "externalId": name, "name": {"givenName": "Eve"}}
    created = platform.call("POST", "/scim/v2/Users", user, token, {"content-type": "application/scim+json"})
    assert created.status == 201, created
    assert created.headers["content-type"] == "application/scim+json"
    query = urllib.parse.quote(f'userName eq "{name}@EXAMPLE.org"')
    found = platform.call("GET", f"/scim/v2/Users?filter={query}", token=token)
    assert [each["id"] for each in found.body["Resources"]] == [created.body["id"]]
    gone = {"schemas": [], "Operations": [{"op": "Replace", "path": "active", "value": "False"}]}
    path = f"/scim/v2/Users/{created.body['id']}"
    assert platform.call("PATCH", path, gone, token).body["active"] is False

    assert asked(platform, client, "wrong")[1]["error"] == "invalid_client"
    assert name in platform.paideia("program", "list").stdout
    assert platform.paideia("program", "disable", name).returncode == 0
    platform.wait(lambda: platform.call("GET", "/v1/courses", token=token).status == 401, what="the end of the token")
    assert asked(platform, client, secret)[0] == 401


def test_what_is_discovered_is_where_it_says(platform: Platform) -> None:
    found = platform.call("GET", "/.well-known/openid-configuration")
    assert found.status == 200
    assert found.body["token_endpoint"].endswith("/oauth/token")
    assert platform.call("GET", "/scim/v2/ServiceProviderConfig").body["patch"] == {"supported": True}
    assert platform.call("GET", "/.well-known/jwks.json").body["keys"]
