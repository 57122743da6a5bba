"""Progress's gRPC face: messages in, use case, message out."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from grpc.aio import ServicerContext
from paideia.progress.v1 import events_pb2
from paideia.progress.v1 import progress_service_pb2 as pb
from paideia.progress.v1.progress_service_pb2_grpc import ProgressServiceServicer

from domain.progress.model import ProgressUpdated
from domain.progress.use_cases.get_attempt import GetAttempt
from domain.progress.use_cases.get_mastery import GetMastery
from domain.progress.use_cases.get_model_version import GetModelVersion
from domain.progress.use_cases.get_skill_mastery import GetSkillMastery
from domain.progress.use_cases.list_attempts import ListAttempts
from domain.progress.use_cases.list_model_versions import ListModelVersions
from domain.progress.use_cases.list_skill_masteries import ListSkillMasteries
from domain.progress.use_cases.recompute_mastery import RecomputeMastery
from domain.progress.versions import ModelVersion
from domain.shared.errors import InvalidInput
from domain.shared.ids import canonical_uuid
from domain.shared.trace import current_traceparent
from services.progress import messages
from services.progress.group_commit import Record
from services.progress.recording import record_events
from services.shared.call import caller, learners_seen
from services.shared.names import id_in, ids_in
from services.shared.paging import next_token, page_request
from services.shared.times import when

MOST_EVENTS = 1_000


@dataclass(frozen=True, slots=True)
class ProgressUseCases:
    """What progress can do."""

    get_mastery: GetMastery
    get_skill_mastery: GetSkillMastery
    get_attempt: GetAttempt
    list_attempts: ListAttempts
    list_skill_masteries: ListSkillMasteries
    recompute_mastery: RecomputeMastery
    get_model_version: GetModelVersion
    list_model_versions: ListModelVersions


class ProgressServicer(ProgressServiceServicer):
    """`update_message` is how an update goes on the wire: the caller is told exactly what the log is."""

    def __init__(
        self, record: Record, use_cases: ProgressUseCases, update_message: Callable[[ProgressUpdated], events_pb2.ProgressUpdated]
    ) -> None:
        self._record = record
        self._use = use_cases
        self._update_message = update_message

    async def RecordAttempts(
        self,
        request: pb.RecordAttemptsRequest,
        context: ServicerContext[pb.RecordAttemptsRequest, pb.RecordAttemptsResponse],
    ) -> pb.RecordAttemptsResponse:
        if not 1 <= len(request.events) <= MOST_EVENTS:
            raise InvalidInput.of("events", f"must be 1 to {MOST_EVENTS:,}")
        trace = current_traceparent.get()
        outcomes = await record_events(self._record, caller(context).organization, [(each, trace) for each in request.events])
        return pb.RecordAttemptsResponse(
            outcomes=[
                pb.RecordOutcome(
                    verdict=messages.VERDICTS[each.verdict],
                    update=self._update_message(each.update) if each.update else None,
                    reason=each.reason,
                )
                for each in outcomes
            ]
        )

    async def GetMastery(
        self, request: pb.GetMasteryRequest, context: ServicerContext[pb.GetMasteryRequest, pb.Mastery]
    ) -> pb.Mastery:
        learner = id_in(request.learner, "learners", "learner")
        return messages.mastery_message(await self._use.get_mastery(caller(context), learner, _as_of(request)))

    async def GetSkillMastery(
        self, request: pb.GetSkillMasteryRequest, context: ServicerContext[pb.GetSkillMasteryRequest, pb.SkillMastery]
    ) -> pb.SkillMastery:
        learner, skill = ids_in(request.name, ("learners", "skills"))
        mastery, evidence = await self._use.get_skill_mastery(caller(context), learner, skill, _as_of(request))
        message = messages.skill_mastery_message(mastery)
        message.evidence.extend(map(messages.evidence_message, evidence))
        return message

    async def GetAttempt(
        self, request: pb.GetAttemptRequest, context: ServicerContext[pb.GetAttemptRequest, pb.Attempt]
    ) -> pb.Attempt:
        learner, attempt = ids_in(request.name, ("learners", "attempts"))
        found = await self._use.get_attempt(caller(context), learner, canonical_uuid(attempt, "name"))
        return messages.attempt_message(found)

    async def ListAttempts(
        self, request: pb.ListAttemptsRequest, context: ServicerContext[pb.ListAttemptsRequest, pb.ListAttemptsResponse]
    ) -> pb.ListAttemptsResponse:
        learner = None if request.parent == "learners/-" else id_in(request.parent, "learners", "parent")
        course = id_in(request.course, "courses", "course") if request.course else None
        wanted = page_request(request.page_size, request.page_token)
        page = await self._use.list_attempts(caller(context), learner, course, wanted)
        return pb.ListAttemptsResponse(
            attempts=[messages.attempt_message(each) for each in page.elements], next_page_token=next_token(page)
        )

    async def ListSkillMasteries(
        self,
        request: pb.ListSkillMasteriesRequest,
        context: ServicerContext[pb.ListSkillMasteriesRequest, pb.ListSkillMasteriesResponse],
    ) -> pb.ListSkillMasteriesResponse:
        course = id_in(request.course, "courses", "course")
        wanted = page_request(request.page_size, request.page_token)
        seen = await learners_seen(context)
        page = await self._use.list_skill_masteries(caller(context), course, wanted, _as_of(request), seen)
        return pb.ListSkillMasteriesResponse(
            masteries=[messages.skill_mastery_message(each) for each in page.elements], next_page_token=next_token(page)
        )

    async def RecomputeMastery(
        self,
        request: pb.RecomputeMasteryRequest,
        context: ServicerContext[pb.RecomputeMasteryRequest, pb.RecomputeMasteryResponse],
    ) -> pb.RecomputeMasteryResponse:
        learner = id_in(request.learner, "learners", "learner")
        if (order := messages.ORDERS.get(request.order)) is None:
            raise InvalidInput.of("order", "must be ATTEMPT_ORDER_COUNTED or ATTEMPT_ORDER_OCCURRED, or left out")
        return messages.recomputed_message(
            await self._use.recompute_mastery(caller(context), learner, order, request.validate_only)
        )

    async def GetModelVersion(
        self, request: pb.GetModelVersionRequest, context: ServicerContext[pb.GetModelVersionRequest, pb.ModelVersion]
    ) -> pb.ModelVersion:
        collection, _, version = request.name.partition("/")
        if collection != "modelVersions" or not version:
            raise InvalidInput.of("name", "must be a name of the form modelVersions/{model_version}")
        return self._version_message(await self._use.get_model_version(version))

    async def ListModelVersions(
        self,
        request: pb.ListModelVersionsRequest,
        context: ServicerContext[pb.ListModelVersionsRequest, pb.ListModelVersionsResponse],
    ) -> pb.ListModelVersionsResponse:
        page = await self._use.list_model_versions(page_request(request.page_size, request.page_token))
        return pb.ListModelVersionsResponse(
            model_versions=[self._version_message(each) for each in page.elements], next_page_token=next_token(page)
        )

    def _version_message(self, version: ModelVersion) -> pb.ModelVersion:
        return messages.model_version_message(version, self._use.get_model_version.models.live)


def _as_of(request: pb.GetMasteryRequest | pb.GetSkillMasteryRequest | pb.ListSkillMasteriesRequest) -> datetime | None:
    return when(request.as_of, "as_of") if request.HasField("as_of") else None
