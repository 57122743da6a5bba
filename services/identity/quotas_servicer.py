"""Identity's gRPC face for plans and what organizations use of them."""

from typing import Any, TypeAlias

from grpc.aio import ServicerContext
from paideia.identity.v1 import identity_service_pb2, quotas_pb2
from paideia.identity.v1.identity_service_pb2_grpc import IdentityServiceServicer

from domain.identity.use_cases.get_usage import GetUsage
from domain.identity.use_cases.set_plan import SetPlan
from domain.shared.errors import InvalidInput
from domain.shared.plans import Plan
from services.identity.messages import organization_message
from services.shared.call import caller
from services.shared.names import id_in

Call: TypeAlias = "ServicerContext[Any, Any]"

_PLANS = {f"plans/{each}": each for each in Plan}


class QuotasRpcs(IdentityServiceServicer):
    """The rpcs of plans, for the servicer of the whole service to inherit."""

    set_plan: SetPlan
    get_usage: GetUsage

    async def SetOrganizationPlan(
        self, request: quotas_pb2.SetOrganizationPlanRequest, context: Call
    ) -> identity_service_pb2.Organization:
        if request.plan not in _PLANS:
            raise InvalidInput.of("plan", f"must be one of {', '.join(_PLANS)}")
        return organization_message(await self.set_plan(id_in(request.name, "organizations"), _PLANS[request.plan]))

    async def GetOrganizationUsage(
        self, request: quotas_pb2.GetOrganizationUsageRequest, context: Call
    ) -> quotas_pb2.OrganizationUsage:
        name, found, rest = request.name.rpartition("/usage")
        if not found or rest:
            raise InvalidInput.of("name", "must be organizations/{organization}/usage")
        plan, quotas = await self.get_usage(caller(context), id_in(name, "organizations"))
        return quotas_pb2.OrganizationUsage(
            name=request.name,
            plan=f"plans/{plan}",
            quotas=[quotas_pb2.QuotaUsage(quota=each.quota, used=each.used, limit=each.limit) for each in quotas],
        )
