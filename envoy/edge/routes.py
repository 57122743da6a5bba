"""Which paths exist: those of the rpcs that the rules let the outside reach, and a few of the edge's own. All else is not there."""

from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from re import findall

from edge.clusters import INTEGRATIONS_CLUSTER
from edge.config import Config, header, typed
from edge.contract import Contract, Rpc
from edge.filters import BUFFER, CORS, FIELDS, HTTP, JWT, LIMIT, address_limit, token_rule
from edge.origins import ALLOW_HEADERS, ALLOW_METHODS, EXPOSE_HEADERS, MAX_AGE
from edge.settings import Settings

DOCS = Path(__file__).with_name("docs.html")
CONTEXT_HEADER = "paideia-context"

_WEB_PREFIXES = (
    "/sign-in",
    "/sign-out",
    "/sign-up",
    "/account",
    "/accept-invitation",
    "/verify-email",
    "/reset-password",
    "/oauth",
)
_WEB_PATHS = ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server")

# Contexts that take batches of events, or models.
_LARGE = ("ingestion", "inference")
_REST_SECONDS = 30
_GRPC_SECONDS = 60
_STREAM_IDLE_SECONDS = 300


def route_configuration(contract: Contract, settings: Settings) -> Config:
    rpcs = [rpc for rpc in contract.edge_rpcs if rpc.context in settings.targets]
    rest = sorted(rpcs, key=lambda rpc: (bool(rpc.rest.variables), rpc.path))
    return {
        "name": "public",
        "max_direct_response_body_size_bytes": 4 << 20,
        "virtual_hosts": [
            {
                "name": "public",
                "domains": ["*"],
                "retry_policy": _RETRY_ALL,
                # A route without a word of its own needs a token.
                "typed_per_filter_config": {JWT: token_rule(public=False), CORS: _cors(settings)},
                "routes": [
                    *(_rest_route(rpc, settings) for rpc in rest),
                    *(_grpc_route(rpc, settings) for rpc in rpcs),
                    *_health_routes(settings),
                    *_pages(settings),
                    *_web_routes(settings),
                    _preflight(),
                ],
            }
        ],
    }


def own_route(rpc: Rpc) -> Config:
    """A path that the proxy itself asks for."""
    return {
        "match": {"path": rpc.rest.template},
        "route": {"cluster": rpc.context, "timeout": "3s", **_RETRY_READS},
    }


def _rest_route(rpc: Rpc, settings: Settings) -> Config:
    path: Config = {"safe_regex": {"regex": rpc.rest.regex}} if rpc.rest.variables else {"path": rpc.rest.template}
    largest = settings.max_ingest_bytes if rpc.context in _LARGE else settings.max_body_bytes
    per_filter = _per_filter(rpc, settings)
    if rpc.rest.body:
        per_filter[FIELDS] = typed(f"{HTTP}.lua.v3.LuaPerRoute", filter_context={"message": rpc.request})
    if largest != settings.max_body_bytes:
        per_filter[BUFFER] = typed(f"{HTTP}.buffer.v3.BufferPerRoute", buffer={"max_request_bytes": largest})
    return {
        "name": f"rest:{rpc.name}",
        "match": {**path, "headers": [{"name": ":method", "string_match": {"exact": rpc.rest.method}}]},
        "route": {
            "cluster": rpc.context,
            "timeout": f"{_REST_SECONDS}s",
            "idle_timeout": f"{_REST_SECONDS}s",
            # Also bounds how long a body may trickle in.
            "max_stream_duration": {"max_stream_duration": f"{2 * _REST_SECONDS}s"},
            **(_RETRY_READS if rpc.reads else {}),
        },
        # The service learns how long anybody waits for its answer.
        "request_headers_to_add": [header("grpc-timeout", f"{_REST_SECONDS}S")],
        **({"typed_per_filter_config": per_filter} if per_filter else {}),
    }


