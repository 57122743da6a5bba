"""Reflection, health, metrics, and one trace id from the edge to the consumer."""

import urllib.request
from uuid import uuid4

import pytest
from google.protobuf.json_format import MessageToDict
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.e2e.platform import Platform
from tests.e2e.test_practice import wrong_or_right_answer

pytestmark = pytest.mark.e2e
CONTEXTS = ("identity", "catalog", "assessment", "progress", "scheduler", "paths", "ingestion", "analytics", "audit", "inference")


@pytest.mark.parametrize("context", CONTEXTS)
def test_health_answers_for_the_process_and_each_service(platform: Platform, context: str) -> None:
    with platform.channel(context) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for service in ("", f"paideia.{context}.v1.{context.title()}Service"):
            answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=5)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("context", CONTEXTS)
def test_reflection_lists_the_service(platform: Platform, context: str) -> None:
    with platform.channel(context) as channel:
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        answer = next(reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([request]), timeout=5))
    names = [each["name"] for each in MessageToDict(answer)["listServicesResponse"]["service"]]
    assert f"paideia.{context}.v1.{context.title()}Service" in names


def test_every_process_of_ours_has_metrics(platform: Platform) -> None:
    addresses = [part.metrics for part in platform.record.parts.values() if part.metrics]
    assert len(addresses) >= 2
    for address in addresses:
        url = address if address.startswith("http") else f"http://{address}/metrics"
        with urllib.request.urlopen(url, timeout=5) as answer:
            assert b"# TYPE" in answer.read()


def test_one_trace_id_follows_an_answer_from_the_edge_to_the_consumer(platform: Platform) -> None:
    trace = uuid4().hex
    platform.create_learner("tracy")
    body = {
        "requestId": str(uuid4()),
        "course": "courses/fractions",
        "item": first_item(platform),
        "answer": {},
    }
    view = platform.call("GET", f"/v1/learners/tracy/{body['item']}?course=courses/fractions", token=platform.token()).body
    body["answer"] = wrong_or_right_answer(view["body"])
    headers = {"traceparent": f"00-{trace}-{uuid4().hex[:16]}-01"}
    answer = platform.call("POST", "/v1/learners/tracy/responses", body, platform.token(), headers)
    assert answer.status == 200, answer

    def seen_in() -> set[str]:
        return {
            part
            for part in platform.record.parts
            if platform.home.log(part).exists() and trace in platform.home.log(part).read_text(errors="replace")
        }

    def consumed() -> bool:
        return any(
            trace in str(line) and "user.attempts" in str(line)
            for part in platform.record.parts
            if "progress" in part
            for line in platform.log_lines(part)
        )

    platform.wait(consumed, 30, "the consumer's line with the trace")
    # Envoy writes its access log in batches.
    platform.wait(lambda: {"edge", "assessment", "progress"} <= seen_in(), 30, "the trace in every log")


def first_item(platform: Platform) -> str:
    chosen = platform.call(
        "POST", "/v1/learners/tracy:nextItems", {"requestId": str(uuid4()), "course": "courses/fractions"}, platform.token()
    )
    return str(chosen.body["items"][0]["item"])
