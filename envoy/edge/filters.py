"""What a request passes on its way: headers, CORS, compression, token, limits, transcoding."""

from edge.clusters import JWKS_CLUSTER
from edge.config import Config, extension, header, typed
from edge.contract import Contract
from edge.origins import SCRIPT
from edge.settings import Limit, Limits, Settings

HTTP = "envoy.extensions.filters.http"
JWT, LIMIT, BUFFER, CORS, TRANSCODER = (
    f"envoy.filters.http.{name}" for name in ("jwt_authn", "local_ratelimit", "buffer", "cors", "grpc_json_transcoder")
)
FIELDS = "paideia.fields"
AUDIENCE = "paideia"
SIGNED_IN = "signed_in"
LIMIT_HEADER = "paideia-limit"
API_CSP = "default-src 'none'; frame-ancestors 'none'"

# The tokens' clock skew, as the services allow it themselves.
_SKEW_SECONDS = 30
# How soon a new signing key is known: identity lists it before it signs with it.
_JWKS_SECONDS = 10
# How many users' buckets are remembered; the one not seen for longest is forgotten first.
_REMEMBERED_USERS = 50_000
_REMEMBERED_TOKENS = 20_000
_LARGEST_ANSWER = 16 << 20
_NOT_FOR_GRPC = ".*[^0-9a-z_.:-].*"
# Of the names that certificates of the mesh bear: the same as in adapters/shared/mesh.py.
_TRUST_DOMAIN = "spiffe://paideia/"
_STAFF = ("TEACHER", "AUTHOR", "ADMIN", "OPERATOR")


def http_filters(contract: Contract, settings: Settings, *, secure: bool) -> list[Config]:
    """The chain of the public listener, outermost first. `secure`: by TLS, and to remain so."""
    return [
        security_headers(secure=secure),
        readiness(tuple(settings.targets)),
        extension(CORS, f"{HTTP}.cors.v3.Cors"),
        organizations_origins(settings),
        _compressor("brotli", "envoy.extensions.compression.brotli.compressor.v3.Brotli", quality=3),
        _compressor(
            "gzip",
            "envoy.extensions.compression.gzip.compressor.v3.Gzip",
            compression_level="COMPRESSION_LEVEL_1",
            memory_level=8,
        ),
        extension("envoy.filters.http.grpc_web", f"{HTTP}.grpc_web.v3.GrpcWeb"),
        {"name": f"{LIMIT}.addresses", "typed_config": address_limit(settings.limits.address, "addresses")},
        token(settings),
        {"name": LIMIT, "typed_config": user_limits(settings.limits)},
        {"name": f"{LIMIT}.organizations", "typed_config": organization_limits(settings.limits)},
        extension(BUFFER, f"{HTTP}.buffer.v3.Buffer", max_request_bytes=settings.max_body_bytes),
        known_fields(settings),
        transcoder(settings, [service.name for service in contract.services]),
        router(),
    ]


def router() -> Config:
    return extension("envoy.filters.http.router", f"{HTTP}.router.v3.Router", suppress_envoy_headers=True)


def security_headers(*, secure: bool) -> Config:
    """On every answer, Envoy's own refusals included. A page may bring its own content security policy.

    Request headers whose names HTTP allows and gRPC does not are left behind: nobody reads them, and a service would break the call off."""
    always = {
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        # Others may read an answer that CORS gives them, and embed none.
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    }
    if secure:
        always["strict-transport-security"] = "max-age=31536000; includeSubDomains"
    unless_set = {"content-security-policy": API_CSP, "cache-control": "no-store"}
    return extension(
        "envoy.filters.http.header_mutation",
        f"{HTTP}.header_mutation.v3.HeaderMutation",
        mutations={
            "request_mutations": [{"remove_on_match": {"key_matcher": {"safe_regex": {"regex": _NOT_FOR_GRPC}}}}],
            "response_mutations": [{"append": header(name, value)} for name, value in always.items()]
            + [{"append": header(name, value, "ADD_IF_ABSENT")} for name, value in unless_set.items()],
        },
    )


def readiness(contexts: tuple[str, ...]) -> Config:
    """`/readyz` is 200 while every context has a healthy process, else 503. `/healthz` is about Envoy alone."""
    return extension(
        "envoy.filters.http.health_check",
        f"{HTTP}.health_check.v3.HealthCheck",
        pass_through_mode=False,
        headers=[{"name": ":path", "string_match": {"exact": "/readyz"}}],
        cluster_min_healthy_percentages={context: {"value": 1} for context in sorted(contexts)},
    )


def callers_only(workloads: tuple[str, ...]) -> list[Config]:
    """Lets in only connections whose certificate names one of the workloads; whoever is of the mesh when none is listed."""
    if not workloads:
        return []
    named = [{"authenticated": {"principal_name": {"exact": f"{_TRUST_DOMAIN}{each}"}}} for each in workloads]
    policy = {"permissions": [{"any": True}], "principals": named}
    return [
        extension("envoy.filters.http.rbac", f"{HTTP}.rbac.v3.RBAC", rules={"action": "ALLOW", "policies": {"callers": policy}})
    ]


def token(settings: Settings) -> Config:
    """Verifies access tokens with the keys that identity lists. A route says so when it needs none."""
    return extension(
        JWT,
        f"{HTTP}.jwt_authn.v3.JwtAuthentication",
        providers={
            "identity": {
                "issuer": settings.public_url,
                "audiences": [AUDIENCE],
                "forward": True,
                "from_headers": [{"name": "authorization", "value_prefix": "Bearer "}],
                "payload_in_metadata": "payload",
                "clock_skew_seconds": _SKEW_SECONDS,
                "require_expiration": True,
                # A token is verified once, then known until it expires; the services verify it as well.
                "jwt_cache_config": {"jwt_cache_size": _REMEMBERED_TOKENS},
                "remote_jwks": {
                    "http_uri": {
                        "uri": "http://identity/.well-known/jwks.json",
                        "cluster": JWKS_CLUSTER,
                        "timeout": "3s",
                    },
                    "cache_duration": f"{_JWKS_SECONDS}s",
                    "async_fetch": {"fast_listener": True, "failed_refetch_duration": "1s"},
                },
            }
        },
        requirement_map={SIGNED_IN: {"provider_name": "identity"}},
    )