def _grpc_route(rpc: Rpc, settings: Settings) -> Config:
    """gRPC and gRPC-Web. Their messages are bounded by the services, so that a stream is not held up here."""
    longest = {"max_stream_duration": "0s" if rpc.streaming else f"{_GRPC_SECONDS}s"}
    return {
        "name": f"grpc:{rpc.name}",
        "match": {"path": rpc.path, "headers": [_GRPC_CONTENT]},
        "route": {
            "cluster": rpc.context,
            "timeout": "0s" if rpc.streaming else f"{_GRPC_SECONDS}s",
            "idle_timeout": f"{_STREAM_IDLE_SECONDS}s",
            "max_stream_duration": {**longest, "grpc_timeout_header_max": "0s" if rpc.streaming else f"{_GRPC_SECONDS}s"},
            **(_RETRY_READS if rpc.reads else {}),
        },
        "typed_per_filter_config": {**_per_filter(rpc, settings), BUFFER: _UNBUFFERED},
    }


def _per_filter(rpc: Rpc, settings: Settings) -> Config:
    """What the rule of the rpc says to the filters: a public one needs no token; if it also does work, addresses are limited."""
    if not rpc.public:
        return {}
    limited = {} if rpc.reads else {LIMIT: address_limit(settings.limits.sign_in_address)}
    return {JWT: token_rule(public=True), **limited}


def _retry(retry_on: str) -> Config:
    return {
        "retry_on": retry_on,
        "num_retries": 2,
        "retry_back_off": {"base_interval": "0.05s", "max_interval": "0.5s"},
        "retry_host_predicate": [
            {
                "name": "envoy.retry_host_predicates.previous_hosts",
                "typed_config": typed("envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"),
            }
        ],
        "host_selection_retry_max_attempts": 3,
    }


# Whatever it is may be sent again when it has reached nobody, or when its receiver says that it did not begin.
_RETRY_ALL = _retry("connect-failure,refused-stream")
_RETRY_READS = {"retry_policy": _retry("connect-failure,refused-stream,reset,unavailable")}


