"""What the edge serves by itself."""

import json

from tests.edge.conftest import Front
from tests.edge.proxy import ROOT


def test_the_document_is_the_one_in_the_repository(front: Front) -> None:
    reply = front.rest.get("/openapi.json")
    assert reply.headers["content-type"] == "application/json"
    assert reply.json() == json.loads((ROOT / "docs" / "api" / "openapi.json").read_text())


def test_the_page_runs_its_own_script_and_nothing_else(front: Front) -> None:
    reply = front.rest.get("/docs")
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    policy = reply.headers["content-security-policy"]
    assert "script-src 'sha256-" in policy
    assert "unsafe" not in policy
    assert "connect-src 'self'" in policy
    assert not [word for word in ("http://", "https://", "onclick=", "style=", "innerHTML") if word in reply.text]


def test_the_root_leads_to_the_page(front: Front) -> None:
    reply = front.rest.get("/")
    assert (reply.status_code, reply.headers["location"]) == (302, "/docs")


def test_every_documented_operation_exists_at_the_edge(front: Front) -> None:
    document = front.rest.get("/openapi.json").json()
    served = front.upstream.signer.token("LEARNER", "AUTHOR", "ADMIN", "OPERATOR", "TEACHER")
    for path, operations in document["paths"].items():
        for verb, operation in operations.items():
            url = path.replace("{", "").replace("}", "")
            reply = front.rest.request(
                verb, url, headers={"authorization": f"Bearer {served}"}, content="?" if verb != "get" else None
            )
            reason = reply.json().get("details", [{}])[:1]
            context = operation["x-grpc-method"].split(".")[1]
            if context in ("identity", "catalog", "ingestion"):
                assert reply.status_code != 404, (verb, path, reason)


def test_statistics_are_on_the_administration_address_only(front: Front) -> None:
    assert front.rest.get("/stats/prometheus", headers=front.bearer("ADMIN")).status_code == 404
    statistics = front.rest.get(f"http://{front.edge.admin}/stats/prometheus").text
    assert "envoy_http_downstream_rq_total" in statistics
