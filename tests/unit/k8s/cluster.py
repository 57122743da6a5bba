"""Manifests seen as a cluster sees them: objects by kind, the pods that a selector finds, the ports that they serve."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from deployment.manifests import manifests
from deployment.settings import Installation, installation_from

ROOT = Path(__file__).resolve().parents[3]
OVERLAYS = ("large", "small")
Manifest = dict[str, Any]


@dataclass(frozen=True)
class Pod:
    """A pod template and what it belongs to."""

    owner: str
    template: Manifest

    @property
    def spec(self) -> Manifest:
        spec: Manifest = self.template["spec"]
        return spec

    @property
    def labels(self) -> dict[str, str]:
        labels: dict[str, str] = self.template["metadata"]["labels"]
        return labels

    @property
    def containers(self) -> list[Manifest]:
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    @property
    def lasting(self) -> list[Manifest]:
        """Containers that run as long as the pod does."""
        return [each for each in self.containers if each in self.spec["containers"] or each.get("restartPolicy") == "Always"]

    @property
    def ports(self) -> dict[str, int]:
        return {port["name"]: port["containerPort"] for each in self.lasting for port in each.get("ports", [])}

    def container(self, name: str) -> Manifest:
        return next(each for each in self.containers if each["name"] == name)


@dataclass(frozen=True)
class Cluster:
    installation: Installation
    parts: dict[str, list[Manifest]]

    @property
    def objects(self) -> list[Manifest]:
        return [each for part in self.parts.values() for each in part]

    def of_kind(self, kind: str) -> dict[str, Manifest]:
        return {each["metadata"]["name"]: each for each in self.objects if each["kind"] == kind}

    @property
    def pods(self) -> list[Pod]:
        owners = [*self.of_kind("Deployment").items(), *self.of_kind("Job").items()]
        return [Pod(name, each["spec"]["template"]) for name, each in owners]

    def pod(self, owner: str) -> Pod:
        return next(each for each in self.pods if each.owner == owner)

    def selected(self, labels: dict[str, str]) -> list[Pod]:
        return [each for each in self.pods if labels.items() <= each.labels.items()]

    def proxy_settings(self, pod: Pod) -> Manifest:
        """What the pod's proxy is told."""
        name = next(each["configMap"]["name"] for each in pod.spec["volumes"] if each["name"] == "envoy-settings")
        settings: Manifest = yaml.safe_load(self.of_kind("ConfigMap")[name]["data"]["settings.yaml"])
        return settings


def overlay(name: str) -> Manifest:
    values: Manifest = yaml.safe_load((ROOT / "k8s" / "overlays" / f"{name}.yaml").read_text())
    return values


@cache
def cluster(name: str) -> Cluster:
    installation = installation_from(overlay(name))
    return Cluster(installation, manifests(installation))


def secret_keys(pod: Pod) -> Iterator[tuple[str, str]]:
    """The Secrets that a pod refers to for their keys: name and key."""
    for container in pod.containers:
        for variable in container.get("env", []):
            if reference := variable.get("valueFrom", {}).get("secretKeyRef"):
                yield reference["name"], reference["key"]
    for volume in pod.spec["volumes"]:
        for source in volume.get("projected", {}).get("sources", []):
            for item in source["secret"]["items"]:
                yield source["secret"]["name"], item["key"]
