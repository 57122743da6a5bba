"""The scheduler's gRPC face for policies."""

from dataclasses import dataclass
from typing import Any, TypeAlias

from grpc.aio import ServicerContext
from paideia.scheduler.v1 import policies_pb2 as pb
from paideia.scheduler.v1.scheduler_service_pb2_grpc import SchedulerServiceServicer

from domain.scheduler.policies import BUILT_IN, built_in
from domain.scheduler.use_cases.create_policy import CreatePolicy
from domain.scheduler.use_cases.get_policy import GetPolicy
from domain.scheduler.use_cases.list_policies import ListPolicies
from domain.scheduler.use_cases.roll_back_policy import RollBackPolicy
from domain.scheduler.use_cases.stage_policy import StagePolicy
from services.scheduler import policy_messages as messages
from services.shared.call import caller
from services.shared.etags import revision_in
from services.shared.names import id_in
from services.shared.paging import next_token, page_request

Call: TypeAlias = "ServicerContext[Any, Any]"


@dataclass(frozen=True)
class PolicyUseCases:
    """What the servicer serves; the container fills it by name."""

    create_policy: CreatePolicy
    get_policy: GetPolicy
    list_policies: ListPolicies
    stage_policy: StagePolicy
    roll_back_policy: RollBackPolicy


class PolicyServicer(SchedulerServiceServicer):
    """The rpcs of policies, for the servicer of the whole service to inherit; it has `policies`."""

    policies: PolicyUseCases

    async def CreatePolicy(self, request: pb.CreatePolicyRequest, context: Call) -> pb.Policy:
        draft = messages.policy_draft(request)
        return messages.policy_message(await self.policies.create_policy(caller(context), messages.request_id_in(request), draft))

    async def GetPolicy(self, request: pb.GetPolicyRequest, context: Call) -> pb.Policy:
        return messages.policy_message(*await self.policies.get_policy(caller(context), id_in(request.name, "policies")))

    async def ListPolicies(self, request: pb.ListPoliciesRequest, context: Call) -> pb.ListPoliciesResponse:
        page = await self.policies.list_policies(caller(context), page_request(request.page_size, request.page_token))
        first = [] if request.page_token else [built_in(each) for each in BUILT_IN]
        return pb.ListPoliciesResponse(
            policies=[messages.policy_message(each) for each in (*first, *page.elements) if each],
            next_page_token=next_token(page),
        )

    async def StagePolicy(self, request: pb.StagePolicyRequest, context: Call) -> pb.Policy:
        return messages.policy_message(await self.policies.stage_policy(caller(context), messages.stage_order(request)))

    async def RollBackPolicy(self, request: pb.RollBackPolicyRequest, context: Call) -> pb.RollBackPolicyResponse:
        policy_id, revision = id_in(request.name, "policies"), revision_in(request.etag, "policy")
        retired, live = await self.policies.roll_back_policy(
            caller(context), messages.request_id_in(request), policy_id, revision
        )
        return pb.RollBackPolicyResponse(
            retired=messages.policy_message(retired), live=messages.policy_message(live) if live else None
        )
