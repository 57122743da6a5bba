"""The contexts that count what identity does not have."""

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.message import Message
from paideia.analytics.v1 import analytics_service_pb2 as analytics
from paideia.analytics.v1.analytics_service_pb2_grpc import AnalyticsServiceStub
from paideia.catalog.v1 import catalog_service_pb2 as catalog
from paideia.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub
from paideia.ingestion.v1 import ingestion_service_pb2 as ingestion
from paideia.ingestion.v1.ingestion_service_pb2_grpc import IngestionServiceStub

from adapters.shared.grpc import Channels
from domain.identity.ports import UsageElsewhere
from domain.shared.plans import Quota

_KNOWN = frozenset(Quota)


class GrpcUsage(UsageElsewhere):
    """Asks one context."""

    def __init__(self, channels: Channels, context: str, stub: Callable[..., Any], request: Message) -> None:
        self._channels = channels
        self._context = context
        self._stub = stub
        self._request = request

    async def of(self, organization: str) -> Mapping[Quota, int]:
        stub = self._channels.stub(self._stub, self._context)
        answer = await self._channels.call(self._context, stub.GetUsage, self._request, organization)
        return {Quota(quota): used for quota, used in answer.used.items() if quota in _KNOWN}


def usage_elsewhere(channels: Channels) -> tuple[UsageElsewhere, ...]:
    return (
        GrpcUsage(channels, "catalog", CatalogServiceStub, catalog.GetUsageRequest()),
        GrpcUsage(channels, "analytics", AnalyticsServiceStub, analytics.GetUsageRequest()),
        GrpcUsage(channels, "ingestion", IngestionServiceStub, ingestion.GetUsageRequest()),
    )
