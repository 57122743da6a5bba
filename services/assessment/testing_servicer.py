"""gRPC in, for item banks, test blueprints and test sessions."""

from dataclasses import dataclass
from typing import Any

import grpc
from paideia.assessment.v1 import assessment_service_pb2 as pb
from paideia.assessment.v1 import tests_pb2
from paideia.assessment.v1.assessment_service_pb2_grpc import AssessmentServiceServicer

from domain.assessment.use_cases.answer_test_item import AnswerTestItem
from domain.assessment.use_cases.create_blueprint import CreateBlueprint
from domain.assessment.use_cases.finish_test import FinishTest
from domain.assessment.use_cases.get_bank import GetBank
from domain.assessment.use_cases.get_bank_version import GetBankVersion
from domain.assessment.use_cases.get_blueprint import GetBlueprint
from domain.assessment.use_cases.get_test_session import GetTestSession
from domain.assessment.use_cases.list_bank_versions import ListBankVersions
from domain.assessment.use_cases.list_banks import ListBanks
from domain.assessment.use_cases.list_blueprints import ListBlueprints
from domain.assessment.use_cases.list_test_sessions import ListTestSessions
from domain.assessment.use_cases.publish_bank_version import PublishBankVersion
from domain.assessment.use_cases.retire_blueprint import RetireBlueprint
from domain.assessment.use_cases.sitting import SessionView
from domain.assessment.use_cases.start_test import StartTest
from domain.shared.ids import canonical_uuid, chosen_id
from services.assessment.testing_messages import (
    bank_message,
    blueprint_from,
    blueprint_message,
    calibrated_from,
    fields_of,
    model_from,
    session_in,
    session_message,
    submission_in_test,
    version_message,
)
from services.shared.call import caller
from services.shared.names import id_in, ids_in
from services.shared.paging import next_token, page_request

Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True)
class SittingUseCases:
    """What the rpcs of tests act through."""

    publish_bank_version: PublishBankVersion
    get_bank_version: GetBankVersion
    list_bank_versions: ListBankVersions
    get_bank: GetBank
    list_banks: ListBanks
    create_blueprint: CreateBlueprint
    get_blueprint: GetBlueprint
    list_blueprints: ListBlueprints
    retire_blueprint: RetireBlueprint
    start_test: StartTest
    get_session: GetTestSession
    answer_item: AnswerTestItem
    finish_test: FinishTest
    list_sessions: ListTestSessions


class SittingServicer(AssessmentServiceServicer):
    """The part of the service that is about tests."""

    def __init__(self, sittings: SittingUseCases) -> None:
        self._sittings = sittings

    async def PublishItemBankVersion(
        self, request: pb.PublishItemBankVersionRequest, context: Context
    ) -> tests_pb2.ItemBankVersion:
        request_id = canonical_uuid(request.request_id, "request_id")
        bank = id_in(request.parent, "itemBanks", "parent")
        version = await self._sittings.publish_bank_version(
            caller(context), request_id, bank, model_from(request.model), request.calibration, calibrated_from(request.items)
        )
        return version_message(version)

    async def GetItemBankVersion(self, request: pb.GetItemBankVersionRequest, context: Context) -> tests_pb2.ItemBankVersion:
        bank, version = ids_in(request.name, ("itemBanks", "versions"))
        return version_message(await self._sittings.get_bank_version(caller(context), bank, version))

    async def ListItemBankVersions(
        self, request: pb.ListItemBankVersionsRequest, context: Context
    ) -> pb.ListItemBankVersionsResponse:
        bank = id_in(request.parent, "itemBanks", "parent")
        page = await self._sittings.list_bank_versions(caller(context), bank, page_request(request.page_size, request.page_token))
        return pb.ListItemBankVersionsResponse(versions=map(version_message, page.elements), next_page_token=next_token(page))

    async def GetItemBank(self, request: pb.GetItemBankRequest, context: Context) -> tests_pb2.ItemBank:
        return bank_message(await self._sittings.get_bank(caller(context), id_in(request.name, "itemBanks")))

    async def ListItemBanks(self, request: pb.ListItemBanksRequest, context: Context) -> pb.ListItemBanksResponse:
        page = await self._sittings.list_banks(caller(context), page_request(request.page_size, request.page_token))
        return pb.ListItemBanksResponse(item_banks=map(bank_message, page.elements), next_page_token=next_token(page))

    async def CreateTestBlueprint(self, request: pb.CreateTestBlueprintRequest, context: Context) -> tests_pb2.TestBlueprint:
        request_id = canonical_uuid(request.request_id, "request_id")
        blueprint_id = chosen_id(request.test_blueprint_id, "test_blueprint_id")
        with fields_of("test_blueprint"):
            blueprint = blueprint_from(blueprint_id, request.test_blueprint)
            return blueprint_message(await self._sittings.create_blueprint(caller(context), request_id, blueprint))

    async def GetTestBlueprint(self, request: pb.GetTestBlueprintRequest, context: Context) -> tests_pb2.TestBlueprint:
        return blueprint_message(await self._sittings.get_blueprint(caller(context), id_in(request.name, "testBlueprints")))

    async def ListTestBlueprints(self, request: pb.ListTestBlueprintsRequest, context: Context) -> pb.ListTestBlueprintsResponse:
        page = await self._sittings.list_blueprints(caller(context), page_request(request.page_size, request.page_token))
        found = map(blueprint_message, page.elements)
        return pb.ListTestBlueprintsResponse(test_blueprints=found, next_page_token=next_token(page))

    async def RetireTestBlueprint(self, request: pb.RetireTestBlueprintRequest, context: Context) -> tests_pb2.TestBlueprint:
        canonical_uuid(request.request_id, "request_id")
        return blueprint_message(await self._sittings.retire_blueprint(caller(context), id_in(request.name, "testBlueprints")))

    async def StartTest(self, request: pb.StartTestRequest, context: Context) -> pb.TestSession:
        request_id = canonical_uuid(request.request_id, "request_id")
        learner, blueprint = id_in(request.parent, "learners", "parent"), id_in(request.blueprint, "testBlueprints", "blueprint")
        return _shown(await self._sittings.start_test(caller(context), request_id, learner, blueprint), context)

    async def GetTestSession(self, request: pb.GetTestSessionRequest, context: Context) -> pb.TestSession:
        return _shown(await self._sittings.get_session(caller(context), *session_in(request.name)), context)

    async def AnswerTestItem(self, request: pb.AnswerTestItemRequest, context: Context) -> pb.TestSession:
        return _shown(await self._sittings.answer_item(caller(context), submission_in_test(request)), context)

    async def FinishTest(self, request: pb.FinishTestRequest, context: Context) -> pb.TestSession:
        canonical_uuid(request.request_id, "request_id")
        return _shown(await self._sittings.finish_test(caller(context), *session_in(request.name)), context)

    async def ListTestSessions(self, request: pb.ListTestSessionsRequest, context: Context) -> pb.ListTestSessionsResponse:
        learner = id_in(request.parent, "learners", "parent")
        page = await self._sittings.list_sessions(caller(context), learner, page_request(request.page_size, request.page_token))
        found = [_shown(each, context) for each in page.elements]
        return pb.ListTestSessionsResponse(test_sessions=found, next_page_token=next_token(page))


def _shown(view: SessionView, context: Context) -> pb.TestSession:
    return session_message(view, selections=caller(context).may_see_others())
