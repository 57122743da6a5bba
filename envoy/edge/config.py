"""The words that every part of an Envoy configuration is put together from."""

from typing import Any

from edge.settings import Address, Settings

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


def access_log(extra: Config) -> list[Config]:
    """A JSON line a request on standard output: what was asked for, by the name of its route, and what became of it.

    It holds no path, query, body or token, and nobody's name or whole address: whoever needs the person follows the trace.
    """
    return [
        extension(
            "envoy.access_loggers.stdout",
            "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
            log_format={
                "json_format": {
                    "time": "%START_TIME(%Y-%m-%dT%H:%M:%S.%3fZ)%",
                    "event": "request",
                    "method": "%REQ(X-ENVOY-ORIGINAL-METHOD?:METHOD)%",
                    "route": "%ROUTE_NAME%",
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
