"""Refusals that Envoy makes itself, as google.rpc.Status in JSON: the same shape as every refusal of a service."""

from edge.config import Config
from edge.filters import LIMIT_HEADER

ERROR_DOMAIN = "paideia"

# HTTP status → google.rpc.Code, reason, text (empty: Envoy's own, which for these says what is wrong and tells no address).
_REPLIES: dict[int, tuple[int, str, str]] = {
    400: (3, "INVALID_REQUEST", ""),
    401: (
        16,
        "UNAUTHENTICATED",
        "%LOCAL_REPLY_BODY%: send an access token as 'Authorization: Bearer ...'; sign in at POST /v1/sessions:signIn",
    ),
    404: (5, "NO_SUCH_METHOD", "there is no such path or method; see /docs"),
    408: (4, "REQUEST_TOO_SLOW", "the request took too long to arrive"),
    413: (8, "REQUEST_TOO_LARGE", "the body is over the limit: send less at once"),
    429: (8, "LIMIT_REACHED", f"too many requests of this %RESP({LIMIT_HEADER})%: wait, then go on more slowly"),
    431: (8, "HEADERS_TOO_LARGE", "the headers are over the limit"),
    500: (13, "INTERNAL", "the edge failed"),
    502: (14, "UNAVAILABLE", "the service gave no proper answer: try again"),
    503: (14, "UNAVAILABLE", "the service cannot be reached at present: try again"),
    504: (4, "DEADLINE_EXCEEDED", "the service did not answer in time"),
}
_RETRYABLE = (429, 502, 503)


def local_replies() -> Config:
    return {
        "mappers": [
            *_wrong_audience(),
            _unknown_field(),
            *(
                {
                    "filter": {"and_filter": {"filters": [_status_is(status), _REST]}},
                    "body_format_override": {
                        "json_format": _status(status, *reply),
                        "content_type": "application/json",
                    },
                    **({"headers_to_add": [_RETRY_AFTER]} if status in (502, 503) else {}),
                }
                for status, reply in _REPLIES.items()
            ),
        ]
    }


def _wrong_audience() -> list[Config]:
    """Envoy calls a token for somebody else forbidden; to us it is no token of ours, like any other."""
    forbidden = _status_is(403)
    body = {"json_format": _status(401, *_REPLIES[401]), "content_type": "application/json"}
    return [
        {"filter": {"and_filter": {"filters": [forbidden, _REST]}}, "status_code": 401, "body_format_override": body},
        {"filter": forbidden, "status_code": 401},
    ]


def _unknown_field() -> Config:
    """What `fields.lua` refused, with the field in BadRequest as a service would name it."""
    field, fault = (f"%DYNAMIC_METADATA(paideia.edge:{name})%" for name in ("field", "fault"))
    status = _status(400, *_REPLIES[400])
    status["details"].append(
        {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [{"field": field, "description": fault}]}
    )
    known = {"filter": "paideia.edge", "path": [{"key": "field"}], "value": {"present_match": True}}
    return {
        "filter": {"metadata_filter": {"matcher": known, "match_if_key_not_found": False}},
        "body_format_override": {"json_format": status, "content_type": "application/json"},
    }


def _status(http: int, code: int, reason: str, text: str) -> Config:
    details: list[Config] = [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": reason,
            "domain": ERROR_DOMAIN,
            "metadata": {"limit": f"%RESP({LIMIT_HEADER})%"} if http == 429 else {},
        }
    ]
    if http in _RETRYABLE:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1s"})
    return {"code": code, "message": text or "%LOCAL_REPLY_BODY%", "details": details}


def _status_is(status: int) -> Config:
    return {
        "status_code_filter": {
            "comparison": {"op": "EQ", "value": {"default_value": status, "runtime_key": f"paideia.reply.{status}"}}
        }
    }


def _header(name: str, **match: object) -> Config:
    return {"header_filter": {"header": {"name": name, **match}}}


# A gRPC call gets its status in grpc-status. A transcoded request looks like one by now; its original path tells it apart.
_REST: Config = {
    "or_filter": {
        "filters": [
            _header(
                "content-type", string_match={"prefix": "application/grpc"}, invert_match=True, treat_missing_header_as_empty=True
            ),
            _header("x-envoy-original-path", present_match=True),
        ]
    }
}
_RETRY_AFTER: Config = {"header": {"key": "retry-after", "value": "1"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
