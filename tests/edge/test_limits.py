"""Too fast: who is limited, and that nobody else is."""

from collections.abc import Iterator

import grpc
import httpx
import pytest
from paideia.catalog.v1.catalog_service_pb2 import GetCourseRequest
from paideia.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub

from tests.edge.conftest import Front
from tests.edge.proxy import edge, eventually
from tests.edge.upstream import CONTEXTS

# So slow to fill that no test sees it happen.
LIMITS = {
    "learner": {"per_second": 1, "burst": 3},
    "staff": {"per_second": 1, "burst": 5},
    "organization": {"per_second": 1, "burst": 12},
    "organization_trial": {"per_second": 1, "burst": 4},
    "organization_large": {"per_second": 1, "burst": 24},
    "sign_in_address": {"per_second": 1, "burst": 4},
}


@pytest.fixture
def strict(front: Front, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    targets = dict.fromkeys(CONTEXTS, front.upstream.address)
    with (
        edge(tmp_path_factory.mktemp("limits"), targets, settings={"limits": LIMITS}) as before,
        httpx.Client(base_url=before.url, timeout=20) as rest,
    ):
        strict = Front(before, front.upstream, rest)
        eventually(lambda: rest.get("/v1/me", headers=strict.bearer(org="warm-up", sub="x")).status_code == 200)
        yield strict


def statuses(front: Front, count: int, **claims: object) -> list[int]:
    roles = claims.pop("roles", ["LEARNER"])
    headers = front.bearer(*roles, **claims)  # type: ignore[misc]
    return [front.rest.get("/v1/courses/sql", headers=headers).status_code for _ in range(count)]


def test_each_user_is_limited_by_what_they_are_and_no_one_else_pays(strict: Front) -> None:
    assert 429 in statuses(strict, 6, sub="fast", org="a")
    assert statuses(strict, 3, sub="slow", org="a") == [200] * 3
    # The same name in another organization is somebody else.
    assert statuses(strict, 3, sub="fast", org="b") == [200] * 3
    assert statuses(strict, 5, sub="boss", org="b", roles=["LEARNER", "ADMIN"]) == [200] * 5


def test_an_organization_is_limited_as_a_whole(strict: Front) -> None:
    outcome = [statuses(strict, 2, sub=f"user-{n}", org="crowd") for n in range(12)]
    assert [429] in [each[-1:] for each in outcome]
    assert statuses(strict, 2, sub="user-0", org="calm") == [200, 200]


def test_a_plan_says_how_much_an_organization_may_send_and_none_takes_anothers_share(strict: Front) -> None:
    def sent(plan: str, org: str) -> int:
        """How many of 30 requests of 15 users get through."""
        return sum(statuses(strict, 2, sub=f"user-{n}", org=org, plan=plan).count(200) for n in range(15))

    trial, standard, large = sent("trial", "small"), sent("standard", "middle"), sent("large", "big")
    assert 4 <= trial < standard < large
    assert 12 <= standard < 24 <= large
    # An organization of the same plan has a share of its own.
    assert statuses(strict, 2, sub="user-0", org="small-too", plan="trial") == [200, 200]
    # A token of a release without plans counts as the standard one.
    assert sent("standard", "old") >= 12
    # Who is too fast alone does not use up the share of all.
    assert statuses(strict, 30, sub="fast", org="shared").count(429) > 20
    assert statuses(strict, 3, sub="slow", org="shared") == [200] * 3
    assert statuses(strict, 3, sub="calm", org="shared") == [200] * 3


def test_a_refusal_says_when_to_try_again(strict: Front) -> None:
    headers = strict.bearer(sub="fast", org="c")
    reply = eventually(lambda: r if (r := strict.rest.get("/v1/me", headers=headers)).status_code == 429 else None)
    assert reply.headers["retry-after"] == "1"
    assert reply.json()["code"] == 8
    assert [each["@type"].rpartition(".")[2] for each in reply.json()["details"]] == ["ErrorInfo", "RetryInfo"]
    assert reply.json()["details"][1]["retryDelay"] == "1s"
    assert reply.headers["paideia-limit"] == reply.json()["details"][0]["metadata"]["limit"] == "user"
    assert "this user" in reply.json()["message"]


def test_a_refusal_says_whose_share_is_used_up(strict: Front) -> None:
    def refused_as(**claims: str) -> object:
        replies = (strict.rest.get("/v1/me", headers=strict.bearer(sub=f"u{n}", **claims)) for n in range(30))
        return next(each.json()["details"][0]["metadata"] for each in replies if each.status_code == 429)

    assert refused_as(org="loud", plan="trial") == {"limit": "organization"}
    body = {"organization": "organizations/north", "login": "ada", "password": "correct horse battery"}
    replies = [strict.rest.post("/v1/sessions:signIn", json=body) for _ in range(8)]
    assert replies[-1].json()["details"][0]["metadata"] == {"limit": "address"}


def test_signing_in_is_limited_by_address_and_leaves_users_alone(strict: Front) -> None:
    body = {"organization": "organizations/north", "login": "ada", "password": "correct horse battery"}
    outcome = [strict.rest.post("/v1/sessions:signIn", json=body) for _ in range(8)]
    assert [each.status_code for each in outcome[:4]] == [200] * 4
    assert outcome[-1].status_code == 429
    assert outcome[-1].headers["retry-after"] == "1"
    assert statuses(strict, 2, sub="other", org="d") == [200, 200]


def test_pages_are_not_limited(strict: Front) -> None:
    assert {strict.rest.get("/healthz").status_code for _ in range(30)} == {200}


async def test_a_grpc_call_gets_resource_exhausted(strict: Front) -> None:
    metadata = tuple(strict.bearer(sub="grpc", org="e").items())
    async with grpc.aio.insecure_channel(strict.edge.address) as channel:
        stub = CatalogServiceStub(channel)
        calls = [stub.GetCourse(GetCourseRequest(name="courses/sql"), metadata=metadata) for _ in range(20)]
        codes = [await call.code() for call in calls]
    assert set(codes) == {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
