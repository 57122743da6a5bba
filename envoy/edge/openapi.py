"""The OpenAPI 3.1 document of the REST face: every rpc that the outside may call, with the comments of the protos."""

import json
import re
from collections.abc import Iterator
from typing import Any

from edge.contract import Contract, Rpc
from edge.schemas import ID_PATTERN, Schemas, camel, error_schemas, first_sentence

Json = dict[str, Any]

_INFO = {
    "title": "Paideia",
    "version": "v1",
    "summary": "An adaptive learning platform: it decides what each learner should practise next, and says why.",
    "description": (
        "Bodies are JSON: camelCase is returned, snake_case is accepted as well, unknown fields and query parameters are refused. "
        "64-bit integers are strings. Times are RFC 3339, durations are seconds such as `1.5s`.\n\n"
        "Sign in at `POST /v1/sessions:signIn` and send the access token as `Authorization: Bearer ...`. The organization is the "
        "token's; another organization's resources are not found.\n\n"
        "A `requestId` is a UUID of the caller's making: the same id with the same body returns the first answer, so that any request "
        "may be repeated after a time-out.\n\n"
        "A refusal is a `google.rpc.Status` whose details hold an `ErrorInfo` with a stable reason."
    ),
    "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
}
_REFUSALS = {
    "400": ("InvalidRequest", "The request can never succeed as it is, or not now: see `reason` and `fieldViolations`."),
    "401": ("Unauthenticated", "The access token is missing, malformed, expired or not ours."),
    "403": ("Forbidden", "The caller's roles do not allow it."),
    "404": ("NotFound", "There is no such thing in the caller's organization."),
    "409": ("Conflict", "The id is taken, the request id was used with another body, or somebody else changed it meanwhile."),
    "413": ("TooLarge", "The body is over the limit."),
    "429": ("LimitReached", "Too much or too fast; go on after `Retry-After` seconds."),
    "503": ("Unavailable", "Something this needs is down; try again after the delay in `RetryInfo`."),
    "default": ("Refused", "Any other refusal."),
}


def openapi(contract: Contract) -> Json:
    schemas = Schemas(contract)
    paths: dict[str, Json] = {}
    for rpc in contract.edge_rpcs:
        path = _path(rpc)
        operations = paths.setdefault(path, {})
        if rpc.rest.method.lower() in operations:
            raise ValueError(f"two rpcs at {rpc.rest.method} {path}")
        operations[rpc.rest.method.lower()] = _operation(rpc, schemas)
    return {
        "openapi": "3.1.0",
        "info": _INFO,
        "servers": [{"url": "/", "description": "this installation"}],
        "tags": [
            {"name": service.name.rpartition(".")[2], "description": service.comment}
            for service in contract.services
            if any(not rpc.internal for rpc in service.rpcs)
        ],
        "security": [{"accessToken": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "securitySchemes": {
                "accessToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "The access token of `POST /v1/sessions:signIn`.",
                }
            },
            "responses": {name: _refusal(text, status) for status, (name, text) in _REFUSALS.items()},
            "schemas": schemas.used() | error_schemas(),
        },
    }


def openapi_json(contract: Contract) -> str:
    return json.dumps(openapi(contract), indent=1, ensure_ascii=False) + "\n"


def _operation(rpc: Rpc, schemas: Schemas) -> Json:
    answer = schemas.of_message(rpc.response)
    operation: Json = {
        "operationId": rpc.name,
        "tags": [rpc.service.rpartition(".")[2]],
        "summary": first_sentence(rpc.comment),
        "description": rpc.comment,
        "x-grpc-method": rpc.path[1:],
        "x-roles": list(rpc.allow),
    }
    if rpc.own:
        operation["x-own"] = rpc.own
    if parameters := [*_path_parameters(rpc), *([] if rpc.rest.body else _query(rpc, schemas))]:
        operation["parameters"] = parameters
    if rpc.rest.body:
        bound = {variable.field for variable in rpc.rest.variables}
        body = schemas.of_body(rpc.request, rpc.name, bound)
        schema = {"type": "array", "items": body} if rpc.client_streaming else body
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    operation["responses"] = {
        "200": {
            "description": "Done.",
            "content": {"application/json": {"schema": {"type": "array", "items": answer} if rpc.server_streaming else answer}},
        }
    } | {
        status: {"$ref": f"#/components/responses/{name}"}
        for status, (name, _) in _REFUSALS.items()
        if not (rpc.public and status == "403") and not (rpc.reads and status in ("409", "413"))
    }
    if rpc.public:
        operation["security"] = []
    return operation


def _path(rpc: Rpc) -> str:
    """`/v1/{name=learners/*/items/*}:revealHint` → `/v1/learners/{learner}/items/{item}:revealHint`."""
    variables = iter(rpc.rest.variables)

    def spelled(match: re.Match[str]) -> str:
        variable = next(variables)
        names = iter(variable.parameters)
        return re.sub(r"\*", lambda _: "{" + next(names) + "}", variable.pattern)

    return re.sub(r"\{[^}]+\}", spelled, rpc.rest.template)


def _path_parameters(rpc: Rpc) -> Iterator[Json]:
    for variable in rpc.rest.variables:
        for name in variable.parameters:
            yield {
                "name": name,
                "in": "path",
                "required": True,
                "description": f"The id in `{variable.pattern}`, the request's `{variable.field}`.",
                "schema": {"type": "string", "pattern": ID_PATTERN},
            }


def _query(rpc: Rpc, schemas: Schemas) -> Iterator[Json]:
    bound = {variable.field for variable in rpc.rest.variables}
    for name, schema, required in schemas.fields(rpc.request):
        if name not in bound:
            description = schema.pop("description", "")
            yield {
                "name": camel(name),
                "in": "query",
                "required": required,
                "description": description,
                "schema": schema,
            }


def _refusal(text: str, status: str) -> Json:
    answer: Json = {
        "description": text,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Status"}}},
    }
    if status in ("429", "503"):
        answer["headers"] = {
            "Retry-After": {"description": "Seconds to wait; sent when the edge refuses.", "schema": {"type": "integer"}}
        }
    return answer