def _health_routes(settings: Settings) -> list[Config]:
    """gRPC health, and reflection where a setting opens it. A header chooses the context, identity answers without one."""
    paths = ["/grpc.health.v1.Health/Check"]
    if settings.reflection:
        paths += [f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo" for version in ("v1", "v1alpha")]
    routes = []
    for path in paths:
        for context in [*settings.targets, ""]:
            chosen = [{"name": CONTEXT_HEADER, "string_match": {"exact": context}}] if context else []
            routes.append(
                {
                    "name": path,
                    "match": {"path": path, "headers": [_GRPC_CONTENT, *chosen]},
                    "route": {"cluster": context or "identity", "timeout": "5s" if "Check" in path else "0s"},
                    "typed_per_filter_config": {JWT: token_rule(public=True), BUFFER: _UNBUFFERED},
                }
            )
    return routes


def _pages(settings: Settings) -> list[Config]:
    """The edge's own: the document, the page that shows it, whether the proxy lives."""
    return [
        _page("/openapi.json", settings, "openapi.json", "application/json"),
        _page("/docs", settings, "docs.html", "text/html; charset=utf-8", docs_policy(DOCS.read_text(encoding="utf-8"))),
        {
            "name": "/healthz",
            "match": {"path": "/healthz"},
            "direct_response": {"status": 200, "body": {"inline_string": "ok\n"}},
            "typed_per_filter_config": {JWT: token_rule(public=True)},
        },
        {
            "name": "/",
            "match": {"path": "/"},
            "direct_response": {"status": 302},
            "response_headers_to_add": [header("location", "/docs")],
            "typed_per_filter_config": {JWT: token_rule(public=True)},
        },
    ]


def _web_routes(settings: Settings) -> list[Config]:
    """Pages for people, and faces that speak HTTP of their own: SCIM, OAuth. They need no token of ours here; what does work is limited by
    address as signing in is."""
    if settings.integrations is None:
        return []
    limited = {LIMIT: address_limit(settings.limits.sign_in_address)}
    posting = [{"name": ":method", "string_match": {"exact": "POST"}}]
    routes = [
        _web_route({"path_separated_prefix": "/scim"}, "/scim"),
        _web_route({"path_separated_prefix": "/static"}, "/static"),
    ]
    for path in _WEB_PATHS:
        routes.append(_web_route({"path": path}, path))
    for prefix in _WEB_PREFIXES:
        routes.append(_web_route({"path_separated_prefix": prefix, "headers": posting}, f"POST {prefix}", limited))
        routes.append(_web_route({"path_separated_prefix": prefix}, prefix))
    return routes


def _web_route(match: Config, name: str, per_filter: Config | None = None) -> Config:
    return {
        "name": f"web:{name}",
        "match": match,
        "route": {
            "cluster": INTEGRATIONS_CLUSTER,
            "timeout": f"{_REST_SECONDS}s",
            "idle_timeout": f"{_REST_SECONDS}s",
            "max_stream_duration": {"max_stream_duration": f"{2 * _REST_SECONDS}s"},
        },
        "typed_per_filter_config": {JWT: token_rule(public=True), **(per_filter or {})},
    }


def _page(path: str, settings: Settings, file: str, content_type: str, policy: str = "") -> Config:
    headers = [header("content-type", content_type), header("cache-control", "no-cache")]
    if policy:
        headers.append(header("content-security-policy", policy))
    return {
        "name": path,
        "match": {"path": path, "headers": [{"name": ":method", "string_match": {"exact": "GET"}}]},
        "direct_response": {"status": 200, "body": {"filename": f"{settings.assets}/{file}"}},
        "response_headers_to_add": headers,
        "typed_per_filter_config": {JWT: token_rule(public=True)},
    }


def docs_policy(html: str) -> str:
    """Allows the page's own script and style, by their hashes, and requests to its own origin; nothing else."""
    sources = {
        kind: " ".join(f"'sha256-{b64encode(sha256(each.encode()).digest()).decode()}'" for each in findall(pattern, html))
        for kind, pattern in (("script", r"(?s)<script>(.*?)</script>"), ("style", r"(?s)<style>(.*?)</style>"))
    }
    return (
        f"default-src 'none'; script-src {sources['script']}; style-src {sources['style']}; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _preflight() -> Config:
    """Gives preflights a route, so that CORS can answer them. One of a foreign origin goes on, and finds that there is nothing."""
    return {
        "name": "preflight",
        "match": {
            "prefix": "/",
            "headers": [
                {"name": ":method", "string_match": {"exact": "OPTIONS"}},
                {"name": "access-control-request-method", "present_match": True},
            ],
        },
        "route": {"cluster_header": "paideia-nowhere", "cluster_not_found_response_code": "NOT_FOUND"},
        "request_headers_to_remove": ["paideia-nowhere"],
        "typed_per_filter_config": {JWT: token_rule(public=True)},
    }


def _cors(settings: Settings) -> Config:
    return typed(
        f"{HTTP}.cors.v3.CorsPolicy",
        allow_origin_string_match=[_origin(each) for each in settings.cors_origins],
        allow_methods=ALLOW_METHODS,
        allow_headers=ALLOW_HEADERS,
        expose_headers=EXPOSE_HEADERS,
        max_age=MAX_AGE,
    )


def _origin(pattern: str) -> Config:
    if "*" not in pattern:
        return {"exact": pattern}
    # A star stands for part of a host or a port, never for more.
    return {"safe_regex": {"regex": "[A-Za-z0-9.-]*".join(each.replace(".", r"\.") for each in pattern.split("*"))}}


_GRPC_CONTENT: Config = {"name": "content-type", "string_match": {"prefix": "application/grpc"}}
_UNBUFFERED = typed(f"{HTTP}.buffer.v3.BufferPerRoute", disabled=True)
