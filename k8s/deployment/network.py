"""Network policies: nothing is allowed, then each workload what it needs, made from who calls whom."""

from deployment.needs import KAFKA, POSTGRES, RELEASE
from deployment.objects import Manifest, an_object, labels
from deployment.pods import MESH_PORT, METRICS_PORT, PROXY_METRICS_PORT, PUBLIC_PORT
from deployment.settings import Installation
from deployment.workloads import Workload, callers


def policies(installation: Installation, everybody: tuple[Workload, ...], edge: Workload) -> list[Manifest]:
    """`everybody` has a sidecar; the edge stands before them."""
    made = [_nothing(), _names()]
    for workload in everybody:
        calling = callers(workload, (*everybody, edge))
        scraped = [METRICS_PORT, PROXY_METRICS_PORT] if workload.contexts else [PROXY_METRICS_PORT]
        inward = [
            {"from": [_pods(each) for each in calling], "ports": _tcp(MESH_PORT)},
            _from_monitoring(installation, scraped),
        ]
        made.append(_policy(workload.name, inward, _outward(installation, workload, everybody)))
    public = {"from": [{"ipBlock": {"cidr": cidr}} for cidr in installation.edge.addresses], "ports": _tcp(PUBLIC_PORT)}
    made.append(
        _policy(
            edge.name, [public, _from_monitoring(installation, [PROXY_METRICS_PORT])], _outward(installation, edge, everybody)
        )
    )
    made.append(_policy(RELEASE, [], [_to_store(installation, store) for store in (POSTGRES, KAFKA)]))
    return made


def _outward(installation: Installation, workload: Workload, everybody: tuple[Workload, ...]) -> list[Manifest]:
    called = [each for each in everybody if set(workload.calls) & set(each.answers)]
    mesh = {"to": [_pods(each) for each in called], "ports": _tcp(MESH_PORT)}
    return [mesh, *(_to_store(installation, store) for store in workload.stores)]


def _to_store(installation: Installation, store: str) -> Manifest:
    network = installation.network(store)
    without = {"except": list(network.without)} if network.without else {}
    return {"to": [{"ipBlock": {"cidr": cidr, **without}} for cidr in network.cidrs], "ports": _tcp(*network.ports)}


def _from_monitoring(installation: Installation, ports: list[int]) -> Manifest:
    named = {"kubernetes.io/metadata.name": installation.monitoring_namespace}
    return {"from": [{"namespaceSelector": {"matchLabels": named}}], "ports": _tcp(*ports)}


def _nothing() -> Manifest:
    return _policy_object("default-deny", {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})


def _names() -> Manifest:
    """Everybody may look names up."""
    system = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    }
    ports = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    return _policy_object("names", {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [system], "ports": ports}]})


def _policy(name: str, inward: list[Manifest], outward: list[Manifest]) -> Manifest:
    selector = {"matchLabels": labels(name)}
    spec = {"podSelector": selector, "policyTypes": ["Ingress", "Egress"], "ingress": inward, "egress": outward}
    return _policy_object(name, spec)


def _policy_object(name: str, spec: Manifest) -> Manifest:
    return an_object("networking.k8s.io/v1", "NetworkPolicy", name, spec)


def _pods(workload: Workload) -> Manifest:
    return {"podSelector": {"matchLabels": labels(workload.name)}}


def _tcp(*ports: int) -> list[Manifest]:
    return [{"protocol": "TCP", "port": port} for port in ports]
