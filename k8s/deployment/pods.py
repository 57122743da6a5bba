"""The pods: what runs in them, with what settings, and when they are alive and ready."""

import hashlib
from collections.abc import Sequence
from typing import Any

import yaml

from deployment.needs import CONTEXTS, INTEGRATIONS, RELEASE
from deployment.objects import Manifest, labels
from deployment.settings import Installation
from deployment.workloads import MESH_DOMAIN, Workload, callers
from migrations import roles

MESH_PORT, PUBLIC_PORT, METRICS_PORT, PROXY_METRICS_PORT = 7443, 8443, 7100, 9902
APPLICATION, OUTBOUND = "127.0.0.1:7000", "127.0.0.1:7001"
GRACE_SECONDS = 10
"""How long requests in flight may take at a stop; uvicorn takes the same of its own."""
LEAVE_SECONDS = 10
"""How long a process goes on serving after it was taken out of its service, until everybody has looked the names up again."""
EDGE_DRAIN_SECONDS = 30
_CLOSE_SECONDS = 15
_EVERYWHERE = "0.0.0.0"  # noqa: S104  # inside a pod
_USER = 10001
_HOME = "/opt/paideia"
_ENVOY, _ENVOY_SETTINGS, _MESH, _PUBLIC = (f"/etc/paideia/{each}" for each in ("envoy", "envoy-settings", "mesh", "tls"))
_SECRETS, _AUTHORITIES = "/etc/paideia/secrets", "/etc/paideia/authorities"
_SIDECAR_HEAP_MIB, _SIDECAR_MIB = 128, 128
_TOPICS = (
    "import asyncio, sys; from adapters.shared.topics import ensure_topics; "
    "asyncio.run(ensure_topics(sys.argv[1], partitions=int(sys.argv[2])))"
)


def sidecar_settings(installation: Installation, workload: Workload, everybody: tuple[Workload, ...]) -> Manifest:
    """What `envoy/generate.py --profile kubernetes-sidecar` is told, as YAML."""
    return {
        "listen": f"{_EVERYWHERE}:{MESH_PORT}",
        "metrics_listen": f"{_EVERYWHERE}:{PROXY_METRICS_PORT}",
        "application": APPLICATION,
        "outbound": OUTBOUND,
        "context": workload.answers[0],
        "callers": [each.identity for each in callers(workload, everybody)],
        "targets": {context: address(installation, context) for context in workload.calls},
        "mesh": _mesh(),
        "mesh_domain": MESH_DOMAIN,
        "max_heap_bytes": _SIDECAR_HEAP_MIB << 20,
        **({"otlp": installation.collector} if installation.collector else {}),
    }


def edge_settings(installation: Installation) -> Manifest:
    """What `envoy/generate.py --profile kubernetes-edge` is told."""
    return {
        "listen": f"{_EVERYWHERE}:{PUBLIC_PORT}",
        "metrics_listen": f"{_EVERYWHERE}:{PROXY_METRICS_PORT}",
        "public_url": installation.public_url,
        "integrations": address(installation, INTEGRATIONS),
        "targets": {context: address(installation, context) for context in CONTEXTS},
        "tls": {"certificate": f"{_PUBLIC}/tls.crt", "key": f"{_PUBLIC}/tls.key"},
        "mesh": _mesh(),
        "mesh_domain": MESH_DOMAIN,
        "max_heap_bytes": installation.edge.heap_mib << 20,
        **({"otlp": installation.collector} if installation.collector else {}),
        **_plain(installation.edge.settings),
    }


def address(installation: Installation, name: str) -> str:
    """Where the mesh finds a context or the integrations."""
    return f"{name}.{installation.namespace}.svc.cluster.local:{MESH_PORT}"


