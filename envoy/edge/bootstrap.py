"""A whole Envoy configuration for each profile."""

from dataclasses import replace

from edge.clusters import (
    APPLICATION_CLUSTER,
    HEALTH_PATH,
    INTEGRATIONS_CLUSTER,
    JWKS_CLUSTER,
    application_cluster,
    context_cluster,
    integrations_cluster,
    overload,
    plain_cluster,
)
from edge.config import OTLP_CLUSTER, Config, access_log, extension, socket, tracing
from edge.contract import Contract
from edge.filters import JWT, callers_only, http_filters, readiness, router, security_headers, transcoder
from edge.origins import ORIGINS_PATH
from edge.replies import local_replies
from edge.routes import own_route, route_configuration
from edge.settings import Address, SettingFault, Settings, Tls
from edge.tls import mesh_server_tls, public_tls

_JWKS_PATH = "/.well-known/jwks.json"
_IN_CLUSTER = Tls("/etc/paideia/mesh/tls.crt", "/etc/paideia/mesh/tls.key", "/etc/paideia/mesh/ca.crt")
_HEADERS_KB = 32
_HEADERS = 100
_MOST_CONNECTIONS = 50_000
_HANDSHAKE_TIMEOUT = "10s"


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
        return replace(
            mesh,
            listen=Address(everywhere, 8443),
            tls=Tls("/etc/paideia/tls/tls.crt", "/etc/paideia/tls/tls.key"),
            integrations=Address("integrations.paideia.svc.cluster.local", 7443),
        )
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
        "overload_manager": overload(_MOST_CONNECTIONS, settings.max_heap_bytes),
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
    if settings.integrations:
        clusters.append(integrations_cluster(settings, settings.integrations))
    if settings.profile != "local":
        listeners.append(_metrics_listener(settings))
        clusters.append(plain_cluster("admin", settings.admin))
    return {"static_resources": {"listeners": listeners, "clusters": clusters}}


def _public_listener(contract: Contract, settings: Settings) -> Config:
    """One port. With a certificate it speaks TLS, and plainly only to send people there; in the profile `local` it also serves plain HTTP
    to this machine, where a name such as `localhost` is not bound to TLS for everything else that answers to it."""
    routes = route_configuration(contract, settings)
    plain = _public_manager(routes, http_filters(contract, settings, secure=False), settings)
    if settings.tls is None:
        return _listener("public", settings.listen, _chain(plain))
    tls = public_tls(settings)
    secure = _public_manager(routes, http_filters(contract, settings, secure=True), settings)
    chains = [
        _chain(secure, {"transport_protocol": "tls"}, transport_socket=tls),
        _chain(_redirecting_manager(), {"transport_protocol": "raw_buffer"}),
    ]
    if settings.profile == "local":
        here = {"source_type": "SAME_IP_OR_LOOPBACK"}
        chains += [
            _chain(plain, {"transport_protocol": "raw_buffer", **here}),
            _chain(plain, {"transport_protocol": "tls", "server_names": ["localhost"], **here}, transport_socket=tls),
        ]
    for number, chain in enumerate(chains):
        chain["name"] = f"public-{number}"
    inspector = "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"
    return {
        **_listener("public", settings.listen, *chains),
        "listener_filters": [extension("envoy.filters.listener.tls_inspector", inspector)],
        # Whoever connects and says nothing.
        "listener_filters_timeout": _HANDSHAKE_TIMEOUT,
    }


def _public_manager(routes: Config, filters: list[Config], settings: Settings) -> Config:
    claims = {
        "organization": f"%DYNAMIC_METADATA({JWT}:payload:org)%",
        # The network that somebody came from, not the machine.
        "network": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(24)%",
        "tls": "%DOWNSTREAM_TLS_VERSION%",
    }
    return _connection_manager(
        "public",
        route_config=routes,
        http_filters=filters,
        access_log=access_log(claims),
        tracing=tracing(settings, "edge"),
        local_reply_config=local_replies(),
        use_remote_address=True,
        xff_num_trusted_hops=settings.trusted_hops,
        always_set_request_id_in_response=True,
        max_request_headers_kb=_HEADERS_KB,
        server_name="paideia",
    )


