"""Identity's gRPC face for identity providers that provision users and classes (SCIM 2.0)."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from google.protobuf.json_format import MessageToDict, SerializeToJsonError
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from grpc.aio import ServicerContext
from paideia.identity.v1 import provisioning_pb2 as pb
from paideia.identity.v1.identity_service_pb2_grpc import IdentityServiceServicer

from domain.identity.provisioning import Kind, Resource, checked_resource_id, checked_tree
from domain.identity.provisioning_attributes import Tree
from domain.identity.provisioning_patch import Operation, patched
from domain.shared.errors import InvalidInput
from services.identity.programs_use_cases import ProgramUseCases
from services.shared.call import caller

Call: TypeAlias = "ServicerContext[Any, Any]"

_KINDS = {pb.PROVISIONED_TYPE_USER: Kind.USER, pb.PROVISIONED_TYPE_GROUP: Kind.GROUP}
_TYPES = {kind: number for number, kind in _KINDS.items()}
_USUAL_COUNT = 100


class ProvisioningRpcs(IdentityServiceServicer):
    """The rpcs of provisioning, for the servicer of the whole service to inherit; it has `programs`."""

    programs: ProgramUseCases

    async def CreateProvisionedResource(
        self, request: pb.CreateProvisionedResourceRequest, context: Call
    ) -> pb.ProvisionedResource:
        kind = _kind(request.resource.type)
        return _message(await self.programs.create_provisioned(caller(context), kind, _tree(request.resource.attributes)))

    async def GetProvisionedResource(self, request: pb.GetProvisionedResourceRequest, context: Call) -> pb.ProvisionedResource:
        resource_id = checked_resource_id(request.id)
        return _message(await self.programs.get_provisioned(caller(context), _kind(request.type), resource_id))

    async def ListProvisionedResources(
        self, request: pb.ListProvisionedResourcesRequest, context: Call
    ) -> pb.ListProvisionedResourcesResponse:
        count = request.count if request.HasField("count") else _USUAL_COUNT
        listing = await self.programs.list_provisioned(
            caller(context),
            _kind(request.type),
            request.filter,
            request.start_index,
            count,
            request.sort_by,
            request.descending,
        )
        return pb.ListProvisionedResourcesResponse(resources=map(_message, listing.resources), total=listing.total)

    async def ReplaceProvisionedResource(
        self, request: pb.ReplaceProvisionedResourceRequest, context: Call
    ) -> pb.ProvisionedResource:
        kind = _kind(request.resource.type)
        tree = checked_tree(kind, _tree(request.resource.attributes))
        return await self._change(context, kind, request.resource.id, request.resource.etag, lambda before: tree)

    async def PatchProvisionedResource(
        self, request: pb.PatchProvisionedResourceRequest, context: Call
    ) -> pb.ProvisionedResource:
        kind = _kind(request.type)
        operations = [
            Operation(
                each.op,
                each.path,
                _plain(each.value, f"operations[{at}].value") if each.HasField("value") else None,
                f"operations[{at}]",
            )
            for at, each in enumerate(request.operations)
        ]
        return await self._change(
            context, kind, request.id, request.etag, lambda before: patched(before, operations, kind.attributes)
        )

    async def DeleteProvisionedResource(
        self, request: pb.DeleteProvisionedResourceRequest, context: Call
    ) -> pb.DeleteProvisionedResourceResponse:
        resource_id = checked_resource_id(request.id)
        await self.programs.delete_provisioned(caller(context), _kind(request.type), resource_id, request.etag)
        return pb.DeleteProvisionedResourceResponse()

    async def _change(
        self, context: Call, kind: Kind, resource_id: str, etag: str, change: Callable[[Tree], Tree]
    ) -> pb.ProvisionedResource:
        found = await self.programs.change_provisioned(caller(context), kind, checked_resource_id(resource_id), etag, change)
        return _message(found)


def _kind(number: int) -> Kind:
    try:
        return _KINDS[number]  # type: ignore[index]  # any number may come
    except KeyError:
        raise InvalidInput.of("type", "must be USER or GROUP") from None


def _tree(attributes: Struct) -> Mapping[str, Any]:
    tree: Mapping[str, Any] = _plain(attributes, "resource.attributes")
    return tree


def _plain(value: Message, field: str) -> Any:
    """Returns what JSON would hold. Raises InvalidInput for a number that JSON has not."""
    try:
        return MessageToDict(value)
    except (SerializeToJsonError, ValueError):
        raise InvalidInput.of(field, "must hold finite numbers only") from None


def _message(resource: Resource) -> pb.ProvisionedResource:
    message = pb.ProvisionedResource(type=_TYPES[resource.kind], id=resource.id, etag=resource.etag)
    message.attributes.update(resource.attributes)
    return message
