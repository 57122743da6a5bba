"""The words that every part of an Envoy configuration is put together from."""

from typing import Any

from edge.settings import Address, Settings, Tls

Config = dict[str, Any]

OTLP_CLUSTER = "otlp"


def typed(name: str, **values: Any) -> Config:
    """An extension's own configuration; `name` is its message, such as `envoy.extensions.filters.http.cors.v3.Cors`."""
    return {"@type": f"type.googleapis.com/{name}", **values}


def extension(name: str, message: str, **values: Any) -> Config:
    return {"name": name, "typed_config": typed(message, **values)}


def socket(address: Address) -> Config:
    return {"socket_address": {"address": address.host, "port_value": address.port}}


def header(name: str, value: str, action: str = "OVERWRITE_IF_EXISTS_OR_ADD") -> Config:
    return {"header": {"key": name, "value": value}, "append_action": action}


def server_tls(tls: Tls, *, mutual: bool) -> Config:
    """TLS as a server; with `mutual` the client has to show a certificate of our authority."""
    return extension(
        "envoy.transport_sockets.tls",
        "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        require_client_certificate=mutual,
        common_tls_context=_common_tls(tls, mutual=mutual, protocols=["h2"] if mutual else ["h2", "http/1.1"]),
    )


def client_tls(tls: Tls, server_name: str) -> Config:
    """Mutual TLS as a client that talks to `server_name` and to nobody else."""
    common = _common_tls(tls, mutual=True, protocols=["h2"])
    common["validation_context"]["match_typed_subject_alt_names"] = [{"san_type": "DNS", "matcher": {"exact": server_name}}]
    return extension(
        "envoy.transport_sockets.tls",
        "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        sni=server_name,
        common_tls_context=common,
    )


def _common_tls(tls: Tls, *, mutual: bool, protocols: list[str]) -> Config:
    common: Config = {
        "alpn_protocols": protocols,
        # As a client Envoy speaks at most 1.2 unless told.
        "tls_params": {
            "tls_minimum_protocol_version": "TLSv1_3" if mutual else "TLSv1_2",
            "tls_maximum_protocol_version": "TLSv1_3",
        },
        "tls_certificates": [
            {"certificate_chain": {"filename": tls.certificate}, "private_key": {"filename": tls.key}},
        ],
    }
    if mutual:
        common["validation_context"] = {"trusted_ca": {"filename": tls.authority}}
    return common


def access_log(extra: Config) -> list[Config]:
    """A JSON line a request on standard output. It never holds a query, a body or a token."""
    return [
        extension(
            "envoy.access_loggers.stdout",
            "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
            log_format={
                "json_format": {
                    "time": "%START_TIME(%Y-%m-%dT%H:%M:%S.%3fZ)%",
                    "event": "request",
                    "method": "%REQ(X-ENVOY-ORIGINAL-METHOD?:METHOD)%",
                    "path": "%PATH(NQ:ORIG_OR_PATH)%",
                    "status": "%RESPONSE_CODE%",
                    "grpc_status": "%GRPC_STATUS%",
                    "details": "%RESPONSE_CODE_DETAILS%",
                    "flags": "%RESPONSE_FLAGS%",
                    "ms": "%DURATION%",
                    "request_bytes": "%BYTES_RECEIVED%",
                    "response_bytes": "%BYTES_SENT%",
                    "request_id": "%REQ(X-REQUEST-ID)%",
                    "trace_id": "%TRACE_ID%",
                    **extra,
                }
            },
        )
    ]


def tracing(settings: Settings, service: str) -> Config:
    """Continues the caller's W3C trace or begins one, so that one id follows a request through every process.

    Without a collector nothing is sampled, so nothing is reported; the context travels all the same.
    """
    return {
        "random_sampling": {"value": 100 if settings.otlp else 0},
        "provider": extension(
            "envoy.tracers.opentelemetry",
            "envoy.config.trace.v3.OpenTelemetryConfig",
            service_name=service,
            grpc_service={"envoy_grpc": {"cluster_name": OTLP_CLUSTER}, "timeout": "1s"},
        ),
    }
