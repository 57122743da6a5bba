"""What changes one resource (RFC 7644, sections 3.3, 3.5 and 3.6), on its own or as a part of a bulk request, as identity's rpc for it."""

from typing import Any

from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from paideia.identity.v1 import provisioning_pb2 as pb

from integrations.scim import bodies
from integrations.scim.bodies import ScimRefused
from integrations.scim.schemas import Json

COLLECTIONS: dict[str, Any] = {"Users": pb.PROVISIONED_TYPE_USER, "Groups": pb.PROVISIONED_TYPE_GROUP}
STATUSES = {"POST": 201, "PUT": 200, "PATCH": 200, "DELETE": 204}
"""Of what was done, by method."""


def asked(method: str, collection: str, resource_id: str, data: Json, etag: str) -> tuple[str, Message]:
    """Returns the rpc and its request. Raises ScimRefused."""
    type_ = COLLECTIONS[collection]
    match method:
        case "POST":
            made = pb.ProvisionedResource(type=type_, attributes=_struct(data))
            return "CreateProvisionedResource", pb.CreateProvisionedResourceRequest(resource=made)
        case "PUT":
            resource = pb.ProvisionedResource(type=type_, id=resource_id, attributes=_struct(data), etag=etag)
            return "ReplaceProvisionedResource", pb.ReplaceProvisionedResourceRequest(resource=resource)
        case "PATCH":
            patch = pb.PatchProvisionedResourceRequest(type=type_, id=resource_id, etag=etag, operations=_operations(data))
            return "PatchProvisionedResource", patch
        case _:
            gone = pb.DeleteProvisionedResourceRequest(type=type_, id=resource_id, etag=etag)
            return "DeleteProvisionedResource", gone


def text(value: Any, name: str) -> str:
    """Raises ScimRefused."""
    if value is None:
        return ""
    if not isinstance(value, str) or not _utf8(value):
        raise ScimRefused(400, f"{name} must be a string", "invalidSyntax")
    return value


def _operations(given: Json) -> list[pb.PatchOperation]:
    listed = bodies.named(given, "Operations")
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise ScimRefused(400, "Operations must be a list of objects", "invalidSyntax")
    operations = []
    for each in listed:
        operation = pb.PatchOperation(op=text(bodies.named(each, "op"), "op"), path=text(bodies.named(each, "path"), "path"))
        if (value := bodies.named(each, "value")) is not None:
            _filled(operation.value, value)
        operations.append(operation)
    return operations


def _struct(given: Json) -> Struct:
    struct = Struct()
    _filled(struct, given)
    return struct


def _filled(message: Message, value: Any) -> None:
    try:
        ParseDict(value, message)
    except (ParseError, ValueError, TypeError, RecursionError):
        raise ScimRefused(400, "the body holds what no attribute can be", "invalidSyntax") from None


def _utf8(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can write
        return False
    return True
