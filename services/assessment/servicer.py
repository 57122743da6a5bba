"""gRPC in."""

from collections.abc import Callable
from typing import Any

import grpc
from paideia.assessment.v1 import assessment_service_pb2 as pb
from paideia.catalog.v1 import item_pb2

from domain.assessment.model.items import Item
from domain.assessment.use_cases.check_items import CheckItems
from domain.assessment.use_cases.get_item_view import GetItemView
from domain.assessment.use_cases.get_response import GetResponse
from domain.assessment.use_cases.list_responses import ListResponses
from domain.assessment.use_cases.reveal_hint import RevealHint
from domain.assessment.use_cases.submit_response import SubmitResponse
from domain.shared.ids import canonical_uuid
from services.assessment.messages import hint_message, response_message, submission_from, view_message
from services.assessment.testing_servicer import SittingServicer, SittingUseCases
from services.shared.call import caller
from services.shared.names import id_in, ids_in
from services.shared.paging import next_token, page_request

Context = grpc.aio.ServicerContext[Any, Any]


class AssessmentServicer(SittingServicer):
    def __init__(
        self,
        get_item_view: GetItemView,
        reveal_hint: RevealHint,
        submit_response: SubmitResponse,
        get_response: GetResponse,
        list_responses: ListResponses,
        check_items: CheckItems,
        item_from: Callable[[item_pb2.Item], Item],
        sittings: SittingUseCases,
    ) -> None:
        """`item_from` reads an item as the catalog's contract writes it."""
        super().__init__(sittings)
        self._get_item_view = get_item_view
        self._reveal_hint = reveal_hint
        self._submit_response = submit_response
        self._get_response = get_response
        self._list_responses = list_responses
        self._check_items = check_items
        self._item_from = item_from

    async def GetItemView(self, request: pb.GetItemViewRequest, context: Context) -> pb.ItemView:
        learner, item = ids_in(request.name, ("learners", "items"))
        course = id_in(request.course, "courses", "course")
        return view_message(await self._get_item_view(caller(context), learner, course, item))

    async def RevealHint(self, request: pb.RevealHintRequest, context: Context) -> pb.Hint:
        request_id = canonical_uuid(request.request_id, "request_id")
        learner, item = ids_in(request.name, ("learners", "items"))
        course = id_in(request.course, "courses", "course")
        return hint_message(await self._reveal_hint(caller(context), request_id, learner, course, item))

    async def SubmitResponse(self, request: pb.SubmitResponseRequest, context: Context) -> pb.Response:
        return response_message(await self._submit_response(caller(context), submission_from(request)))

    async def GetResponse(self, request: pb.GetResponseRequest, context: Context) -> pb.Response:
        learner, response = ids_in(request.name, ("learners", "responses"))
        return response_message(await self._get_response(caller(context), learner, canonical_uuid(response, "name")))

    async def ListResponses(self, request: pb.ListResponsesRequest, context: Context) -> pb.ListResponsesResponse:
        learner = id_in(request.parent, "learners", "parent")
        page = await self._list_responses(caller(context), learner, page_request(request.page_size, request.page_token))
        return pb.ListResponsesResponse(responses=map(response_message, page.elements), next_page_token=next_token(page))

    async def CheckItems(self, request: pb.CheckItemsRequest, context: Context) -> pb.CheckItemsResponse:
        faults = self._check_items([self._item_from(each) for each in request.items])
        return pb.CheckItemsResponse(
            faults=[pb.ItemFault(index=index, field=fault.field, description=fault.description) for index, fault in faults]
        )
