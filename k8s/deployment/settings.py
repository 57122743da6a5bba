"""What an installation on Kubernetes may choose. A wrong or unknown setting stops the generator with its name."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, get_args, get_origin

from deployment.needs import CONTEXTS, KAFKA, POSTGRES, REDIS
from stack.settings import DEFAULT_PROCESSES
from stack.settings import StackSettings as Processes

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?")
_IMAGE = re.compile(r"[a-z0-9][a-z0-9._:/-]*?(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,40})|@sha256:(?P<digest>[0-9a-f]{64}))")
_CPU = re.compile(r"[1-9][0-9]{0,5}m|[1-9][0-9]?")
_CERTIFICATE_ISSUERS = ("Issuer", "ClusterIssuer")
_TLS = ("prefer", "require", "verify-ca", "verify-full")
_PRIVATE = ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")


class WrongSetting(Exception):
    """Names the setting and says what it must be."""


@dataclass(frozen=True)
class Process:
    """Contexts served together. With `most` over `replicas` their number follows the load."""

    contexts: tuple[str, ...]
    replicas: int = 2
    most: int = 0
    cpu: str = "250m"
    memory_mib: int = 0
    """What is requested; 0 for what its contexts were measured to take. Twice that is the limit."""

    @property
    def name(self) -> str:
        return "-".join(self.contexts)

    @property
    def scales(self) -> bool:
        return self.most > self.replicas


@dataclass(frozen=True)
class Network:
    """Where a store is, for the network policies."""

    cidrs: tuple[str, ...]
    ports: tuple[int, ...]
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class Edge:
    """The public door. `addresses` are the clients' networks that may come to it, `settings` those of envoy/edge/settings.py."""

    replicas: int = 2
    most: int = 0
    cpu: str = "500m"
    heap_mib: int = 512
    service: str = "LoadBalancer"
    annotations: Mapping[str, str] = field(default_factory=dict)
    addresses: tuple[str, ...] = ("0.0.0.0/0", "::/0")
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def scales(self) -> bool:
        return self.most > self.replicas


_EVERYWHERE = Network(("0.0.0.0/0",), (443,), _PRIVATE)


@dataclass(frozen=True)
class Installation:
    """`image` is the one place that says what runs. `environment` holds further PAIDEIA_... settings of the processes."""

    image: str
    public_url: str
    postgres: str
    """As PAIDEIA_POSTGRES_DSN: `postgresql://{role}@host:5432/paideia`."""
    kafka: str
    networks: Mapping[str, Network]
    """Where `postgres`, `redis`, `kafka` and what else is used are."""
    namespace: str = "paideia"
    secret: str = "paideia"  # noqa: S105  # the name of one
    """The Secret with the keys that docs/kubernetes.md lists."""
    postgres_tls: str = "verify-full"
    postgres_connections: int = 400
    """How many the server has for the platform (`max_connections` less what others need)."""
    authorities: str = ""
    """A ConfigMap with `ca.crt`: the authorities of PostgreSQL's certificate, if the system does not know them."""
    pool_size: int = 5
    kafka_partitions: int = 2
    """Of topics that the release job creates; it bounds how many processes of a context share the reading."""
    s3_keys: bool = True
    """False: the workloads' service accounts have a role of the cloud instead."""
    processes: tuple[Process, ...] = ()
    """As PAIDEIA_PROCESSES groups them on one machine, when none are listed."""
    integrations: Process = Process(("integrations",), cpu="100m")
    edge: Edge = Edge()
    certificate_issuer: Mapping[str, str] = field(default_factory=dict)
    """cert-manager's `kind` and `name` for the public certificate; none: the Secret `paideia-public-tls` is made by others."""
    collector: str = ""
    """`host:port` of an OpenTelemetry collector."""
    monitoring_namespace: str = "monitoring"
    pod_monitors: bool = False
    """Whether the cluster has the Prometheus operator's PodMonitor."""
    service_accounts: Mapping[str, str] = field(default_factory=dict)
    """Annotations of every service account, such as a cloud's role."""
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        match = _IMAGE.fullmatch(self.image)
        if not match or match["tag"] == "latest":
            raise WrongSetting(f"image: must name a release by tag or digest, not {self.image!r}")
        for name in ("namespace", "secret", "monitoring_namespace"):
            if not _LABEL.fullmatch(getattr(self, name)):
                raise WrongSetting(f"{name}: must be a DNS label, not {getattr(self, name)!r}")
        if self.postgres_tls not in _TLS:
            raise WrongSetting(f"postgres_tls: must be one of {', '.join(_TLS)}, not {self.postgres_tls!r}")
        if self.edge.service not in ("LoadBalancer", "NodePort", "ClusterIP"):
            raise WrongSetting(f"edge.service: must be LoadBalancer, NodePort or ClusterIP, not {self.edge.service!r}")
        if self.certificate_issuer and (
            set(self.certificate_issuer) != {"kind", "name"} or self.certificate_issuer["kind"] not in _CERTIFICATE_ISSUERS
        ):
            raise WrongSetting(f"certificate_issuer: must hold kind ({' or '.join(_CERTIFICATE_ISSUERS)}) and name")
        self._check_processes()
        for name in (POSTGRES, REDIS, KAFKA):
            self.network(name)
        for name, network in self.networks.items():
            for cidr in (*network.cidrs, *network.without):
                _cidr(f"networks.{name}", cidr)
        for cidr in self.edge.addresses:
            _cidr("edge.addresses", cidr)

    @property
    def release(self) -> str:
        """What names the release, as a part of an object's name."""
        digest = self.image.partition("@sha256:")[2]
        return re.sub(r"[^a-z0-9]+", "-", (digest[:12] or self.image.rpartition(":")[2]).lower()).strip("-")

    @property
    def groups(self) -> tuple[Process, ...]:
        return self.processes or tuple(Process(group.contexts) for group in Processes(processes=DEFAULT_PROCESSES).groups)

    def network(self, store: str) -> Network:
        """Raises WrongSetting when the installation does not say where a store is that it uses."""
        if store not in self.networks:
            raise WrongSetting(f"networks.{store}: is not set; say in which networks it is, and on which ports")
        return self.networks[store]

    def _check_processes(self) -> None:
        served = [context for group in self.groups for context in group.contexts]
        for context in served:
            if context not in CONTEXTS:
                raise WrongSetting(f"processes: there is no context {context!r}; there are {', '.join(CONTEXTS)}")
        if sorted(served) != sorted(CONTEXTS):
            missing = sorted(set(CONTEXTS) - set(served))
            raise WrongSetting(
                f"processes: name each context once; {'missing: ' + ', '.join(missing) if missing else 'one is twice'}"
            )
        for process in (*self.groups, self.integrations):
            if not 1 <= process.replicas <= 1_000 or process.most > 1_000 or process.memory_mib < 0:
                raise WrongSetting(f"processes: {process.name} has no sensible replicas, most or memory_mib")
            if not _CPU.fullmatch(process.cpu):
                raise WrongSetting(f"processes: cpu of {process.name} must be like 250m or 2, not {process.cpu!r}")
        if not 1 <= self.edge.replicas <= 1_000 or self.edge.most > 1_000 or not _CPU.fullmatch(self.edge.cpu):
            raise WrongSetting("edge: has no sensible replicas, most or cpu")


