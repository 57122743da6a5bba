"""The proxies' settings make a configuration whose every cluster leads to a pod that shows the certificate it insists on."""

from typing import Any

import pytest
from edge.bootstrap import bootstrap, defaults
from edge.contract import read_contract
from edge.settings import settings_from

from tests.unit.k8s.cluster import OVERLAYS, ROOT, Cluster, Pod, cluster

CONTRACT = read_contract(ROOT / "gen" / "paideia.binpb")


def configured(shown: Cluster, pod: Pod) -> dict[str, Any]:
    command = pod.container("envoy-configuration")["command"]
    profile = command[command.index("--profile") + 1]
    made: dict[str, Any] = bootstrap(CONTRACT, settings_from(shown.proxy_settings(pod), defaults(CONTRACT, profile)))
    return made


def shown_by(shown: Cluster, pod: Pod) -> list[str]:
    secret = next(each["secret"]["secretName"] for each in pod.spec["volumes"] if each["name"] == "mesh")
    names: list[str] = next(
        each["spec"]["dnsNames"] for each in shown.of_kind("Certificate").values() if each["spec"]["secretName"] == secret
    )
    return names


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_cluster_of_every_proxy_insists_on_a_name_that_the_pods_behind_it_show(name: str) -> None:
    shown, seen = cluster(name), 0
    for pod in shown.pods:
        if pod.owner in shown.of_kind("Job"):
            continue
        for each in configured(shown, pod)["static_resources"]["clusters"]:
            if "transport_socket" not in each:
                continue
            (endpoint,) = each["load_assignment"]["endpoints"][0]["lb_endpoints"]
            service, _, _ = endpoint["endpoint"]["address"]["socket_address"]["address"].partition(".")
            (behind,) = shown.selected(shown.of_kind("Service")[service]["spec"]["selector"])
            assert each["transport_socket"]["typed_config"]["sni"] in shown_by(shown, behind)
            seen += 1
    assert seen > len(CONTRACT.contexts)


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_listener_that_others_reach_is_a_port_of_the_pod_and_the_rest_is_its_own(name: str) -> None:
    shown = cluster(name)
    for pod in shown.pods:
        if pod.owner in shown.of_kind("Job"):
            continue
        for listener in configured(shown, pod)["static_resources"]["listeners"]:
            address = listener["address"]["socket_address"]
            assert (address["port_value"] in pod.ports.values()) is (address["address"] != "127.0.0.1")
