from uuid import uuid4

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode
from grpc.aio import AioRpcError
from paideia.paths.v1 import paths_service_pb2 as pb

from tests.rpc.paths.conftest import Paths, override_request, path_request

OUTSIDE = "learners/ada/paths/none"


async def refused(call: object) -> AioRpcError:
    with pytest.raises(AioRpcError) as refusal:
        await call  # type: ignore[misc]
    return refusal.value


def details(error: AioRpcError) -> tuple[str, list[str]]:
    """The reason and the fields at fault."""
    encoded = next(value for key, value in error.trailing_metadata() if key == "grpc-status-details-bin")
    reason, fields = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for packed in status_pb2.Status.FromString(encoded).details:
        packed.Unpack(reason)
        packed.Unpack(fields)
    return reason.reason, [each.field for each in fields.field_violations]


def archive(name: str = "learners/ada/paths/p", etag: str = "") -> pb.ArchivePathRequest:
    return pb.ArchivePathRequest(request_id=str(uuid4()), name=name, etag=etag)


def update(*fields: str, name: str = "learners/ada/paths/p", **values: object) -> pb.UpdatePathRequest:
    return pb.UpdatePathRequest(request_id=str(uuid4()), path=pb.Path(name=name, **values), update_mask=FieldMask(paths=fields))


@pytest.mark.parametrize(
    ("fields", "at_fault"),
    [
        ({"goal_skills": ["skills/latin"]}, ["path.goal_skills[0]"]),
        ({"goal_skills": ["latin"]}, ["path.goal_skills[0]"]),
        ({"goal_skills": ["skills/add", "skills/add"]}, ["path.goal_skills"]),
        ({"due_date": "2026-08-31"}, ["path.due_date"]),
        ({"due_date": "2036-12-01"}, ["path.due_date"]),
        ({"due_date": "tomorrow"}, ["path.due_date"]),
        ({"due_date": "2026-02-30"}, ["path.due_date"]),
        ({"due_date": "20261001"}, ["path.due_date"]),
        ({"due_date": ""}, ["path.due_date"]),
        ({"minutes_per_day": 0}, ["path.minutes_per_day"]),
        ({"minutes_per_day": 10_000}, ["path.minutes_per_day"]),
        ({"minutes_per_day": -5, "target_mastery": float("nan")}, ["path.minutes_per_day", "path.target_mastery"]),
        ({"target_mastery": 0.0}, ["path.target_mastery"]),
        ({"target_mastery": float("inf")}, ["path.target_mastery"]),
        ({"title": "x" * 201}, ["path.title"]),
        ({"course": ""}, ["path.course"]),
        ({"course": "maths"}, ["path.course"]),
    ],
)
async def test_a_path_that_cannot_be_meant_is_refused_with_its_fields(paths: Paths, fields: dict, at_fault: list[str]) -> None:
    error = await refused(paths("CreatePath", path_request(**fields)))
    assert error.code() is StatusCode.INVALID_ARGUMENT
    assert details(error)[1] == at_fault


@pytest.mark.parametrize(
    ("course", "code", "reason", "words"),
    [
        ("latin", StatusCode.NOT_FOUND, "COURSE_NOT_PUBLISHED", "latin"),
        ("empty", StatusCode.FAILED_PRECONDITION, "COURSE_WITHOUT_SKILLS", "empty"),
        ("knotted", StatusCode.FAILED_PRECONDITION, "PREREQUISITES_CYCLIC", "a → b → c → a"),
    ],
)
async def test_a_course_that_cannot_be_planned_is_refused_with_the_reason(
    paths: Paths, course: str, code: StatusCode, reason: str, words: str
) -> None:
    error = await refused(paths("CreatePath", path_request(course=f"courses/{course}")))
    assert (error.code(), details(error)[0]) == (code, reason)
    assert words in (error.details() or "")


async def test_an_id_is_taken_once_and_must_be_one(paths: Paths) -> None:
    await paths("CreatePath", path_request())
    assert (await refused(paths("CreatePath", path_request()))).code() is StatusCode.ALREADY_EXISTS
    error = await refused(paths("CreatePath", path_request("no blanks")))
    assert (error.code(), details(error)[1]) == (StatusCode.INVALID_ARGUMENT, ["path_id"])


async def test_the_twenty_first_path_waits_until_one_is_archived(paths: Paths) -> None:
    for number in range(20):
        await paths("CreatePath", path_request(f"p-{number}"))
    error = await refused(paths("CreatePath", path_request("one-more")))
    assert (error.code(), details(error)[0]) == (StatusCode.FAILED_PRECONDITION, "TOO_MANY_PATHS")
    await paths("ArchivePath", archive("learners/ada/paths/p-7"))
    await paths("CreatePath", path_request("one-more"))