def installation_from(values: object) -> Installation:
    """Reads an installation's YAML. Raises WrongSetting."""
    made = dict(_known(Installation, values, "the settings"))
    if "processes" in made:
        if not isinstance(made["processes"], list):
            raise WrongSetting("processes: must be a list")
        made["processes"] = tuple(_made(Process, each, "processes") for each in made["processes"])
    if "integrations" in made:
        made["integrations"] = _made(
            Process, {"contexts": ["integrations"], **_mapping("integrations", made["integrations"])}, "integrations"
        )
    if "edge" in made:
        made["edge"] = _made(Edge, made["edge"], "edge")
    networks = _mapping("networks", made.get("networks", {}))
    made["networks"] = {"identity_providers": _EVERYWHERE} | {
        name: _made(Network, value, f"networks.{name}") for name, value in networks.items()
    }
    installation: Installation = _made(Installation, made, "the settings")
    return installation


def _made(kind: type[Any], values: object, name: str) -> Any:
    known = dict(_known(kind, values, name))
    by_name = {each.name: each for each in fields(kind)}
    for key, value in known.items():
        if isinstance(value, list):
            value = known[key] = tuple(value)
        declared = by_name[key].type
        if declared in (str, int, bool) and type(value) is not declared:
            raise WrongSetting(f"{name}: {key} must be of the kind {declared.__name__}, not {value!r}")
        if (of := _members(declared)) and (not isinstance(value, tuple) or not all(type(each) is of for each in value)):
            raise WrongSetting(f"{name}: {key} must be a list of the kind {of.__name__}, not {value!r}")
        if get_origin(declared) is Mapping:
            _mapping(key, value)
        if declared == Mapping[str, str]:
            for inner, text in value.items():
                if not isinstance(text, str):
                    raise WrongSetting(f"{key}.{inner}: must be a text in quotes, not {text!r}")
    return kind(**known)


def _members(declared: Any) -> type[Any] | None:
    """What a tuple of plain values holds; None for anything else."""
    of = get_args(declared)[0] if get_origin(declared) is tuple else None
    return of if of in (str, int) else None


def _known(kind: type[Any], values: object, name: str) -> Mapping[str, Any]:
    given = _mapping(name, values)
    known = {each.name: each for each in fields(kind)}
    for key in given:
        if key not in known:
            raise WrongSetting(f"{name}: unknown {key}; there are {', '.join(known)}")
    for key, each in known.items():
        if each.default is MISSING and each.default_factory is MISSING and key not in given:
            raise WrongSetting(f"{key}: is not set" if name == "the settings" else f"{name}.{key}: is not set")
    return given


def _mapping(name: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise WrongSetting(f"{name}: must be a mapping")
    return value


def _cidr(name: str, text: str) -> None:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        raise WrongSetting(f"{name}: {text!r} is no network; write 10.20.0.0/16") from None
