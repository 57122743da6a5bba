"""The context that grades, asked whether it can grade."""

from collections.abc import Sequence

from paideia.assessment.v1 import assessment_service_pb2 as assessment
from paideia.assessment.v1.assessment_service_pb2_grpc import AssessmentServiceStub
from paideia.catalog.v1 import item_pb2

from adapters.shared.grpc import Channels
from domain.catalog.model import Item, ItemFault
from domain.catalog.ports import ItemChecker


class AssessmentItemChecker(ItemChecker):
    def __init__(self, channels: Channels) -> None:
        self._channels = channels

    async def faults(self, organization: str, items: Sequence[Item]) -> Sequence[ItemFault]:
        request = assessment.CheckItemsRequest(
            items=[
                item_pb2.Item(
                    name=f"items/{each.id}",
                    title=each.title,
                    skills=[f"skills/{skill}" for skill in each.skills],
                    body=item_pb2.Body.FromString(each.body),
                    key=item_pb2.Key.FromString(each.key),
                )
                for each in items
            ]
        )
        stub = self._channels.stub(AssessmentServiceStub, "assessment")
        answer = await self._channels.call("assessment", stub.CheckItems, request, organization)
        return [ItemFault(each.index, each.field, each.description) for each in answer.faults]