@pytest.mark.parametrize(
    ("method", "request_of"),
    [
        ("GetPath", lambda name: pb.GetPathRequest(name=name)),
        ("UpdatePath", lambda name: update("title", name=name, title="x")),
        ("OverrideStep", lambda name: pb.OverrideStepRequest(request_id=str(uuid4()), name=name, kind=2, skills=["skills/add"])),
        ("ArchivePath", archive),
        ("ListPathRevisions", lambda name: pb.ListPathRevisionsRequest(parent=name)),
    ],
)
async def test_only_the_organization_and_the_learner_reach_a_path(paths: Paths, method: str, request_of: object) -> None:
    await paths("CreatePath", path_request())
    name = "learners/ada/paths/p"
    for request, user, organization in (
        (request_of(OUTSIDE), ("grace", "TEACHER"), "north"),  # type: ignore[operator]
        (request_of(name), ("grace", "TEACHER"), "south"),  # type: ignore[operator]
        (request_of(name), ("bob", "LEARNER"), "north"),  # type: ignore[operator]
    ):
        error = await refused(paths(method, request, *user, organization=organization))
        assert error.code() is StatusCode.NOT_FOUND
    error = await refused(paths(method, request_of("paths/p")))  # type: ignore[operator]
    assert error.code() is StatusCode.INVALID_ARGUMENT
    error = await refused(paths(method, request_of(name), "ann", "AUTHOR"))  # type: ignore[operator]
    assert error.code() is StatusCode.PERMISSION_DENIED


async def test_a_learner_neither_plans_for_others_nor_lists_them(paths: Paths) -> None:
    assert (await refused(paths.as_ada("CreatePath", path_request(learner="bob")))).code() is StatusCode.NOT_FOUND
    assert (await refused(paths.as_ada("ListPaths", pb.ListPathsRequest(parent="learners/-")))).code() is StatusCode.NOT_FOUND


async def test_what_a_teacher_decided_is_not_the_learners_to_change(paths: Paths) -> None:
    await paths("CreatePath", path_request())
    for method, request, reason in (
        ("UpdatePath", update("due_date", due_date="2026-12-01"), "SET_BY_TEACHER"),
        ("UpdatePath", update("learner_may_skip", learner_may_skip=True), "SET_BY_TEACHER"),
        ("OverrideStep", override_request("SKIP", "sub"), "OVERRIDE_NOT_ALLOWED"),
        ("OverrideStep", override_request("PIN_FIRST", "sub"), "OVERRIDE_NOT_ALLOWED"),
        ("ArchivePath", archive(), "SET_BY_TEACHER"),
    ):
        error = await refused(paths.as_ada(method, request))
        assert (error.code(), details(error)[0]) == (StatusCode.PERMISSION_DENIED, reason)
    error = await refused(paths.as_ada("CreatePath", path_request("q", learner_may_skip=True)))
    assert error.code() is StatusCode.PERMISSION_DENIED
    assert (await paths.as_ada("UpdatePath", update("minutes_per_day", minutes_per_day=5))).minutes_per_day == 5


@pytest.mark.parametrize(
    ("request_of", "field"),
    [
        (lambda: override_request("UNSPECIFIED", "sub"), "kind"),
        (lambda: pb.OverrideStepRequest(name="learners/ada/paths/p", kind=99, skills=["skills/sub"]), "kind"),
        (lambda: override_request("SKIP"), "skills"),
        (lambda: override_request("SKIP", "sub", "add"), "skills"),
        (lambda: override_request("SKIP", "latin"), "skills[0]"),
        (lambda: override_request("ADD", "sub"), "skills[0]"),
        (lambda: override_request("LOCK_ORDER", "fractions", "add"), "skills"),
        (lambda: override_request("SKIP", "sub", note="x" * 501), "note"),
        (lambda: override_request("SKIP", "sub", etag="mine"), "etag"),
        (lambda: update("course", course="courses/latin"), "update_mask"),
        (lambda: update(), "update_mask"),
        (lambda: update("due_date"), "path.due_date"),
        (lambda: update("minutes_per_day", minutes_per_day=721), "path.minutes_per_day"),
        (lambda: update("goal_skills", goal_skills=["skills/latin"]), "path.goal_skills[0]"),
        (lambda: archive(etag="²"), "etag"),
        (lambda: pb.ListPathsRequest(parent="learners/-", page_token="WyJhIl0="), "page_token"),
        (lambda: pb.ListPathsRequest(parent="learners/-", page_size=-1), "page_size"),
        (lambda: pb.ListPathRevisionsRequest(parent="learners/ada/paths/p", page_token="WyJhIl0="), "page_token"),
    ],
)
async def test_a_request_that_cannot_be_meant_names_its_field(paths: Paths, request_of: object, field: str) -> None:
    await paths("CreatePath", path_request())
    request = request_of()  # type: ignore[operator]
    method = type(request).__name__.removesuffix("Request")
    error = await refused(paths(method, request))
    assert error.code() is StatusCode.INVALID_ARGUMENT
    assert details(error)[1] == [field]


async def test_a_date_that_passed_does_not_keep_anybody_from_changing_something_else(paths: Paths) -> None:
    await paths("CreatePath", path_request())
    paths.days_pass(60)
    changed = await paths("UpdatePath", update("minutes_per_day", minutes_per_day=60))
    assert changed.feasibility.verdict == pb.VERDICT_LATE
    assert "The date has passed" in changed.summary
