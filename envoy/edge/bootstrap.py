"""A whole Envoy configuration for each profile."""

from dataclasses import replace

from edge.clusters import JWKS_CLUSTER, context_cluster, overload, plain_cluster
from edge.config import OTLP_CLUSTER, Config, access_log, extension, server_tls, socket, tracing
from edge.contract import Contract
from edge.filters import JWT, http_filters, router, transcoder
from edge.replies import local_replies
from edge.routes import jwks_route, route_configuration
from edge.settings import Address, SettingFault, Settings, Tls

_JWKS_PATH = "/.well-known/jwks.json"
_IN_CLUSTER = Tls("/etc/paideia/mesh/tls.crt", "/etc/paideia/mesh/tls.key", "/etc/paideia/mesh/ca.crt")
_HEADERS_KB = 32
_HEADERS = 100
_MOST_CONNECTIONS = 50_000


def defaults(contract: Contract, profile: str) -> Settings:
    """Settings that work where the profile runs: a developer's machine, or pods that find each other by service name."""
    settings = Settings(profile=profile)
    if profile == "local":
        return replace(settings, cors_origins=("http://localhost:*", "http://127.0.0.1:*"))
    everywhere = "0.0.0.0"  # noqa: S104  # inside a pod
    mesh = replace(
        settings,
        metrics_listen=Address(everywhere, 9902),
        assets="/etc/paideia/envoy",
        mesh=_IN_CLUSTER,
        targets={context: (Address(f"{context}.paideia.svc.cluster.local", 7443),) for context in contract.contexts},
    )
    if profile == "kubernetes-edge":
        return replace(mesh, listen=Address(everywhere, 8443), tls=Tls("/etc/paideia/tls/tls.crt", "/etc/paideia/tls/tls.key"))
    return replace(mesh, listen=Address(everywhere, 7443), context=contract.contexts[0])


def bootstrap(contract: Contract, settings: Settings) -> Config:
    """Returns the configuration. Raises SettingFault if a target is missing or of no context."""
    for context in settings.targets:
        if context not in contract.contexts:
            raise SettingFault(f"targets.{context}: there is no such context; there are {', '.join(contract.contexts)}")
    make = _sidecar if settings.profile == "kubernetes-sidecar" else _edge
    config = make(contract, settings)
    collectors = [settings.otlp] if settings.otlp else []
    config["static_resources"]["clusters"].append(plain_cluster(OTLP_CLUSTER, *collectors, http2=True))
    return {
        "node": {"id": f"paideia-{settings.profile}", "cluster": "paideia"},
        "admin": {"address": socket(settings.admin)},
        "overload_manager": overload(_MOST_CONNECTIONS),
        **config,
    }


def _edge(contract: Contract, settings: Settings) -> Config:
    if "identity" not in settings.targets:
        raise SettingFault("targets must name identity: without its keys no token can be verified")
    listeners = [_public_listener(contract, settings), _jwks_listener(contract, settings)]
    clusters = [
        *(context_cluster(settings, context, contract.service_of(context)) for context in settings.targets),
        plain_cluster(JWKS_CLUSTER, settings.jwks_listen),
    ]
    if settings.profile != "local":
        listeners.append(_metrics_listener(settings.metrics_listen))
        clusters.append(plain_cluster("admin", settings.admin))
    return {"static_resources": {"listeners": listeners, "clusters": clusters}}


def _public_listener(contract: Contract, settings: Settings) -> Config:
    claims = {
        "organization": f"%DYNAMIC_METADATA({JWT}:payload:org)%",
        "user": f"%DYNAMIC_METADATA({JWT}:payload:sub)%",
        "address": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    }
    manager = _connection_manager(
        "public",
        route_config=route_configuration(contract, settings),
        http_filters=http_filters(contract, settings),
        access_log=access_log(claims),
        tracing=tracing(settings, "edge"),
        local_reply_config=local_replies(),
        use_remote_address=True,
        xff_num_trusted_hops=settings.trusted_hops,
        always_set_request_id_in_response=True,
        max_request_headers_kb=_HEADERS_KB,
        server_name="paideia",
    )
    return _listener("public", settings.listen, manager, settings.tls, mutual=False)


