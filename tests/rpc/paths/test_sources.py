"""The adapters that call the catalog and progress, against servers of those contracts."""

import pytest
from paideia.catalog.v1 import catalog_service_pb2
from paideia.catalog.v1.catalog_service_pb2_grpc import CatalogServiceServicer, add_CatalogServiceServicer_to_server
from paideia.progress.v1 import progress_service_pb2
from paideia.progress.v1.progress_service_pb2_grpc import ProgressServiceServicer, add_ProgressServiceServicer_to_server

from adapters.paths.grpc import FRESH, GrpcCourseGraphs, GrpcMasteries
from adapters.shared.grpc import Channels
from domain.paths.effort import Mastery
from domain.paths.graph import CourseGraph, CourseSkill
from domain.paths.model import CourseNotPublished, LearnerMastery
from domain.shared.clock import system_clock
from domain.shared.errors import NotFound, Unavailable
from services.shared.call import caller
from tests.rpc.serving import MESH_KEY, serving
from tests.stores import free_port
from tests.unit.paths.making import NOW


class Catalog(CatalogServiceServicer):
    """Has one course, in one organization."""

    number = 7
    calls = 0

    async def GetPublication(self, request, context):
        self.calls += 1
        if request.course != "courses/maths" or caller(context).organization != "north":
            raise NotFound("no publication")
        skills = [
            catalog_service_pb2.PublishedSkill(skill="skills/a", title="A"),
            catalog_service_pb2.PublishedSkill(skill="skills/b", title="B", prerequisites=["skills/a"]),
        ]
        return catalog_service_pb2.Publication(course=request.course, number=self.number, skills=skills)


class Progress(ProgressServiceServicer):
    async def GetMastery(self, request, context):
        if request.learner != "learners/ada":
            return progress_service_pb2.Mastery(learner=request.learner)
        row = progress_service_pb2.SkillMastery(name="learners/ada/skills/a", mean=0.5, lower=0.25, upper=0.75)
        return progress_service_pb2.Mastery(learner=request.learner, skills=[row], attempt_count=12)


async def test_a_graph_comes_with_bare_ids_and_is_remembered_for_a_while() -> None:
    catalog, now = Catalog(), [NOW]
    async with serving(lambda server: add_CatalogServiceServicer_to_server(catalog, server)) as calls:
        channels = Channels({"catalog": calls.address}, MESH_KEY, "paths", system_clock)
        graphs = GrpcCourseGraphs(channels, lambda: now[0])
        first = await graphs.newest("north", "maths")
        assert first == CourseGraph("maths", 7, {"a": CourseSkill("a", "A"), "b": CourseSkill("b", "B", ("a",))})
        assert await graphs.newest("north", "maths", at_least=7) is first
        assert catalog.calls == 1
        catalog.number = 8
        assert (await graphs.newest("north", "maths", at_least=8)).number == 8
        catalog.number = 9
        now[0] += FRESH
        assert (await graphs.newest("north", "maths")).number == 9
        for organization, course in (("north", "latin"), ("south", "maths")):
            with pytest.raises(CourseNotPublished):
                await graphs.newest(organization, course)
        await channels.close()


async def test_mastery_comes_with_the_number_of_the_newest_attempt() -> None:
    async with serving(lambda server: add_ProgressServiceServicer_to_server(Progress(), server)) as calls:
        channels = Channels({"progress": calls.address}, MESH_KEY, "paths", system_clock)
        masteries = GrpcMasteries(channels)
        assert await masteries.of("north", "ada") == LearnerMastery(12, {"a": Mastery(0.5, 0.25, 0.75)})
        assert await masteries.of("north", "bob") == LearnerMastery(0, {})
        await channels.close()


async def test_a_source_that_is_away_is_told_as_such() -> None:
    away = f"127.0.0.1:{free_port()}"
    channels = Channels({"catalog": away, "progress": away}, MESH_KEY, "paths", system_clock)
    with pytest.raises(Unavailable):
        await GrpcCourseGraphs(channels, lambda: NOW).newest("north", "maths")
    with pytest.raises(Unavailable):
        await GrpcMasteries(channels).of("north", "ada")
    await channels.close()
