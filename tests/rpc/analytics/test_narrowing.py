"""Reports and exports for teachers who see their classes only: of Ada and Bob, as far as the figures go, too."""

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError
from paideia.analytics.v1 import analytics_service_pb2 as pb

from services.shared.sights import Sight, Sights
from tests.rpc.analytics.conftest import Analytics, answered, decision, session
from tests.rpc.analytics.test_reports import REPORTS, request


class Classes:
    """What each teacher sees; it may change."""

    def __init__(self) -> None:
        self.seen = {"grace": frozenset({"ada", "bob"}), "tom": frozenset({"cy"}), "new": frozenset()}

    async def of(self, organization: str, user: str) -> Sight:
        return Sight(self.seen[user])


@pytest.fixture
def sights() -> Sights:
    return Classes()


@pytest.fixture
async def school(analytics: Analytics) -> Analytics:
    for number, learner in enumerate(("ada", "bob", "cy", "dee")):
        await analytics.log(
            answered(2 * number, learner, "i1", bool(number % 2), choices=["a"]),
            answered(2 * number + 1, learner, "i2", True, minutes=3),
            session(f"s-{learner}", False, number, learner),
            decision(f"d{number}", learner, "i1"),
        )
    return analytics


@pytest.mark.parametrize("method", REPORTS)
async def test_each_report_is_that_of_the_learners_whom_the_teacher_sees(school: Analytics, method: str) -> None:
    narrowed = await school(method, request(method), "grace")
    named = await school(method, request(method, learners=["learners/ada", "learners/bob"]), "ann", "ADMIN")
    everybody = await school(method, request(method), "ann", "ADMIN")
    assert narrowed == named
    assert narrowed != everybody


@pytest.mark.parametrize("method", REPORTS)
async def test_a_teacher_without_learners_gets_an_empty_report_not_everybodys(school: Analytics, method: str) -> None:
    empty = await school(method, request(method), "new")
    assert empty == await school(method, request(method, learners=["learners/none"]), "ann", "ADMIN")


@pytest.mark.parametrize("method", [*REPORTS, "GetLearnerReport", "CreateExport"])
async def test_naming_a_learner_whom_the_teacher_does_not_see_is_not_found(school: Analytics, method: str) -> None:
    fields = {"learner": "learners/cy"} if method == "GetLearnerReport" else {"learners": ["learners/ada", "learners/cy"]}
    if method == "CreateExport":
        fields |= {
            "request_id": "8f14e45f-ceea-467f-a8c5-8a3f6b1d2c3e",
            "kind": "REPORT_KIND_LEARNERS",
            "format": "EXPORT_FORMAT_CSV",
        }
    with pytest.raises(AioRpcError) as refusal:
        await school(method, request(method, **fields), "grace")
    assert refusal.value.code() is StatusCode.NOT_FOUND


async def exported(school: Analytics, user: str, *roles: str) -> pb.Export:
    wanted = request("CreateExport", kind="REPORT_KIND_LEARNERS", format="EXPORT_FORMAT_CSV")
    made = await school("CreateExport", wanted, user, *roles)
    assert await school.container.write_export()()
    return made


async def test_an_export_holds_the_learners_whom_its_teacher_sees_and_is_theirs_alone(school: Analytics, sights: Classes) -> None:
    made = await exported(school, "grace")
    all_of_it = await exported(school, "ann", "ADMIN")
    got = await school("GetExport", pb.GetExportRequest(name=made.name), "grace")
    lines = school.files.kept[got.download_uri].decode().splitlines()
    assert [each.split(",")[0] for each in lines[1:]] == ["ada", "bob"]
    for name, user in ((made.name, "tom"), (all_of_it.name, "grace"), (all_of_it.name, "new")):
        with pytest.raises(AioRpcError) as refusal:
            await school("GetExport", pb.GetExportRequest(name=name), user)
        assert refusal.value.code() is StatusCode.NOT_FOUND
    listed = {user: await school("ListExports", pb.ListExportsRequest(), user) for user in ("grace", "tom")}
    assert [[each.name for each in listed[user].exports] for user in ("grace", "tom")] == [[made.name], []]
    assert len((await school("ListExports", pb.ListExportsRequest(), "ann", "ADMIN")).exports) == 2
    # Bob has left the class: the file that holds him is out of reach.
    sights.seen["grace"] = frozenset({"ada"})
    with pytest.raises(AioRpcError):
        await school("GetExport", pb.GetExportRequest(name=made.name), "grace")


async def test_a_teacher_of_nobody_exports_nobody(school: Analytics) -> None:
    made = await exported(school, "new")
    got = await school("GetExport", pb.GetExportRequest(name=made.name), "new")
    assert len(school.files.kept[got.download_uri].decode().splitlines()) == 1
