"""What all objects of Kubernetes have in common."""

from typing import Any

Manifest = dict[str, Any]


def an_object(api: str, kind: str, name: str, spec: Manifest) -> Manifest:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name}, "spec": spec}


def labels(name: str) -> dict[str, str]:
    """By which the pods of a workload are found."""
    return {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "paideia"}
