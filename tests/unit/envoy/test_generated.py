"""What is generated: fresh in the repository, valid, and true to the rules."""

import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from edge.bootstrap import bootstrap, defaults
from edge.contract import read_contract
from edge.fields import fields_script
from edge.openapi import openapi
from edge.routes import docs_policy, route_configuration
from edge.schemas import first_sentence, name_pattern
from edge.settings import SettingFault, settings_from
from openapi_spec_validator import OpenAPIV31SpecValidator

CONTRACT = read_contract(Path(__file__).resolve().parents[3] / "gen" / "paideia.binpb")
DOCUMENT = openapi(CONTRACT)
EDGE = defaults(CONTRACT, "kubernetes-edge")


def routes() -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = route_configuration(CONTRACT, EDGE)["virtual_hosts"][0]["routes"]
    return listed


def test_everything_generated_in_the_repository_is_fresh(generate: ModuleType) -> None:
    stale = [str(path) for path, text in generate.goldens(CONTRACT).items() if not path.exists() or path.read_text() != text]
    assert stale == [], "run: python envoy/generate.py --golden"


def test_the_document_is_valid_openapi_31() -> None:
    OpenAPIV31SpecValidator(json.loads(json.dumps(DOCUMENT))).validate()


def test_the_document_holds_every_rpc_the_outside_may_call_and_no_other() -> None:
    documented = {operation["operationId"] for path in DOCUMENT["paths"].values() for operation in path.values()}
    assert documented == {rpc.name for rpc in CONTRACT.edge_rpcs}


def test_the_document_says_what_the_protos_say() -> None:
    publish = DOCUMENT["paths"]["/v1/courses/{course}:publish"]["post"]
    assert publish["summary"].startswith("Makes the course as it stands visible")
    assert publish["x-roles"] == ["AUTHOR", "ADMIN"]
    body = DOCUMENT["components"]["schemas"]["catalog.PublishCourseBody"]
    assert (list(body["properties"]), body["required"]) == (["requestId"], ["requestId"])
    assert publish["responses"]["404"] == {"$ref": "#/components/responses/NotFound"}
    assert DOCUMENT["paths"]["/v1/sessions:signIn"]["post"]["security"] == []
    course = DOCUMENT["components"]["schemas"]["catalog.Course"]["properties"]
    assert course["publication"] | {"type": "string", "format": "int64", "readOnly": True} == course["publication"]
    assert course["publishTime"]["format"] == "date-time"
    assert "ROLE_TEACHER" in DOCUMENT["components"]["schemas"]["auth.Role"]["enum"]
    password = DOCUMENT["components"]["schemas"]["identity.SignInRequest"]["properties"]["password"]
    assert password["writeOnly"] is True


def test_a_list_is_paged_by_query() -> None:
    names = [each["name"] for each in DOCUMENT["paths"]["/v1/learners/{learner}/attempts"]["get"]["parameters"]]
    assert names == ["learner", "pageSize", "pageToken", "course"]


@pytest.mark.parametrize(
    ("comment", "pattern"),
    [
        ("`courses/{course}`.", "^courses/[^/]{1,128}$"),
        (
            "`learners/{learner}/responses/{response}`; the id is the `request_id`.",
            "^learners/[^/]{1,128}/responses/[^/]{1,128}$",
        ),
        ("`courses/{course}`; empty if outside any.", ""),
        ("`learners/{learner}`, or `learners/-` for all.", ""),
        ("`title` and such.", ""),
        ("What people call it.", ""),
    ],
)
def test_a_resource_name_has_its_pattern_unless_it_may_be_empty(comment: str, pattern: str) -> None:
    assert name_pattern(comment) == pattern


def test_a_summary_is_the_first_sentence() -> None:
    assert first_sentence("Returns a skill, or NOT_FOUND. Then more.") == "Returns a skill, or NOT_FOUND"


def rpc_of(route: dict) -> str:
    """`rest:Name` or `grpc:Name`; empty for a route of the edge's own, which is named by its path."""
    name = route.get("name", "")
    return name if name.startswith(("rest:", "grpc:")) else ""


def test_a_route_needs_a_token_unless_its_rule_is_public() -> None:
    public = {f"{kind}:{rpc.name}" for rpc in CONTRACT.rpcs if rpc.public for kind in ("rest", "grpc")}
    open_routes = set()
    for route in routes():
        rule = route.get("typed_per_filter_config", {}).get("envoy.filters.http.jwt_authn", {})
        if rule.get("disabled"):
            open_routes.add(rpc_of(route) or "own")
    assert open_routes == public | {"own"}


def test_the_edges_own_open_routes_reach_no_context_but_health() -> None:
    for route in routes():
        if not rpc_of(route) and route.get("route", {}).get("cluster") != "integrations":
            path = route["match"].get("path", "")
            assert "direct_response" in route or "cluster_header" in route["route"] or path == "/grpc.health.v1.Health/Check"


def test_an_rpc_for_contexts_alone_has_no_route() -> None:
    text = json.dumps(routes())
    for rpc in CONTRACT.rpcs:
        assert (rpc.path in text) is not rpc.internal


def test_only_reads_are_sent_again_after_they_may_have_begun() -> None:
    reads = {rpc.name for rpc in CONTRACT.rpcs if rpc.reads}
    for route in routes():
        policy = route.get("route", {}).get("retry_policy", {"retry_on": ""})
        assert ("unavailable" in policy["retry_on"]) is (rpc_of(route).partition(":")[2] in reads)


def test_a_context_without_a_target_has_no_routes() -> None:
    settings = settings_from({"targets": {"identity": "127.0.0.1:1"}}, defaults(CONTRACT, "local"))
    clusters = {each["name"] for each in bootstrap(CONTRACT, settings)["static_resources"]["clusters"]}
    assert clusters == {"identity", "jwks", "otlp"}


@pytest.mark.parametrize(
    ("targets", "told"), [({"catalog": "127.0.0.1:1"}, "identity"), ({"identity": "127.0.0.1:1", "moon": "127.0.0.1:2"}, "moon")]
)
def test_targets_must_be_contexts_and_hold_identity(targets: dict[str, str], told: str) -> None:
    with pytest.raises(SettingFault, match=told):
        bootstrap(CONTRACT, settings_from({"targets": targets}, defaults(CONTRACT, "local")))


def test_no_bare_word_turns_into_a_boolean(generate: ModuleType) -> None:
    for profile in ("kubernetes-edge", "kubernetes-sidecar"):
        settings = defaults(CONTRACT, profile)
        assert yaml.safe_load(generate.envoy_yaml(CONTRACT, settings)) == bootstrap(CONTRACT, settings)


def test_the_policy_of_the_page_names_the_hash_of_each_script_and_style() -> None:
    policy = docs_policy("<style>a{}</style><script>1</script><script>2</script>")
    assert len(re.findall(r"'sha256-[A-Za-z0-9+/=]{44}'", policy)) == 3


def test_the_table_of_fields_knows_both_spellings_maps_and_nothing_of_secrets_rpcs() -> None:
    script = fields_script(CONTRACT)
    assert '["paideia.catalog.v1.ClozeKey"]={gaps="*paideia.catalog.v1.GapKey",partial_credit=true,partialCredit=true}' in script
    assert "BatchGetPublishedItemsRequest" not in script
