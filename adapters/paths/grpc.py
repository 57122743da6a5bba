"""The catalog as the source of graphs, progress as the source of mastery."""

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final

from paideia.catalog.v1.catalog_service_pb2 import GetPublicationRequest
from paideia.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub
from paideia.progress.v1.progress_service_pb2 import GetMasteryRequest
from paideia.progress.v1.progress_service_pb2_grpc import ProgressServiceStub

from adapters.shared.grpc import Channels
from domain.paths.effort import Mastery
from domain.paths.graph import CourseGraph, CourseSkill
from domain.paths.model import CourseNotPublished, LearnerMastery
from domain.paths.ports import CourseGraphs, MasterySource
from domain.shared.clock import Clock
from domain.shared.errors import NotFound

MOST_GRAPHS: Final = 256
# A plan from a publication that is this much behind is put right when the news of the next one comes in.
FRESH: Final = timedelta(seconds=10)


class GrpcCourseGraphs(CourseGraphs):
    """Remembers the graphs used last, each for ten seconds."""

    def __init__(self, channels: Channels, clock: Clock) -> None:
        self._channels = channels
        self._clock = clock
        self._graphs: OrderedDict[tuple[str, str], tuple[datetime, CourseGraph]] = OrderedDict()

    async def newest(self, organization: str, course: str, at_least: int = 0) -> CourseGraph:
        now = self._clock()
        remembered = self._graphs.get((organization, course))
        if remembered and now - remembered[0] < FRESH and remembered[1].number >= at_least:
            return remembered[1]
        graph = await self._fetched(organization, course)
        self._graphs[organization, course] = (now, graph)
        self._graphs.move_to_end((organization, course))
        if len(self._graphs) > MOST_GRAPHS:
            self._graphs.popitem(last=False)
        return graph

    async def _fetched(self, organization: str, course: str) -> CourseGraph:
        stub = self._channels.stub(CatalogServiceStub, "catalog")
        request = GetPublicationRequest(course=f"courses/{course}")
        try:
            answer = await self._channels.call("catalog", stub.GetPublication, request, organization)
        except NotFound:
            raise CourseNotPublished(f"course {course} has no publication") from None
        skills = (
            CourseSkill(_bare(each.skill), each.title, tuple(_bare(before) for before in each.prerequisites))
            for each in answer.skills
        )
        return CourseGraph(course, answer.number, {each.id: each for each in skills})


class GrpcMasteries(MasterySource):
    def __init__(self, channels: Channels) -> None:
        self._channels = channels

    async def of(self, organization: str, learner: str) -> LearnerMastery:
        stub = self._channels.stub(ProgressServiceStub, "progress")
        answer = await self._channels.call(
            "progress", stub.GetMastery, GetMasteryRequest(learner=f"learners/{learner}"), organization
        )
        skills = {each.name.rpartition("/")[2]: Mastery(each.mean, each.lower, each.upper) for each in answer.skills}
        return LearnerMastery(answer.attempt_count, skills)


def _bare(name: str) -> str:
    return name.partition("/")[2]