def _jwks_listener(contract: Contract, settings: Settings) -> Config:
    """Identity's keys over plain HTTP on the loopback, for the proxy itself."""
    rpc = next(rpc for rpc in contract.rpcs if rpc.http and rpc.http.template == _JWKS_PATH)
    manager = _connection_manager(
        "jwks",
        route_config={
            "name": "jwks",
            "virtual_hosts": [{"name": "jwks", "domains": ["*"], "routes": [jwks_route(rpc)]}],
        },
        http_filters=[transcoder(settings, [rpc.service]), router()],
    )
    return _listener("jwks", settings.jwks_listen, manager)


def _metrics_listener(address: Address) -> Config:
    """The proxy's own statistics without the rest of its administration."""
    route = {"match": {"path": "/metrics"}, "route": {"cluster": "admin", "prefix_rewrite": "/stats/prometheus"}}
    manager = _connection_manager(
        "metrics",
        route_config={"name": "metrics", "virtual_hosts": [{"name": "metrics", "domains": ["*"], "routes": [route]}]},
        http_filters=[router()],
    )
    return _listener("metrics", address, manager)


def _sidecar(contract: Contract, settings: Settings) -> Config:
    """Stands beside one context: in by mutual TLS only, out to every other context with retries where that is harmless."""
    if settings.mesh is None:
        raise SettingFault("a sidecar needs mesh: its certificate, its key and the authority")
    if settings.context not in contract.contexts:
        raise SettingFault(f"context must be one of {', '.join(contract.contexts)}, not {settings.context!r}")
    inward = _mesh_manager(
        "inbound", settings, [{"match": {"prefix": "/"}, "route": {"cluster": "application", "timeout": "0s"}}]
    )
    outward = _mesh_manager(
        "outbound",
        settings,
        [
            {
                "match": {"prefix": f"/{contract.service_of(context)}/"},
                "route": {
                    "cluster": context,
                    "timeout": "0s",
                    "max_stream_duration": {"grpc_timeout_header_max": "0s"},
                    "retry_policy": {"retry_on": "connect-failure,refused-stream", "num_retries": 2},
                },
            }
            for context in settings.targets
        ],
    )
    clusters = [context_cluster(settings, context, contract.service_of(context)) for context in settings.targets]
    return {
        "static_resources": {
            "listeners": [
                _listener("inbound", settings.listen, inward, settings.mesh, mutual=True),
                _listener("outbound", settings.outbound, outward),
                _metrics_listener(settings.metrics_listen),
            ],
            "clusters": [
                *clusters,
                plain_cluster("application", settings.application, http2=True),
                plain_cluster("admin", settings.admin),
            ],
        }
    }


def _mesh_manager(name: str, settings: Settings, routes: list[Config]) -> Config:
    return _connection_manager(
        name,
        route_config={"name": name, "virtual_hosts": [{"name": name, "domains": ["*"], "routes": routes}]},
        http_filters=[router()],
        access_log=access_log({}),
        tracing=tracing(settings, settings.context),
        # Who calls, as its certificate says, never as a header claims.
        forward_client_cert_details="SANITIZE_SET" if name == "inbound" else "SANITIZE",
        **({"set_current_client_cert_details": {"uri": True, "dns": True}} if name == "inbound" else {}),
    )


def _connection_manager(name: str, **values: object) -> Config:
    return extension(
        "envoy.filters.network.http_connection_manager",
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=name,
        codec_type="AUTO",
        common_http_protocol_options={
            "idle_timeout": "300s",
            "max_headers_count": _HEADERS,
            "headers_with_underscores_action": "REJECT_REQUEST",
        },
        http2_protocol_options={
            "max_concurrent_streams": 256,
            "initial_stream_window_size": 1 << 18,
            "initial_connection_window_size": 1 << 20,
        },
        request_headers_timeout="10s",
        stream_idle_timeout="300s",
        delayed_close_timeout="1s",
        normalize_path=True,
        merge_slashes=True,
        path_with_escaped_slashes_action="REJECT_REQUEST",
        **values,
    )


def _listener(name: str, address: Address, manager: Config, tls: Tls | None = None, *, mutual: bool = False) -> Config:
    chain: Config = {"filters": [manager]}
    if tls:
        chain["transport_socket"] = server_tls(tls, mutual=mutual)
    return {
        "name": name,
        "address": socket(address),
        "per_connection_buffer_limit_bytes": 1 << 20,
        "filter_chains": [chain],
    }