def host_pod(installation: Installation, workload: Workload, everybody: tuple[Workload, ...]) -> Manifest:
    """A process of contexts behind its sidecar."""
    probe = {"httpGet": {"path": "/metrics", "port": METRICS_PORT}, "timeoutSeconds": 5}
    container = {
        "name": "host",
        "image": installation.image,
        "command": ["python", "-m", "services.host", *workload.contexts],
        "env": host_environment(installation, workload),
        "ports": [{"name": "metrics", "containerPort": METRICS_PORT}],
        "resources": _resources(workload.process.cpu, workload.memory_mib),
        "startupProbe": probe | {"periodSeconds": 2, "failureThreshold": 60},
        "livenessProbe": probe | {"periodSeconds": 10, "failureThreshold": 3},
        "readinessProbe": _asks_proxy("/readyz", 3),
        "lifecycle": {"preStop": {"sleep": {"seconds": LEAVE_SECONDS}}},
        "volumeMounts": [_mount("secrets", _SECRETS), *_authorities_mount(installation), _scratch()],
        "securityContext": _confined(),
    }
    return _with_sidecar(installation, workload, everybody, container, _secrets_volume(installation, workload))


def integrations_pod(installation: Installation, workload: Workload, everybody: tuple[Workload, ...]) -> Manifest:
    """The web pages and the faces that are HTTP by nature, behind a sidecar through which the node asks how it is."""
    container = {
        "name": INTEGRATIONS,
        "image": installation.image,
        "command": ["python", "-m", "integrations"],
        "env": integrations_environment(installation),
        "resources": _resources(workload.process.cpu, workload.memory_mib),
        "startupProbe": _asks_proxy("/application/healthz", 60, 2),
        "livenessProbe": _asks_proxy("/application/healthz", 3, 10),
        "readinessProbe": _asks_proxy("/readyz", 3),
        "lifecycle": {"preStop": {"sleep": {"seconds": LEAVE_SECONDS}}},
        "volumeMounts": [_mount("secrets", _SECRETS), _scratch()],
        "securityContext": _confined(),
    }
    return _with_sidecar(installation, workload, everybody, container, _secrets_volume(installation, workload))


def edge_pod(installation: Installation, workload: Workload) -> Manifest:
    settings = edge_settings(installation)
    proxy = _proxy(installation, installation.edge.cpu, workload.memory_mib, ("https", PUBLIC_PORT), threads=2)
    proxy["volumeMounts"].append(_mount("public-tls", _PUBLIC))
    proxy["readinessProbe"] = _asks_proxy("/livez", 2)
    proxy["lifecycle"] = {
        "preStop": {"exec": {"command": ["python", f"{_HOME}/k8s/drain.py", str(LEAVE_SECONDS), str(EDGE_DRAIN_SECONDS)]}}
    }
    proxy["command"] += ["--drain-time-s", str(EDGE_DRAIN_SECONDS), "--drain-strategy", "immediate"]
    return _pod(
        workload.name,
        LEAVE_SECONDS + EDGE_DRAIN_SECONDS + _CLOSE_SECONDS,
        installation,
        settings,
        [_configuration(installation, "kubernetes-edge")],
        [proxy],
        [_secret_volume("public-tls", "paideia-public-tls")],
    )


def release_pod(installation: Installation, *options: str) -> Manifest:
    """Runs once a release: brings the schemas up to date, with `options` of the migrations, then creates the topics that are missing."""
    passwords = [f"postgres_{role}" for role in roles()]
    owner = {"name": "PAIDEIA_POSTGRES_OWNER_DSN", "valueFrom": _key(installation, "postgres_owner_dsn")}
    common = {"image": installation.image, "resources": _resources("250m", 256), "securityContext": _confined()}
    migrations = {
        "name": "migrations",
        **common,
        "command": ["python", "-m", "migrations", *options],
        "env": [owner, {"name": "PAIDEIA_SECRETS_DIR", "value": _SECRETS}, *_postgres_tls(installation)],
        "volumeMounts": [_mount("secrets", _SECRETS), *_authorities_mount(installation), _scratch()],
    }
    topics = {
        "name": "topics",
        **common,
        "command": ["python", "-c", _TOPICS, installation.kafka, str(installation.kafka_partitions)],
        "volumeMounts": [_scratch()],
    }
    volumes = [_projected(installation, passwords), *_authorities_volume(installation), _scratch_volume()]
    return {
        "metadata": {"labels": labels(RELEASE)},
        "spec": _account(RELEASE)
        | {"restartPolicy": "Never", "initContainers": [migrations], "containers": [topics], "volumes": volumes},
    }