def token_rule(*, public: bool) -> Config:
    """What a route says to `token`."""
    choice: Config = {"disabled": True} if public else {"requirement_name": SIGNED_IN}
    return typed(f"{HTTP}.jwt_authn.v3.PerRouteConfig", **choice)


def user_limits(limits: Limits) -> Config:
    """A bucket for each user, by what they are."""
    roles = f"metadata.filter_metadata['{JWT}']['payload']['roles']"
    kind = extension(
        "envoy.rate_limit_descriptors.expr",
        "envoy.extensions.rate_limit_descriptors.expr.v3.Descriptor",
        descriptor_key="kind",
        skip_if_error=True,
        text=" || ".join(f"'{role}' in {roles}" for role in _STAFF) + " ? 'staff' : 'learner'",
    )
    organization, user = _claim("organization", "org"), _claim("user", "sub")
    return _limited(
        "users",
        "user",
        [
            _bucket(limits.learner, {"kind": "learner", "organization": "", "user": ""}),
            _bucket(limits.staff, {"kind": "staff", "organization": "", "user": ""}),
        ],
        [[{"extension": kind}, organization, user]],
    )


def organization_limits(limits: Limits) -> Config:
    """A bucket for each organization, as large as its plan says: what one sends takes nothing from another. Comes after the users' buckets,
    so that whoever is too fast alone does not empty that of all."""
    return _limited(
        "organizations",
        "organization",
        [_bucket(limit, {"plan": plan, "organization": ""}) for plan, limit in limits.plans.items()],
        [[_claim("plan", "plan", default="standard"), _claim("organization", "org")]],
    )


def address_limit(limit: Limit, name: str = "sign_in") -> Config:
    """A bucket for each address: a wide one for everything, a narrow one for what needs no token and costs work, sign-in above all."""
    return _limited(name, "address", [_bucket(limit, {"remote_address": ""})], [[{"remote_address": {}}]])


def organizations_origins(settings: Settings) -> Config:
    """CORS for the pages of organizations, who choose their origins themselves."""
    return extension("paideia.origins", f"{HTTP}.lua.v3.Lua", default_source_code={"filename": f"{settings.assets}/{SCRIPT}"})


def known_fields(settings: Settings) -> Config:
    """Refuses bodies with unknown fields, which the transcoder would drop; on for the routes that name a message."""
    script = {"filename": f"{settings.assets}/fields.lua"}
    return {**extension(FIELDS, f"{HTTP}.lua.v3.Lua", default_source_code=script), "disabled": True}


def transcoder(settings: Settings, services: list[str]) -> Config:
    return extension(
        TRANSCODER,
        f"{HTTP}.grpc_json_transcoder.v3.GrpcJsonTranscoder",
        proto_descriptor=f"{settings.assets}/descriptors.binpb",
        services=services,
        match_incoming_request_route=True,
        convert_grpc_status=True,
        max_response_body_size=_LARGEST_ANSWER,
        print_options={"always_print_primitive_fields": True},
        request_validation_options={"reject_unknown_query_parameters": True, "reject_binding_body_field_collisions": True},
    )


def _compressor(name: str, message: str, **options: object) -> Config:
    return extension(
        f"envoy.filters.http.compressor.{name}",
        f"{HTTP}.compressor.v3.Compressor",
        response_direction_config={"common_config": {"min_content_length": 1024}},
        compressor_library=extension(name, message, **options),
    )


def _claim(key: str, claim: str, default: str = "") -> Config:
    return {
        "metadata": {
            "descriptor_key": key,
            "metadata_key": {"key": JWT, "path": [{"key": "payload"}, {"key": claim}]},
            "source": "DYNAMIC",
            **({"default_value": default} if default else {"skip_if_absent": True}),
        }
    }


def _bucket(limit: Limit, entries: dict[str, str]) -> Config:
    """An empty value stands for any: each value that is seen gets a bucket of its own."""
    return {
        "entries": [{"key": key, **({"value": value} if value else {})} for key, value in entries.items()],
        "token_bucket": _token_bucket(limit),
    }


def _token_bucket(limit: Limit) -> Config:
    # Filled ten times a second, so that the long-run rate is smooth and no refill is a fraction.
    steps = 10 if limit.per_second % 10 == 0 else 1
    return {"max_tokens": limit.burst, "tokens_per_fill": limit.per_second // steps, "fill_interval": f"{1 / steps:g}s"}


def _limited(name: str, whose: str, buckets: list[Config], descriptors: list[list[Config]]) -> Config:
    everything: Config = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    return typed(
        f"{HTTP}.local_ratelimit.v3.LocalRateLimit",
        stat_prefix=name,
        # What no bucket is meant for (pages, health) is not limited.
        token_bucket={"max_tokens": 1_000_000, "tokens_per_fill": 1_000_000, "fill_interval": "1s"},
        filter_enabled=everything,
        filter_enforced=everything,
        descriptors=buckets,
        rate_limits=[{"actions": actions} for actions in descriptors],
        max_dynamic_descriptors=_REMEMBERED_USERS,
        rate_limited_as_resource_exhausted=True,
        response_headers_to_add=[header("retry-after", "1"), header(LIMIT_HEADER, whose)],
    )
