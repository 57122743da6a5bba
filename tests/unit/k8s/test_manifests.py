"""The manifests: valid for Kubernetes, complete, and true to what the containers do."""

import re
from collections import Counter
from functools import cache
from types import ModuleType

import kubernetes_validate
import pytest
from deployment.pods import EDGE_DRAIN_SECONDS, GRACE_SECONDS, LEAVE_SECONDS
from deployment.workloads import MESH_DOMAIN, connections, workloads

from services.host.host import CONTEXTS
from tests.unit.k8s.cluster import OVERLAYS, ROOT, Cluster, cluster, secret_keys

OLDEST = "1.33"
_OF_OTHERS = ("cert-manager.io/v1", "monitoring.coreos.com/v1")


@pytest.fixture(params=OVERLAYS)
def shown(request: pytest.FixtureRequest) -> Cluster:
    return cluster(request.param)


def test_what_is_kept_in_the_repository_is_fresh(generate: ModuleType) -> None:
    stale = [str(path) for path, text in generate.goldens().items() if not path.exists() or path.read_text() != text]
    assert not stale, f"run: python k8s/generate.py --golden ({', '.join(stale)})"
    assert {path.parent.name for path in generate.goldens()} == set(OVERLAYS)


# Otherwise a megabyte of schemas is read again for each object.
_read_once = cache(kubernetes_validate.utils.schema_contents)


def test_every_object_fits_the_schema_of_kubernetes_old_and_new(shown: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubernetes_validate.utils, "schema_contents", _read_once)
    for each in shown.objects:
        if each["apiVersion"] not in _OF_OTHERS:
            for version in (OLDEST, kubernetes_validate.latest_version()):
                kubernetes_validate.validate(each, version, strict=True)


def test_no_object_is_there_twice(shown: Cluster) -> None:
    names = Counter((each["kind"], each["metadata"]["name"]) for each in shown.objects)
    assert [each for each, count in names.items() if count > 1] == []


def test_every_context_is_deployed_once(shown: Cluster) -> None:
    commands = [container["command"] for pod in shown.pods for container in pod.containers if container["name"] == "host"]
    assert sorted(context for command in commands for context in command[3:]) == sorted(CONTEXTS)


def test_everything_runs_the_one_image(shown: Cluster) -> None:
    assert {container["image"] for pod in shown.pods for container in pod.containers} == {shown.installation.image}


def test_every_container_is_confined_and_bounded(shown: Cluster) -> None:
    for pod in shown.pods:
        assert pod.spec["securityContext"]["runAsNonRoot"] is True
        assert pod.spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod.spec["automountServiceAccountToken"] is False
        for container in pod.containers:
            confined = container["securityContext"]
            assert confined["readOnlyRootFilesystem"] is True
            assert confined["allowPrivilegeEscalation"] is False
            assert confined["capabilities"] == {"drop": ["ALL"]}
            for bound in ("requests", "limits"):
                assert container["resources"][bound].keys() == {"cpu", "memory"}


def test_every_container_that_stays_is_asked_whether_it_lives_and_can_serve(shown: Cluster) -> None:
    for pod in shown.pods:
        if pod.owner not in shown.of_kind("Job"):
            for container in pod.lasting:
                for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                    assert container[probe]["httpGet"]["port"] in pod.ports.values(), (pod.owner, container["name"])


def test_every_service_leads_to_a_port_that_its_pods_serve(shown: Cluster) -> None:
    for name, service in shown.of_kind("Service").items():
        pods = shown.selected(service["spec"]["selector"])
        assert len(pods) == 1, name
        assert all(port["targetPort"] in pods[0].ports for port in service["spec"]["ports"]), name


def test_every_address_of_a_proxy_is_a_service_with_that_port(shown: Cluster) -> None:
    services = shown.of_kind("Service")
    for pod in shown.pods:
        if pod.owner in shown.of_kind("Job"):
            continue
        settings = shown.proxy_settings(pod)
        at_the_edge = [settings["integrations"]] if "integrations" in settings else []
        for address in [*settings["targets"].values(), *at_the_edge]:
            match = re.fullmatch(rf"(\w+)\.{shown.installation.namespace}\.svc\.cluster\.local:(\d+)", address)
            assert match, address
            assert [port["port"] for port in services[match[1]]["spec"]["ports"]] == [int(match[2])]
            (behind,) = shown.selected(services[match[1]]["spec"]["selector"])
            assert pod.owner != "edge" or "edge" in shown.proxy_settings(behind)["callers"]


def test_the_certificate_of_a_workload_names_what_it_answers_for(shown: Cluster) -> None:
    certificates = shown.of_kind("Certificate")
    for name, service in shown.of_kind("Service").items():
        (pod,) = shown.selected(service["spec"]["selector"])
        mounted = next(each["secret"]["secretName"] for each in pod.spec["volumes"] if each["name"] == "mesh")
        spec = next(each["spec"] for each in certificates.values() if each["spec"]["secretName"] == mounted)
        assert f"{name}.{MESH_DOMAIN}" in spec["dnsNames"]
        host = [each for each in pod.spec["containers"] if each["name"] == "host"]
        if host:
            # Service tokens bear the same name.
            assert spec["uris"] == [f"spiffe://paideia/{'.'.join(host[0]['command'][3:])}"]


