"""The gRPC face of the audit log: messages in, use case, message out."""

from dataclasses import dataclass
from typing import Any, TypeAlias

from grpc.aio import ServicerContext
from paideia.audit.v1 import audit_service_pb2 as pb
from paideia.audit.v1.audit_service_pb2_grpc import AuditServiceServicer

from domain.audit.ports import HeadSigner
from domain.audit.use_cases.get_head import GetHead
from domain.audit.use_cases.list_acts import ListActs
from domain.audit.use_cases.verify_acts import VerifyActs
from services.audit import messages
from services.shared.call import caller
from services.shared.paging import next_token, page_request

Call: TypeAlias = "ServicerContext[Any, Any]"


@dataclass(frozen=True)
class AuditServicer(AuditServiceServicer):
    list_acts: ListActs
    verify_acts: VerifyActs
    get_head: GetHead
    signer: HeadSigner

    async def ListActs(self, request: pb.ListActsRequest, context: Call) -> pb.ListActsResponse:
        wanted = page_request(request.page_size, request.page_token)
        page = await self.list_acts(caller(context), messages.filter_in(request), wanted, request.platform)
        return pb.ListActsResponse(acts=map(messages.act_message, page.elements), next_page_token=next_token(page))

    async def VerifyActs(self, request: pb.VerifyActsRequest, context: Call) -> pb.VerifyActsResponse:
        after = messages.after_in(request)
        return messages.verdict_message(await self.verify_acts(caller(context), after, request.known_head, request.platform))

    async def GetHead(self, request: pb.GetHeadRequest, context: Call) -> pb.Head:
        head = await self.get_head(caller(context), request.platform)
        return messages.head_message(head, self.signer.key_of(head.signature))

    async def ListHeadKeys(self, request: pb.ListHeadKeysRequest, context: Call) -> pb.ListHeadKeysResponse:
        return pb.ListHeadKeysResponse(public_keys=self.signer.public_keys)