def host_environment(installation: Installation, workload: Workload) -> list[Manifest]:
    """Exactly what `services.host` reads: secrets by reference only."""
    values = {
        "PAIDEIA_LISTEN": APPLICATION,
        "PAIDEIA_METRICS_LISTEN": f"{_EVERYWHERE}:{METRICS_PORT}",
        "PAIDEIA_POSTGRES_DSN": installation.postgres,
        "PAIDEIA_SECRETS_DIR": _SECRETS,
        "PAIDEIA_KAFKA_BOOTSTRAP": installation.kafka,
        "PAIDEIA_TARGETS": ",".join(f"{context}={OUTBOUND}" for context in workload.calls),
        "PAIDEIA_POOL_SIZE": str(installation.pool_size),
        "PAIDEIA_GRACE_SECONDS": str(GRACE_SECONDS),
        "PAIDEIA_PUBLIC_URL": installation.public_url,
        **({"PAIDEIA_OTLP_ENDPOINT": installation.collector} if installation.collector else {}),
        **installation.environment,
    }
    return [*_given(values), _redis(installation), *_postgres_tls(installation)]


def integrations_environment(installation: Installation) -> list[Manifest]:
    values = {
        "PAIDEIA_LISTEN": APPLICATION,
        "PAIDEIA_PUBLIC_URL": installation.public_url,
        "PAIDEIA_SECRETS_DIR": _SECRETS,
        "PAIDEIA_TARGETS": f"identity={OUTBOUND}",
    }
    return [*_given(values), _redis(installation)]


def proxy_settings_name(workload: str, settings: Manifest) -> str:
    """New settings are another ConfigMap, and so new pods; a rollback finds the earlier one."""
    digest = hashlib.sha256(yaml.safe_dump(settings).encode()).hexdigest()[:10]
    return f"{workload}-envoy-{digest}"


def _with_sidecar(
    installation: Installation,
    workload: Workload,
    everybody: tuple[Workload, ...],
    container: Manifest,
    secrets: Manifest,
) -> Manifest:
    proxy = _proxy(installation, "100m", _SIDECAR_MIB, ("mesh", MESH_PORT), threads=1)
    # Beside the process from before its start until after its end: Kubernetes stops such containers last.
    proxy["restartPolicy"] = "Always"
    return _pod(
        workload.name,
        LEAVE_SECONDS + GRACE_SECONDS + _CLOSE_SECONDS,
        installation,
        sidecar_settings(installation, workload, everybody),
        [_configuration(installation, "kubernetes-sidecar"), proxy],
        [container],
        [secrets, *_authorities_volume(installation)],
    )


def _pod(
    name: str,
    stop_seconds: int,
    installation: Installation,
    proxy_settings: Manifest,
    before: list[Manifest],
    containers: list[Manifest],
    volumes: list[Manifest],
) -> Manifest:
    spread = [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": labels(name)},
            "matchLabelKeys": ["pod-template-hash"],
        }
        for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
    ]
    return {
        "metadata": {"labels": labels(name)},
        "spec": _account(name)
        | {
            "terminationGracePeriodSeconds": stop_seconds,
            "topologySpreadConstraints": spread,
            "initContainers": before,
            "containers": containers,
            "volumes": [
                _secret_volume("mesh", f"{name}-mesh"),
                *volumes,
                {"name": "envoy-settings", "configMap": {"name": proxy_settings_name(name, proxy_settings)}},
                {"name": "envoy", "emptyDir": {"sizeLimit": "16Mi"}},
                _scratch_volume(),
            ],
        },
    }


def _configuration(installation: Installation, profile: str) -> Manifest:
    """Makes the proxy's configuration from the contract in the image: it fits the release, also after a rollback."""
    command = ["python", "envoy/generate.py", "--profile", profile, "--settings", f"{_ENVOY_SETTINGS}/settings.yaml"]
    return {
        "name": "envoy-configuration",
        "image": installation.image,
        "command": [*command, "--assets", _ENVOY, "--out", f"{_ENVOY}/envoy.yaml"],
        "resources": _resources("100m", 128),
        "volumeMounts": [_mount("envoy-settings", _ENVOY_SETTINGS), {"name": "envoy", "mountPath": _ENVOY}, _scratch()],
        "securityContext": _confined(),
    }