def test_policies_let_exactly_the_callers_connect_on_both_sides(shown: Cluster) -> None:
    policies = shown.of_kind("NetworkPolicy")
    inward, outward, admitted = set(), set(), set()
    for name, policy in policies.items():
        for rule in policy["spec"].get("ingress", []):
            if rule["ports"] == [{"protocol": "TCP", "port": 7443}]:
                inward |= {(peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"], name) for peer in rule["from"]}
        for rule in policy["spec"].get("egress", []):
            if rule["ports"] == [{"protocol": "TCP", "port": 7443}]:
                outward |= {(name, peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"]) for peer in rule["to"]}
    for pod in shown.pods:
        if pod.owner != "edge" and pod.owner not in shown.of_kind("Job"):
            admitted |= {(caller.replace(".", "-"), pod.owner) for caller in shown.proxy_settings(pod)["callers"]}
    assert inward == outward == admitted
    assert ("edge", "integrations") in inward
    assert {name for name in policies if name not in ("default-deny", "names")} == {
        pod.labels["app.kubernetes.io/name"] for pod in shown.pods
    }
    assert policies["default-deny"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_a_pod_refers_only_to_what_is_there_or_what_the_docs_ask_the_operator_for(shown: Cluster) -> None:
    docs = (ROOT / "docs" / "kubernetes.md").read_text()
    made = {each["spec"]["secretName"] for each in shown.of_kind("Certificate").values()}
    for pod in shown.pods:
        assert pod.spec["serviceAccountName"] in shown.of_kind("ServiceAccount")
        for volume in pod.spec["volumes"]:
            if "secret" in volume:
                assert volume["secret"]["secretName"] in made
            if "configMap" in volume:
                assert volume["configMap"]["name"] in shown.of_kind("ConfigMap")
        for secret, key in secret_keys(pod):
            assert secret == shown.installation.secret
            assert f"`{re.sub(r'^postgres_paideia_(?!relay)[a-z]+$', 'postgres_paideia_<context>', key)}`" in docs, key


def test_no_secret_is_in_the_manifests(shown: Cluster) -> None:
    assert not shown.of_kind("Secret")


def test_a_workload_reads_the_database_passwords_of_its_own_contexts_only(shown: Cluster) -> None:
    for pod in shown.pods:
        mine = {"relay", *(context for each in pod.containers if each["name"] == "host" for context in each["command"][3:])}
        keys = {key for _, key in secret_keys(pod)}
        if pod.owner not in shown.of_kind("Job"):
            assert {key.removeprefix("postgres_paideia_") for key in keys if key.startswith("postgres_")} <= mine
            assert "postgres_owner_dsn" not in keys


def test_a_stop_has_the_time_that_its_steps_take(shown: Cluster) -> None:
    for pod in shown.pods:
        if pod.owner not in shown.of_kind("Job"):
            steps = LEAVE_SECONDS + (EDGE_DRAIN_SECONDS if pod.owner == "edge" else GRACE_SECONDS)
            assert pod.spec["terminationGracePeriodSeconds"] > steps
    host = next(each for pod in shown.pods for each in pod.containers if each["name"] == "host")
    assert {"name": "PAIDEIA_GRACE_SECONDS", "value": str(GRACE_SECONDS)} in host["env"]


def test_a_proxy_gives_way_before_its_memory_ends(shown: Cluster) -> None:
    for pod in shown.pods:
        if pod.owner not in shown.of_kind("Job"):
            limit = int(pod.container("envoy")["resources"]["limits"]["memory"].removesuffix("Mi"))
            assert shown.proxy_settings(pod)["max_heap_bytes"] <= limit / 2 * (1 << 20)


def test_what_follows_the_load_has_no_number_of_its_own(shown: Cluster) -> None:
    scaled = shown.of_kind("HorizontalPodAutoscaler")
    for name, deployment in shown.of_kind("Deployment").items():
        assert ("replicas" in deployment["spec"]) is (name not in scaled)
        assert name in shown.of_kind("PodDisruptionBudget")


def test_a_release_that_rolls_out_keeps_within_the_connections_of_the_database(shown: Cluster) -> None:
    processes = [(max(each.process.replicas, each.process.most) + 1, each) for each in workloads(shown.installation)]
    most = sum(count * connections(shown.installation, each) for count, each in processes)
    assert most <= shown.installation.postgres_connections


def test_the_release_job_is_a_new_one_for_each_image(generate: ModuleType) -> None:
    small = ROOT / "k8s" / "overlays" / "small.yaml"
    digest = "0123456789ab" + 52 * "c"
    for image, name in (
        ("example.org/paideia:1.2.3", "release-1-2-3"),
        (f"example.org/paideia@sha256:{digest}", "release-0123456789ab"),
    ):
        ((path, text),) = [
            each for each in generate.files(generate.read_installation(small, image), ROOT).items() if "release" in each[0].name
        ]
        assert f"name: {name}\n" in text
        assert image in text, path
