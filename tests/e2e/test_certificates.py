"""The mesh and the public door of a running stack, and an operator who changes their certificates under load."""

import json
import ssl
import urllib.request
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from adapters.shared.service_tokens import sign_service_token
from domain.shared.clock import system_clock
from stack.certificates import TOOLS
from tests.e2e.platform import Platform

pytestmark = pytest.mark.e2e
METHOD = "/paideia.catalog.v1.CatalogService/GetPublication"


def test_a_context_does_not_answer_without_a_certificate(platform: Platform) -> None:
    with grpc.insecure_channel(platform.record.addresses["catalog"]) as channel, pytest.raises(grpc.RpcError) as refusal:
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
    assert refusal.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(("workload", "code"), [(TOOLS, None), ("scheduler", grpc.StatusCode.UNAUTHENTICATED)])
def test_a_service_token_is_good_from_its_own_workload_only(
    platform: Platform, workload: str, code: grpc.StatusCode | None
) -> None:
    mesh_key = (platform.home.secrets / "mesh_key").read_text().strip().encode()
    token = sign_service_token(mesh_key, workload, "demo", system_clock())
    with platform.channel("catalog") as channel:
        call = channel.unary_unary(METHOD).with_call
        try:
            call(b"\x0a\x11courses/fractions", metadata=(("authorization", f"Bearer {token}"),), timeout=10)
            refused = None
        except grpc.RpcError as error:
            refused = error.code()
    assert refused is code


def test_an_operator_changes_certificates_and_authorities_and_no_request_fails(platform: Platform) -> None:
    authorities = platform.home.certificates / "public" / "ca.crt"
    token, url = platform.token(), f"{platform.record.secure_url}/v1/courses/fractions"
    before = serials(platform)

    def ask() -> int:
        # A handshake for each request, trusting what is in the file at that moment.
        trust = ssl.create_default_context(cafile=str(authorities))
        request = urllib.request.Request(url, headers={"authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=20, context=trust) as answer:
            return int(answer.status)

    with platform.asked_meanwhile(ask, ask, ask) as seen:
        rotated = platform.paideia("certificates", "rotate", "--authorities")
    assert rotated.returncode == 0, rotated.stderr
    assert set(seen) == {200}
    assert not before & serials(platform)


def serials(platform: Platform) -> set[str]:
    shown = platform.paideia("certificates", "show", "--json")
    return {each["serial"] for each in json.loads(shown.stdout)["certificates"]}


def test_the_command_line_trusts_its_own_stack(platform: Platform, tmp_path: Path) -> None:
    from cli.trust import authorities_of, tls_context

    trust = tls_context(authorities_of(platform.home.path))
    with urllib.request.urlopen(f"{platform.record.secure_url}/healthz", timeout=10, context=trust) as answer:
        assert answer.status == 200
    assert authorities_of(tmp_path) is None