def _proxy(installation: Installation, cpu: str, memory_mib: int, port: tuple[str, int], threads: int) -> Manifest:
    command = ["envoy", "--config-path", f"{_ENVOY}/envoy.yaml", "--disable-hot-restart", "--log-level", "warning"]
    return {
        "name": "envoy",
        "image": installation.image,
        "command": [*command, "--concurrency", str(threads)],
        "ports": [
            {"name": port[0], "containerPort": port[1]},
            {"name": "proxy-metrics", "containerPort": PROXY_METRICS_PORT},
        ],
        "resources": _resources(cpu, memory_mib),
        "startupProbe": _asks_proxy("/livez", 30, 1),
        "livenessProbe": _asks_proxy("/livez", 3, 10),
        "readinessProbe": _asks_proxy("/livez", 3),
        "volumeMounts": [_mount("envoy", _ENVOY), _mount("mesh", _MESH), _scratch()],
        "securityContext": _confined(),
    }


def _asks_proxy(path: str, failures: int, period: int = 5) -> Manifest:
    return {
        "httpGet": {"path": path, "port": PROXY_METRICS_PORT},
        "periodSeconds": period,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }


def _account(name: str) -> Manifest:
    """Of a pod: whose it is, and what it may not."""
    return {
        "serviceAccountName": name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }


def _confined() -> Manifest:
    return {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


def _resources(cpu: str, memory_mib: int) -> Manifest:
    """Twice the memory at most. Two cores at most: a process has one event loop, and threads for what would block it."""
    return {
        "requests": {"cpu": cpu, "memory": f"{memory_mib}Mi"},
        "limits": {"cpu": cpu if not cpu.endswith("m") and int(cpu) > 2 else "2", "memory": f"{2 * memory_mib}Mi"},
    }


def _mesh() -> Manifest:
    return {"certificate": f"{_MESH}/tls.crt", "key": f"{_MESH}/tls.key", "authority": f"{_MESH}/ca.crt"}


def _given(values: dict[str, str]) -> list[Manifest]:
    return [{"name": name, "value": value} for name, value in values.items()]


def _key(installation: Installation, key: str) -> Manifest:
    return {"secretKeyRef": {"name": installation.secret, "key": key}}


def _redis(installation: Installation) -> Manifest:
    return {"name": "PAIDEIA_REDIS_URL", "valueFrom": _key(installation, "redis_url")}


def _postgres_tls(installation: Installation) -> list[Manifest]:
    """asyncpg and libpq both read these; a parameter of the URL means different things to them."""
    values = {"PGSSLMODE": installation.postgres_tls}
    if installation.authorities:
        values["PGSSLROOTCERT"] = f"{_AUTHORITIES}/ca.crt"
    elif installation.postgres_tls.startswith("verify"):
        values["PGSSLROOTCERT"] = "/etc/ssl/certs/ca-certificates.crt"
    return _given(values)


def _authorities_mount(installation: Installation) -> list[Manifest]:
    return [_mount("authorities", _AUTHORITIES)] if installation.authorities else []


def _authorities_volume(installation: Installation) -> list[Manifest]:
    return [{"name": "authorities", "configMap": {"name": installation.authorities}}] if installation.authorities else []


def _secrets_volume(installation: Installation, workload: Workload) -> Manifest:
    return _projected(installation, workload.secrets, workload.optional_secrets)


def _projected(installation: Installation, keys: Sequence[str], optional: Sequence[str] = ()) -> Manifest:
    """The keys that a workload reads and no other."""
    sources: list[Manifest] = [{"secret": {"name": installation.secret, "items": [{"key": key, "path": key} for key in keys]}}]
    sources += [
        {"secret": {"name": installation.secret, "optional": True, "items": [{"key": key, "path": key}]}} for key in optional
    ]
    return {"name": "secrets", "projected": {"defaultMode": 0o440, "sources": sources}}


def _secret_volume(name: str, secret: str) -> Manifest:
    return {"name": name, "secret": {"secretName": secret, "defaultMode": 0o440}}


def _mount(name: str, path: str) -> Manifest:
    return {"name": name, "mountPath": path, "readOnly": True}


def _scratch() -> Manifest:
    return {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108  # of the pod alone


def _scratch_volume() -> Manifest:
    return {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}


def _plain(value: Any) -> Any:
    """Settings as YAML writes them: tuples as lists."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, tuple | list) else value