def _redirecting_manager() -> Config:
    """Sends readers to the same address by TLS. What else came in the clear, perhaps with a secret, is told so and not repeated."""
    reading = [{"name": ":method", "string_match": {"safe_regex": {"regex": "GET|HEAD"}}}]
    routes: list[Config] = [
        {
            "name": "to TLS",
            "match": {"prefix": "/", "headers": reading},
            "redirect": {"https_redirect": True, "response_code": "PERMANENT_REDIRECT"},
        },
        {
            "name": "without TLS",
            "match": {"prefix": "/"},
            "direct_response": {
                "status": 403,
                "body": {"inline_string": "use https: what was sent in the clear may have been read on its way\n"},
            },
        },
    ]
    return _connection_manager(
        "redirect",
        route_config={"name": "redirect", "virtual_hosts": [{"name": "redirect", "domains": ["*"], "routes": routes}]},
        http_filters=[security_headers(secure=False), router()],
        access_log=access_log({}),
        use_remote_address=True,
        max_request_headers_kb=_HEADERS_KB,
        server_name="paideia",
    )


def _jwks_listener(contract: Contract, settings: Settings) -> Config:
    """What the proxy itself asks identity, over plain HTTP on the loopback: its keys, and whose pages are at an origin."""
    rpcs = [rpc for rpc in contract.rpcs if rpc.http and rpc.http.template in (_JWKS_PATH, ORIGINS_PATH)]
    manager = _connection_manager(
        "jwks",
        route_config={
            "name": "jwks",
            "virtual_hosts": [{"name": "jwks", "domains": ["*"], "routes": [own_route(rpc) for rpc in rpcs]}],
        },
        http_filters=[transcoder(settings, [rpcs[0].service]), router()],
    )
    return _listener("jwks", settings.jwks_listen, _chain(manager))


def _metrics_listener(settings: Settings) -> Config:
    """What the node and the monitoring ask, in the clear: nothing else of the administration, nothing of the platform.

    `/livez` is about the proxy, `/metrics` its statistics. Beside an application `/readyz` is 200 while that can serve; one that has no port of
    its own for the node to ask is asked through here.
    """
    paths = {"/metrics": ("admin", "/stats/prometheus"), "/livez": ("admin", "/ready")}
    if settings.context == INTEGRATIONS_CLUSTER:
        paths |= {f"/application{path}": (APPLICATION_CLUSTER, path) for path in (HEALTH_PATH, "/metrics")}
    routes = [
        {"match": {"path": path}, "route": {"cluster": cluster, "prefix_rewrite": at}} for path, (cluster, at) in paths.items()
    ]
    manager = _connection_manager(
        "metrics",
        route_config={"name": "metrics", "virtual_hosts": [{"name": "metrics", "domains": ["*"], "routes": routes}]},
        http_filters=[*([readiness((APPLICATION_CLUSTER,))] if settings.context else []), router()],
    )
    return _listener("metrics", settings.metrics_listen, _chain(manager))


def _sidecar(contract: Contract, settings: Settings) -> Config:
    """Stands beside one process: in by mutual TLS only, out to other contexts with retries where that is harmless."""
    if settings.mesh is None:
        raise SettingFault("a sidecar needs mesh: its certificate, its key and the authority")
    known = (*contract.contexts, INTEGRATIONS_CLUSTER)
    if settings.context not in known:
        raise SettingFault(f"context must be one of {', '.join(known)}, not {settings.context!r}")
    inward = _mesh_manager(
        "inbound", settings, [{"match": {"prefix": "/"}, "route": {"cluster": APPLICATION_CLUSTER, "timeout": "0s"}}]
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
                _listener("inbound", settings.listen, _chain(inward, transport_socket=mesh_server_tls(settings))),
                _listener("outbound", settings.outbound, _chain(outward)),
                _metrics_listener(settings),
            ],
            "clusters": [
                *clusters,
                application_cluster(settings),
                plain_cluster("admin", settings.admin),
            ],
        }
    }


def _mesh_manager(name: str, settings: Settings, routes: list[Config]) -> Config:
    return _connection_manager(
        name,
        route_config={"name": name, "virtual_hosts": [{"name": name, "domains": ["*"], "routes": routes}]},
        http_filters=[*(callers_only(settings.callers) if name == "inbound" else []), router()],
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
            # Renewed now and then: a client is asked to come again, and a certificate that has ended does not live on.
            "max_connection_duration": "3600s",
            "max_headers_count": _HEADERS,
            "headers_with_underscores_action": "REJECT_REQUEST",
        },
        http1_safe_max_connection_duration=True,
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


def _chain(manager: Config, match: Config | None = None, **more: Config) -> Config:
    return {
        **({"filter_chain_match": match} if match else {}),
        "filters": [manager],
        **more,
        **({"transport_socket_connect_timeout": _HANDSHAKE_TIMEOUT} if more else {}),
    }


def _listener(name: str, address: Address, *chains: Config) -> Config:
    return {
        "name": name,
        "address": socket(address),
        "per_connection_buffer_limit_bytes": 1 << 20,
        "filter_chains": list(chains),
    }
