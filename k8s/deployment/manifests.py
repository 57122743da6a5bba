"""All manifests of an installation, in the three parts in which they are applied."""

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import yaml

from deployment.certificates import certificates
from deployment.needs import CONTEXTS, RELEASE
from deployment.network import policies
from deployment.objects import Manifest, an_object, labels
from deployment.pods import (
    MESH_PORT,
    edge_pod,
    edge_settings,
    host_environment,
    host_pod,
    integrations_pod,
    proxy_settings_name,
    release_pod,
    sidecar_settings,
)
from deployment.settings import Installation, WrongSetting
from deployment.workloads import Workload, edge_workload, workloads
from services.host.host import CONTEXTS as SERVED
from services.host.settings import WrongSetting as Refused
from services.host.settings import read_settings

FOUNDATION, RELEASE_JOB, WORKLOADS, CONTRACT_JOB = "1-foundation.yaml", "2-release.yaml", "3-workloads.yaml", "4-contract.yaml"
_STANDARD = {"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted"}
_RETRIES, _RELEASE_SECONDS, _KEPT_SECONDS = 3, 1800, 7 * 24 * 3600
_CPU_PERCENT = 70


def manifests(installation: Installation) -> dict[str, list[Manifest]]:
    """Returns the objects by the file that they are written to. Raises WrongSetting."""
    if set(CONTEXTS) != set(SERVED):
        raise WrongSetting(f"k8s/deployment/needs.py does not say what these need: {sorted(set(SERVED) ^ set(CONTEXTS))}")
    _check_public_url(installation)
    serving = workloads(installation)
    edge = edge_workload(installation)
    for workload in serving:
        if workload.contexts:
            check_environment({each["name"]: each.get("value", "secret") for each in host_environment(installation, workload)})
    everybody = (*serving, edge)
    foundation = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": installation.namespace, "labels": dict(_STANDARD)}},
        *(_service_account(installation, name) for name in (*(each.name for each in everybody), RELEASE)),
        *policies(installation, serving, edge),
        *certificates(installation, everybody),
        *(_config_map(each.name, sidecar_settings(installation, each, everybody)) for each in serving),
        _config_map(edge.name, edge_settings(installation)),
    ]
    running: list[Manifest] = []
    for workload in serving:
        pod = host_pod if workload.contexts else integrations_pod
        running += _deployed(workload, pod(installation, workload, everybody))
        running += [_mesh_service(name, workload.name) for name in workload.answers]
    running += [*_deployed(edge, edge_pod(installation, edge)), _public_service(installation, edge)]
    if installation.pod_monitors:
        running += [_pod_monitor(each) for each in everybody]
    parts = {
        FOUNDATION: foundation,
        RELEASE_JOB: [_release_job(installation, RELEASE)],
        WORKLOADS: running,
        CONTRACT_JOB: [_release_job(installation, "contract", "--contract")],
    }
    for part in parts.values():
        for each in part:
            if each["kind"] != "Namespace":
                each["metadata"]["namespace"] = installation.namespace
            each["metadata"].setdefault("labels", {})["app.kubernetes.io/part-of"] = "paideia"
    return parts


def text_of(part: list[Manifest]) -> str:
    head = "# Made by k8s/generate.py: change its settings instead.\n"
    return head + yaml.dump_all(part, Dumper=_Dumper, sort_keys=False, width=140)


def check_environment(environment: Mapping[str, str]) -> None:
    """Has the host's own reader read what a pod would give it. Raises WrongSetting naming what it refuses or does not know."""
    asked = _Asked({**environment, "PAIDEIA_SECRETS_DIR": os.sep})
    try:
        read_settings(asked)
    except Refused as error:
        raise WrongSetting(f"environment: {error}") from None
    for name in environment:
        if name.startswith("PAIDEIA_") and name not in asked.names:
            raise WrongSetting(f"environment: nothing reads {name}")


