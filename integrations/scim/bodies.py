"""SCIM's bodies: read from requests, shown as resources, refused as errors (RFC 7644, sections 3.1, 3.9, 3.12 and 3.14)."""

import json
import re
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any, NoReturn

import grpc
from google.protobuf.json_format import MessageToDict
from paideia.identity.v1 import provisioning_pb2 as pb
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from integrations.scim import schemas
from integrations.scim.schemas import LONGEST_BODY, Json
from integrations.shared.identity import Refusal

_TYPES = {"application/scim+json", "application/json"}
_ALWAYS = {"id", "schemas"}
_URN = re.compile(r"^urn:ietf:params:scim:schemas:core:2\.0:(?:User|Group):", re.IGNORECASE)

_SCIM_TYPES = {
    "INVALID_FILTER": "invalidFilter",
    "INVALID_PATH": "invalidPath",
    "NO_TARGET": "noTarget",
    "READ_ONLY_ATTRIBUTE": "mutability",
}
_STATUSES = {
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.FAILED_PRECONDITION: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 503,
}


class ScimResponse(JSONResponse):
    media_type = "application/scim+json"


class ScimRefused(Exception):
    def __init__(self, status: int, detail: str, scim_type: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.body: Json = {"schemas": [schemas.ERROR], "status": str(status), "detail": detail}
        if scim_type:
            self.body["scimType"] = scim_type
        self.answer: Response = ScimResponse(self.body, status, headers=dict(headers or {}))


def refused(refusal: Refusal) -> ScimRefused:
    if refusal.code is grpc.StatusCode.INVALID_ARGUMENT:
        return ScimRefused(400, refusal.message, _SCIM_TYPES.get(refusal.reason, "invalidValue"))
    if refusal.code is grpc.StatusCode.ALREADY_EXISTS:
        return ScimRefused(409, refusal.message, "uniqueness")
    if refusal.code is grpc.StatusCode.ABORTED:
        return ScimRefused(412 if refusal.reason == "RESOURCE_CHANGED" else 409, refusal.message)
    status = _STATUSES.get(refusal.code, 500)
    if status == 401:
        return unauthenticated(refusal.message)
    # A quota does not empty by waiting: the administrator whom the sentence names has to act first.
    waits = status in (429, 503) and refusal.reason != "QUOTA_REACHED"
    later = {"retry-after": str(max(1, ceil(refusal.retry_after)))} if waits else {}
    return ScimRefused(status, refusal.message if status < 500 else "something went wrong here: try again", headers=later)


def unauthenticated(detail: str) -> ScimRefused:
    return ScimRefused(401, detail, headers={"www-authenticate": 'Bearer realm="paideia", scope="scim"'})


def token(request: Request) -> str:
    """Raises ScimRefused."""
    scheme, _, found = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not found.strip() or not (found.isascii() and found.isprintable()):
        raise unauthenticated("send an access token of a program with the scope scim as 'Authorization: Bearer ...'")
    return found.strip()


async def body(request: Request) -> Json:
    """Returns the object that a request carries. Raises ScimRefused."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in _TYPES:
        raise ScimRefused(415, "the body must be application/scim+json")
    data = b""
    try:
        async for part in request.stream():
            data += part
            if len(data) > LONGEST_BODY:
                raise ScimRefused(413, f"the body must be at most {LONGEST_BODY} bytes (maxPayloadSize)")
        found = json.loads(data, parse_constant=_no_number)
    except (ValueError, RecursionError, ClientDisconnect):
        raise ScimRefused(400, "the body is not JSON", "invalidSyntax") from None
    if not isinstance(found, dict):
        raise ScimRefused(400, "the body must be a JSON object", "invalidSyntax")
    return found


def named(given: Mapping[str, Any], name: str) -> Any:
    """The value under a name, which clients write in upper or lower case; None if there is none."""
    return next((value for key, value in given.items() if key.lower() == name.lower()), None)


def shown(resource: pb.ProvisionedResource, base: str) -> Json:
    """The resource as RFC 7643 has it, with its addresses."""
    user = resource.type == pb.PROVISIONED_TYPE_USER
    tree: Json = {"schemas": [schemas.USER if user else schemas.GROUP]} | MessageToDict(resource.attributes)
    for each in tree.get("groups", []):
        each["$ref"] = f"{base}/Groups/{each['value']}"
    for each in tree.get("members", []):
        each["$ref"] = f"{base}/Users/{each['value']}"
    tree["meta"] |= {"location": f"{base}/{'Users' if user else 'Groups'}/{resource.id}", "version": version(resource)}
    return tree


def version(resource: pb.ProvisionedResource) -> str:
    return f'W/"{resource.etag}"'


def etag(header: str) -> str:
    """What a condition names; empty for `*`, for anything, and for none."""
    return "" if header.strip() == "*" else header.strip().removeprefix("W/").strip('"')


def projected(tree: Json, only: Sequence[str], without: Sequence[str]) -> Json:
    """The attributes asked for; id and schemas are always among them."""
    if only:
        wanted = [_bare(each) for each in only]
        tree = {
            name: kept
            for name, value in tree.items()
            if (kept := value if name in _ALWAYS else _part(name, value, wanted)) is not None
        }
    dropped = {_bare(each) for each in without}
    return {name: value for name, value in tree.items() if name in _ALWAYS or name.lower() not in dropped}


def _part(name: str, value: Any, wanted: Sequence[str]) -> Any:
    if name.lower() in wanted:
        return value
    subs = {each.partition(".")[2] for each in wanted if each.startswith(f"{name.lower()}.")}
    if not subs:
        return None
    entries = [
        {sub: one for sub, one in each.items() if sub.lower() in subs} for each in (value if isinstance(value, list) else [value])
    ]
    return entries if isinstance(value, list) else entries[0]


def _bare(name: str) -> str:
    return _URN.sub("", name.strip()).lower()


def _no_number(constant: str) -> NoReturn:
    raise ValueError(constant)
