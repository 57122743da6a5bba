"""Three pods of the manifests beside a running stack: the edge, the integrations, and the process with identity, behind their proxies."""

import shutil
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from stack.assembly import Assembly
from stack.certificates import Certificates
from stack.mesh_client import mesh_channel
from stack.parts.host import Host
from stack.settings import StackSettings
from tests.e2e.platform import Platform

if TYPE_CHECKING:
    from tests.e2e.pods import Node

pytestmark = pytest.mark.e2e
CONTEXTS = "identity-catalog-paths"


@dataclass(frozen=True)
class Deployed:
    node: "Node"
    web: httpx.Client


@pytest.fixture(scope="module")
def deployed(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    import tests.unit.k8s.conftest  # noqa: F401  # finds the modules of k8s/
    from tests.e2e.pods import Node
    from tests.unit.k8s.cluster import cluster

    folder = tmp_path_factory.mktemp("node")
    # The authorities of the stack's mesh, so that pods and the processes of the stack believe each other.
    shutil.copytree(platform.home.certificates, folder / "certificates", symlinks=True)
    assembly = Assembly(platform.home, StackSettings.read(platform.home, environment={}))
    host = next(part for part in assembly.parts() if isinstance(part, Host))
    small = cluster("small")
    elsewhere = {
        f"{context}.paideia.svc.cluster.local:7443": address
        for context, address in assembly.targets().items()
        if context not in CONTEXTS.split("-")
    }
    values = {**host.settings, "PGSSLMODE": "prefer", "PGSSLROOTCERT": ""}
    for name in ("PAIDEIA_LISTEN", "PAIDEIA_METRICS_LISTEN", "PAIDEIA_TARGETS", "PAIDEIA_SECRETS_DIR"):
        values.pop(name, None)
    node = Node(small, folder, platform.home.secrets, Certificates(folder / "certificates"), values, elsewhere)
    trust = ssl.create_default_context(cafile=str(node.certificates.public / "ca.crt"))
    with node.running(CONTEXTS), node.running("integrations"), node.running("edge"):
        for owner, container in ((CONTEXTS, "host"), ("integrations", "integrations"), ("edge", "envoy")):
            node.passes(owner, container, "readinessProbe")
            node.passes(owner, container, "livenessProbe")
        with httpx.Client(base_url=f"https://localhost:{node.port('edge', 8443)}", verify=trust, timeout=20) as web:
            yield Deployed(node, web)


def test_people_sign_in_and_practise_through_the_pods(platform: Platform, deployed: Deployed) -> None:
    body = {"organization": "organizations/demo", "login": "admin", "password": platform.password}
    signed_in = deployed.web.post("/v1/sessions:signIn", json=body)
    assert signed_in.status_code == 200, signed_in.text
    bearer = {"authorization": f"Bearer {signed_in.json()['accessToken']}"}
    assert deployed.web.get("/v1/courses/fractions", headers=bearer).json()["name"] == "courses/fractions"
    assert deployed.web.get("/v1/courses/fractions").status_code == 401


def test_a_pod_calls_contexts_in_itself_and_elsewhere(platform: Platform, deployed: Deployed) -> None:
    platform.create_learner("kay")
    due = (datetime.now(UTC).date() + timedelta(days=60)).isoformat()
    path = {"course": "courses/fractions", "dueDate": due, "minutesPerDay": 20, "goalSkills": ["skills/fractions.simplify"]}
    bearer = {"authorization": f"Bearer {platform.token()}"}
    body = {"requestId": str(uuid4()), "pathId": "from-a-pod", "path": path}
    # Paths asks the catalog, which is in the same process, and progress, which is in another.
    planned = deployed.web.post("/v1/learners/kay/paths", json=body, headers=bearer)
    assert planned.status_code == 200, planned.text
    assert planned.json()["steps"][-1]["skill"] == "skills/fractions.simplify"


def test_web_pages_come_from_the_integrations_behind_their_proxy(deployed: Deployed) -> None:
    page = deployed.web.get("/sign-in?organization=demo", follow_redirects=True)
    assert page.status_code == 200, page.text
    assert "<form" in page.text


def test_a_proxy_lets_in_the_callers_of_the_context_map_and_no_other_workload(deployed: Deployed) -> None:
    def asked(workload: str) -> grpc.StatusCode:
        certificates = deployed.node.certificates.ensure_workload(workload)
        target = f"127.0.0.1:{deployed.node.port('integrations', 7443)}"
        with mesh_channel(grpc, target, certificates, "integrations") as channel:
            try:
                health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
            except grpc.RpcError as refusal:
                return refusal.code()
        return grpc.StatusCode.OK

    # The application speaks no gRPC; who is let in hears that from it, who is not hears it from the proxy.
    assert asked("scheduler") is grpc.StatusCode.PERMISSION_DENIED
    assert asked("edge") is grpc.StatusCode.UNIMPLEMENTED


def test_the_monitoring_reads_what_it_is_told_to_read(deployed: Deployed) -> None:
    node = deployed.node
    own = httpx.get(f"http://127.0.0.1:{node.port(CONTEXTS, 7100)}/metrics").text
    assert "paideia_rpc_calls_total" in own
    for owner in (CONTEXTS, "integrations", "edge"):
        assert "envoy_cluster_upstream_rq_total" in httpx.get(f"http://127.0.0.1:{node.port(owner, 9902)}/metrics").text
    through = httpx.get(f"http://127.0.0.1:{node.port('integrations', 9902)}/application/metrics")
    assert "process_resident_memory_bytes" in through.text


def test_the_secrets_that_are_projected_are_enough(deployed: Deployed) -> None:
    mounted = {each.name for each in Path(deployed.node.folder / CONTEXTS / "secrets").iterdir()}
    assert {"mesh_key", "postgres_paideia_identity", "postgres_paideia_relay"} <= mounted
    assert not mounted & {"postgres_paideia_progress", "lake_key", "pages_key"}