class _Asked(dict[str, str]):
    """An environment that remembers which names were asked for."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__(values)
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return super().get(name, default)

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        return super().__getitem__(name)


class _Dumper(yaml.SafeDumper):
    """Repeats what is the same rather than referring to it: people read this."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _check_public_url(installation: Installation) -> None:
    url = urlsplit(installation.public_url)
    if url.scheme != "https" or not url.hostname or url.path.strip("/") or url.query:
        raise WrongSetting(f"public_url: must look like https://learn.example.org, not {installation.public_url!r}")


def _deployed(workload: Workload, pod: Manifest) -> list[Manifest]:
    """The Deployment, and what keeps enough of it running."""
    process, selector = workload.process, {"matchLabels": labels(workload.name)}
    spec = {
        # What follows the load is not set back by the next release.
        **({} if process.scales else {"replicas": process.replicas}),
        "revisionHistoryLimit": 5,
        "selector": selector,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": pod,
    }
    made = [an_object("apps/v1", "Deployment", workload.name, spec)]
    if process.scales:
        utilization = {"type": "Utilization", "averageUtilization": _CPU_PERCENT}
        scaling = {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": workload.name},
            "minReplicas": process.replicas,
            "maxReplicas": process.most,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": utilization}}],
            # A process less is a new division of the log's partitions among the others: not at every lull.
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 600}},
        }
        made.append(an_object("autoscaling/v2", "HorizontalPodAutoscaler", workload.name, scaling))
    if process.replicas > 1:
        spec = {"maxUnavailable": 1, "selector": selector, "unhealthyPodEvictionPolicy": "AlwaysAllow"}
        made.append(an_object("policy/v1", "PodDisruptionBudget", workload.name, spec))
    return made


def _mesh_service(name: str, workload: str) -> Manifest:
    """Without an address of its own: each proxy learns all pods and divides its calls among them."""
    port = {"name": "mesh", "port": MESH_PORT, "targetPort": "mesh", "protocol": "TCP"}
    return an_object("v1", "Service", name, {"clusterIP": "None", "selector": labels(workload), "ports": [port]})


def _public_service(installation: Installation, edge: Workload) -> Manifest:
    """Port 80 leads to the same listener, which sends readers to https."""
    ports = [
        {"name": name, "port": port, "targetPort": "https", "protocol": "TCP"} for name, port in (("https", 443), ("http", 80))
    ]
    outside = installation.edge.service != "ClusterIP"
    spec = {
        "type": installation.edge.service,
        "selector": labels(edge.name),
        "ports": ports,
        # Limits count addresses: they have to be the clients' own.
        **({"externalTrafficPolicy": "Local"} if outside else {}),
    }
    made = an_object("v1", "Service", edge.name, spec)
    if installation.edge.annotations:
        made["metadata"]["annotations"] = dict(installation.edge.annotations)
    return made


def _release_job(installation: Installation, name: str, *options: str) -> Manifest:
    spec = {
        "backoffLimit": _RETRIES,
        "activeDeadlineSeconds": _RELEASE_SECONDS,
        "ttlSecondsAfterFinished": _KEPT_SECONDS,
        "template": release_pod(installation, *options),
    }
    return an_object("batch/v1", "Job", f"{name}-{installation.release}", spec)


def _service_account(installation: Installation, name: str) -> Manifest:
    annotations = {"annotations": dict(installation.service_accounts)} if installation.service_accounts else {}
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name, **annotations},
        "automountServiceAccountToken": False,
    }


def _config_map(workload: str, settings: Manifest) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": proxy_settings_name(workload, settings)},
        "immutable": True,
        "data": {"settings.yaml": yaml.safe_dump(settings, sort_keys=False)},
    }


def _pod_monitor(workload: Workload) -> Manifest:
    endpoints = [{"port": "proxy-metrics", "path": "/metrics"}]
    if workload.contexts:
        endpoints.append({"port": "metrics", "path": "/metrics"})
    elif workload.answers:
        endpoints.append({"port": "proxy-metrics", "path": "/application/metrics"})
    spec = {"selector": {"matchLabels": labels(workload.name)}, "podMetricsEndpoints": endpoints}
    return an_object("monitoring.coreos.com/v1", "PodMonitor", workload.name, spec)
