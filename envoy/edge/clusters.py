"""Where requests go: one cluster a context, with health checks, breakers, outlier detection and a retry budget."""

from collections.abc import Sequence

from edge.config import Config, extension, socket, typed
from edge.settings import Address, Settings
from edge.tls import mesh_client_tls

JWKS_CLUSTER = "jwks"
INTEGRATIONS_CLUSTER = "integrations"
APPLICATION_CLUSTER = "application"
HEALTH_PATH = "/healthz"
_PROTOCOL_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def context_cluster(settings: Settings, context: str, service: str) -> Config:
    """The processes that serve a context; `service` is the one whose health counts."""
    return _served_cluster(settings, context, settings.targets[context], {"grpc_health_check": {"service_name": service}})


def integrations_cluster(settings: Settings, address: Address) -> Config:
    """On one machine the process is a neighbour that speaks plain HTTP; elsewhere it stands behind a sidecar, as contexts do."""
    if settings.profile == "local":
        return plain_cluster(INTEGRATIONS_CLUSTER, address)
    return _served_cluster(settings, INTEGRATIONS_CLUSTER, [address], {"http_health_check": {"path": HEALTH_PATH}})


def application_cluster(settings: Settings) -> Config:
    """The process that a sidecar stands beside. Whether it can serve decides whether its pod is ready."""
    web = settings.context == INTEGRATIONS_CLUSTER
    cluster = plain_cluster(APPLICATION_CLUSTER, settings.application, http2=not web)
    check: Config = {"http_health_check": {"path": HEALTH_PATH}} if web else {"grpc_health_check": {}}
    pace = {"interval": "2s", "no_traffic_interval": "2s", "unhealthy_interval": "1s"}
    cluster["health_checks"] = [{"timeout": "2s", **pace, "unhealthy_threshold": 2, "healthy_threshold": 1, **check}]
    return cluster


def _served_cluster(settings: Settings, name: str, addresses: Sequence[Address], health_check: Config) -> Config:
    """Processes that do the same.

    When most of them look ill Envoy's panic threshold (half) sends to all: an ill process then answers for itself, with its own
    error and its own word on when to try again.
    """
    cluster = _cluster(name, addresses, connect_timeout="1s")
    cluster |= {
        "typed_extension_protocol_options": {
            _PROTOCOL_OPTIONS: typed(
                _PROTOCOL_OPTIONS,
                # Several processes may share a port, and a connection stays with one of them: more connections, renewed now and
                # then, spread the work.
                common_http_protocol_options={"max_requests_per_connection": 20_000},
                explicit_http_config={
                    "http2_protocol_options": {
                        "max_concurrent_streams": 32,
                        "connection_keepalive": {"interval": "30s", "timeout": "5s"},
                    }
                },
            )
        },
        "health_checks": [
            {
                "timeout": "2s",
                "interval": "5s",
                "no_traffic_interval": "5s",
                "unhealthy_interval": "1s",
                "interval_jitter": "0.5s",
                "unhealthy_threshold": 2,
                "healthy_threshold": 1,
                **health_check,
            }
        ],
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_connections": 1024,
                    "max_pending_requests": 20_000,
                    "max_requests": 20_000,
                    "retry_budget": {"budget_percent": {"value": 20}, "min_retry_concurrency": 5},
                    "track_remaining": True,
                }
            ]
        },
        # One process among several that fails where the others do not is left out for a while.
        "outlier_detection": {
            "consecutive_5xx": 20,
            "consecutive_gateway_failure": 10,
            "enforcing_consecutive_gateway_failure": 100,
            "interval": "5s",
            "base_ejection_time": "5s",
            "max_ejection_percent": 50,
        },
        "lb_policy": "LEAST_REQUEST",
    }
    if settings.mesh:
        host = f"{name}.{settings.mesh_domain}" if settings.mesh_domain else addresses[0].host
        cluster["transport_socket"] = mesh_client_tls(settings, host)
    return cluster


def plain_cluster(name: str, *addresses: Address, http2: bool = False) -> Config:
    """A loopback neighbour, a collector: nothing to balance. Without an address it is a name that leads nowhere."""
    cluster = _cluster(name, addresses, connect_timeout="1s")
    if http2:
        cluster["typed_extension_protocol_options"] = {
            _PROTOCOL_OPTIONS: typed(_PROTOCOL_OPTIONS, explicit_http_config={"http2_protocol_options": {}})
        }
    return cluster


def overload(downstream_connections: int, heap_bytes: int) -> Config:
    """Refuses connections over the limit rather than running out of file descriptors, and gives way in steps as memory runs short."""
    heap = "envoy.resource_monitors.fixed_heap"
    return {
        "refresh_interval": "0.25s",
        "resource_monitors": [
            extension(
                heap,
                "envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig",
                max_heap_size_bytes=heap_bytes,
            ),
            extension(
                "envoy.resource_monitors.global_downstream_max_connections",
                "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                max_active_downstream_connections=downstream_connections,
            ),
        ],
        # Idle connections go first, then the buffers of the greediest streams, then new requests.
        "actions": [
            {
                "name": "envoy.overload_actions.reduce_timeouts",
                "triggers": [{"name": heap, "scaled": {"scaling_threshold": 0.75, "saturation_threshold": 0.95}}],
                "typed_config": typed(
                    "envoy.config.overload.v3.ScaleTimersOverloadActionConfig",
                    timer_scale_factors=[
                        {"timer": timer, "min_scale": {"value": 10}}
                        for timer in ("HTTP_DOWNSTREAM_CONNECTION_IDLE", "HTTP_DOWNSTREAM_STREAM_IDLE")
                    ],
                ),
            },
            *(
                {"name": f"envoy.overload_actions.{action}", "triggers": [{"name": heap, "threshold": {"value": at}}]}
                for action, at in (("shrink_heap", 0.8), ("stop_accepting_requests", 0.95), ("stop_accepting_connections", 0.98))
            ),
        ],
    }


def _cluster(name: str, addresses: Sequence[Address], connect_timeout: str) -> Config:
    named = not all(each.numeric for each in addresses)
    return {
        "name": name,
        **({"type": "STRICT_DNS", "dns_lookup_family": "V4_PREFERRED"} if named else {"type": "STATIC"}),
        "connect_timeout": connect_timeout,
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": socket(each)}} for each in addresses]}],
        },
    }
