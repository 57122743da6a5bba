from math import inf, nan
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.struct_pb2 import Struct
from grpc import StatusCode
from paideia.scheduler.v1 import policies_pb2 as pb
from paideia.scheduler.v1 import scheduler_service_pb2 as service_pb
from prometheus_client import REGISTRY

from domain.scheduler.follow_up import shadow_id
from tests.rpc.scheduler.making import next_items
from tests.rpc.scheduler.test_scheduler import code_of, fields_of
from tests.unit.scheduler.making import ID

SHADOW, CANARY, LIVE, RETIRED = pb.POLICY_STAGE_SHADOW, pb.POLICY_STAGE_CANARY, pb.POLICY_STAGE_LIVE, pb.POLICY_STAGE_RETIRED
DEFINITION = {
    "model_version": "ability-mastery-1",
    "arms": [{"name": "practice", "weights": {"growth": 0.5, "challenge": 0.5}, "temperature": 0}],
    "recency": 5,
}
ROOT = ("root", "ADMIN")


def create(name: str = "next", **changes: Any) -> pb.CreatePolicyRequest:
    fields = {"course": changes.pop("course", ""), "description": changes.pop("description", "")}
    definition = ParseDict(changes.pop("definition", DEFINITION), Struct())
    usual = {"request_id": str(uuid4()), "policy_id": name, "policy": pb.Policy(definition=definition, **fields)}
    return pb.CreatePolicyRequest(**usual | changes)


def stage(to: int, policy: str = "next", **changes: Any) -> pb.StagePolicyRequest:
    return pb.StagePolicyRequest(**{"request_id": str(uuid4()), "name": f"policies/{policy}", "stage": to} | changes)


def roll_back(name: str = "next", **changes: Any) -> pb.RollBackPolicyRequest:
    return pb.RollBackPolicyRequest(**{"request_id": str(uuid4()), "name": f"policies/{name}"} | changes)


def get(name: str = "next") -> pb.GetPolicyRequest:
    return pb.GetPolicyRequest(name=f"policies/{name}")


async def live(scheduler: Any, name: str = "next") -> pb.Policy:
    await scheduler("CreatePolicy", create(name), *ROOT)
    await scheduler("StagePolicy", stage(SHADOW, name), *ROOT)
    await scheduler("StagePolicy", stage(CANARY, name, share=0.5), *ROOT)
    return await scheduler("StagePolicy", stage(LIVE, name), *ROOT)


async def test_a_policy_is_created_as_a_draft_with_its_whole_definition(scheduler) -> None:
    made = await scheduler("CreatePolicy", create(course="courses/sql", description="No review."), *ROOT)
    assert (made.name, made.course, made.description) == ("policies/next", "courses/sql", "No review.")
    assert (made.stage, made.share, made.built_in, made.etag) == (pb.POLICY_STAGE_DRAFT, 0.0, False, "1")
    definition = MessageToDict(made.definition)
    assert definition["version"] == "next"
    assert definition["recency"] == 5
    assert definition["arms"][0]["weights"]["growth"] == 0.5
    assert definition["met_mean"] == 0.8
    read = await scheduler("GetPolicy", get(), "tess", "TEACHER")
    assert [(each.stage, each.user) for each in read.changes] == [(pb.POLICY_STAGE_DRAFT, "users/root")]
    read.ClearField("changes")
    assert read == made


async def test_what_was_read_can_be_created_again_under_another_id(scheduler) -> None:
    made = await scheduler("CreatePolicy", create(), *ROOT)
    made.definition.fields.pop("version")
    again = await scheduler("CreatePolicy", create("again", definition=MessageToDict(made.definition)), *ROOT)
    assert MessageToDict(again.definition) == MessageToDict(made.definition) | {"version": "again"}


async def test_a_policy_goes_live_decides_and_is_rolled_back(scheduler) -> None:
    assert (await live(scheduler)).replaced == ""
    answer = await scheduler("NextItems", next_items())
    decision = await scheduler("GetDecision", service_pb.GetDecisionRequest(name=answer.decision), "tess", "TEACHER")
    assert decision.policy_version == "next"
    assert (await live(scheduler, "third")).replaced == "policies/next"
    rolled = await scheduler("RollBackPolicy", roll_back("third"), *ROOT)
    assert (rolled.retired.name, rolled.retired.stage) == ("policies/third", RETIRED)
    assert (rolled.live.name, rolled.live.stage) == ("policies/next", LIVE)
    rolled = await scheduler("RollBackPolicy", roll_back("next"), *ROOT)
    assert not rolled.HasField("live")
    answer = await scheduler("NextItems", next_items(request_id=str(uuid4())))
    decision = await scheduler("GetDecision", service_pb.GetDecisionRequest(name=answer.decision), "tess", "TEACHER")
    assert decision.policy_version == "practice-2"


async def test_a_policy_of_whole_numbers_with_a_bandit_decides(scheduler) -> None:
    belief = {"mean": [0] * 6, "covariance": [[int(row == column) for column in range(6)] for row in range(6)], "noise": 1}
    arms = [{"name": name, "weights": {name: 1}, "temperature": 1} for name in ("growth", "challenge")]
    bandit = {"kind": "thompson", "posteriors": [belief, belief]}
    request = create(
        "whole", definition={"model_version": "ability-mastery-1", "arms": arms, "bandit": bandit, "novelty_days": 7}
    )
    await scheduler("CreatePolicy", request, *ROOT)
    await scheduler("StagePolicy", stage(SHADOW, "whole", share=1), *ROOT)
    await scheduler("NextItems", next_items())
    await scheduler.container.follow_up().work_off()
    name = f"decisions/{shadow_id(ID, 'whole')}"
    silent = await scheduler("GetDecision", service_pb.GetDecisionRequest(name=name), "tess", "TEACHER")
    assert [each.probability for each in silent.arms] == pytest.approx([0.5, 0.5])
    assert len(silent.choices) == 2


async def test_a_shadow_is_recorded_and_never_served(scheduler) -> None:
    await scheduler("CreatePolicy", create("silent"), *ROOT)
    await scheduler("StagePolicy", stage(SHADOW, "silent", share=1.0), *ROOT)
    answer = await scheduler("NextItems", next_items())
    await scheduler.container.follow_up().work_off()
    served = await scheduler("GetDecision", service_pb.GetDecisionRequest(name=answer.decision), "tess", "TEACHER")
    name = f"decisions/{shadow_id(ID, 'silent')}"
    silent = await scheduler("GetDecision", service_pb.GetDecisionRequest(name=name), "tess", "TEACHER")
    assert (served.policy_version, served.shadow_of) == ("practice-2", "")
    assert (silent.policy_version, silent.shadow_of) == ("silent", answer.decision)
    assert len(silent.choices) == len(served.choices) == 2


async def test_what_a_policy_decided_is_made_again_when_it_is_retired(scheduler) -> None:
    await live(scheduler)
    await scheduler("CreatePolicy", create("silent", definition=DEFINITION | {"recency": 7}), *ROOT)
    await scheduler("StagePolicy", stage(SHADOW, "silent", share=1.0), *ROOT)
    await scheduler("NextItems", next_items())
    await scheduler.container.follow_up().work_off()
    await scheduler("RollBackPolicy", roll_back(), *ROOT)
    await scheduler("StagePolicy", stage(RETIRED, "silent"), *ROOT)
    for decision, policy in ((ID, "next"), (shadow_id(ID, "silent"), "silent")):
        request = service_pb.ReplayDecisionRequest(name=f"decisions/{decision}")
        again = await scheduler("ReplayDecision", request, "tess", "TEACHER")
        assert again.identical, again
        assert again.replayed.policy_version == policy


async def test_decisions_are_counted_by_policy_and_stage(scheduler) -> None:
    def counted(policy: str, stage: str) -> float:
        return REGISTRY.get_sample_value("paideia_decisions_total", {"policy": policy, "stage": stage}) or 0.0

    await scheduler("CreatePolicy", create("counted"), *ROOT)
    await scheduler("StagePolicy", stage(SHADOW, "counted", share=1.0), *ROOT)
    before = counted("practice-2", "live"), counted("counted", "shadow")
    await scheduler("NextItems", next_items())
    await scheduler.container.follow_up().work_off()
    assert (counted("practice-2", "live"), counted("counted", "shadow")) == (before[0] + 1, before[1] + 1)


async def test_the_built_in_policy_can_be_read_and_not_changed(scheduler) -> None:
    found = await scheduler("GetPolicy", get("practice-2"), "tess", "TEACHER")
    assert (found.built_in, found.stage) == (True, LIVE)
    assert await code_of(scheduler("CreatePolicy", create("practice-2"), *ROOT)) is StatusCode.ALREADY_EXISTS
    for method, message in (("StagePolicy", stage(RETIRED, "practice-2")), ("RollBackPolicy", roll_back("practice-2"))):
        assert await code_of(scheduler(method, message, *ROOT)) is StatusCode.FAILED_PRECONDITION


async def test_lists_come_in_pages_with_the_built_in_policy_first(scheduler) -> None:
    for name in ("c", "a", "b"):
        await scheduler("CreatePolicy", create(name), *ROOT)
    first = await scheduler("ListPolicies", pb.ListPoliciesRequest(page_size=2), "tess", "TEACHER")
    assert [each.name for each in first.policies] == ["policies/practice-2", "policies/a", "policies/b"]
    last = await scheduler("ListPolicies", pb.ListPoliciesRequest(page_token=first.next_page_token), "tess", "TEACHER")
    assert ([each.name for each in last.policies], last.next_page_token) == (["policies/c"], "")


async def test_repeats_return_the_first_answer(scheduler) -> None:
    creation, staging = create(), stage(SHADOW, share=0.2)
    made = await scheduler("CreatePolicy", creation, *ROOT)
    shadow = await scheduler("StagePolicy", staging, *ROOT)
    await scheduler("StagePolicy", stage(CANARY, share=0.2), *ROOT)
    await scheduler("StagePolicy", stage(LIVE), *ROOT)
    rolling = roll_back()
    rolled = await scheduler("RollBackPolicy", rolling, *ROOT)
    assert await scheduler("CreatePolicy", creation, *ROOT) == made
    assert await scheduler("StagePolicy", staging, *ROOT) == shadow
    assert await scheduler("RollBackPolicy", rolling, *ROOT) == rolled
    for method, message in (
        ("CreatePolicy", create("other", request_id=creation.request_id)),
        ("StagePolicy", stage(SHADOW, share=0.3, request_id=staging.request_id)),
        ("RollBackPolicy", roll_back(request_id=staging.request_id)),
    ):
        assert await code_of(scheduler(method, message, *ROOT)) is StatusCode.ALREADY_EXISTS


async def test_an_etag_that_is_not_the_current_one_is_refused(scheduler) -> None:
    made = await scheduler("CreatePolicy", create(), *ROOT)
    await scheduler("StagePolicy", stage(SHADOW, etag=made.etag), *ROOT)
    assert await code_of(scheduler("StagePolicy", stage(RETIRED, etag=made.etag), *ROOT)) is StatusCode.ABORTED


async def test_illegal_moves_are_refused(scheduler) -> None:
    await scheduler("CreatePolicy", create(), *ROOT)
    for message in (stage(CANARY, share=0.1), stage(LIVE), stage(pb.POLICY_STAGE_DRAFT)):
        assert await code_of(scheduler("StagePolicy", message, *ROOT)) is StatusCode.FAILED_PRECONDITION
    assert await code_of(scheduler("RollBackPolicy", roll_back(), *ROOT)) is StatusCode.FAILED_PRECONDITION


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"request_id": ""}, "request_id"),
        ({"policy_id": ""}, "policy_id"),
        ({"policy_id": "a/b"}, "policy_id"),
        ({"policy_id": "x" * 129}, "policy_id"),
        ({"course": "sql"}, "policy.course"),
        ({"description": "x" * 1_001}, "policy.description"),
        ({"definition": {}}, "policy.definition.arms"),
        ({"definition": DEFINITION | {"version": "other"}}, "policy.definition.version"),
        ({"definition": DEFINITION | {"recency": 2.5}}, "policy.definition.recency"),
        ({"definition": DEFINITION | {"met_mean": "much"}}, "policy.definition.met_mean"),
        (
            {"definition": DEFINITION | {"arms": [{"name": "a", "weights": {"review": 2}}]}},
            "policy.definition.arms[0].weights.review",
        ),
        ({"definition": DEFINITION | {"note": "x" * 200_000}}, "policy.definition"),
    ],
)
async def test_create_refuses_a_wrong_field_by_its_name(scheduler, changes: dict[str, Any], field: str) -> None:
    assert await fields_of(scheduler("CreatePolicy", create(**changes), *ROOT)) == {field}


@pytest.mark.parametrize("number", [nan, inf, -inf])
async def test_create_refuses_what_is_no_number(scheduler, number: float) -> None:
    message = create()
    message.policy.definition.fields["met_mean"].number_value = number
    assert await fields_of(scheduler("CreatePolicy", message, *ROOT)) == {"policy.definition"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"request_id": "1"}, "request_id"),
        ({"name": "next"}, "name"),
        ({"stage": pb.POLICY_STAGE_UNSPECIFIED}, "stage"),
        ({"stage": 17}, "stage"),
        ({"share": nan}, "share"),
        ({"share": 1.5}, "share"),
        ({"share": -0.5}, "share"),
        ({"etag": "newest"}, "etag"),
        ({"etag": "٣"}, "etag"),
    ],
)
async def test_stage_refuses_a_wrong_field_by_its_name(scheduler, changes: dict[str, Any], field: str) -> None:
    await scheduler("CreatePolicy", create(), *ROOT)
    assert await fields_of(scheduler("StagePolicy", stage(SHADOW, **changes), *ROOT)) == {field}


async def test_another_organization_does_not_exist(scheduler) -> None:
    await live(scheduler)
    south = scheduler.calls.as_("south", "root", "ADMIN")
    for method, message in (("GetPolicy", get()), ("StagePolicy", stage(RETIRED)), ("RollBackPolicy", roll_back())):
        assert await code_of(getattr(scheduler.stub, method)(message, metadata=south)) is StatusCode.NOT_FOUND
    listed = await scheduler.stub.ListPolicies(pb.ListPoliciesRequest(), metadata=south)
    assert [each.name for each in listed.policies] == ["policies/practice-2"]


@pytest.mark.parametrize("role", ["LEARNER", "AUTHOR", "TEACHER"])
async def test_only_administrators_change_policies_and_only_teachers_read_them(scheduler, role: str) -> None:
    for method, message in (("CreatePolicy", create()), ("StagePolicy", stage(SHADOW)), ("RollBackPolicy", roll_back())):
        assert await code_of(scheduler(method, message, "ada", role)) is StatusCode.PERMISSION_DENIED
    for method, message in (("GetPolicy", get("practice-2")), ("ListPolicies", pb.ListPoliciesRequest())):
        if role == "TEACHER":
            assert await scheduler(method, message, "ada", role)
        else:
            assert await code_of(scheduler(method, message, "ada", role)) is StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize("size", [-1, -(2**31)])
async def test_list_refuses_a_negative_page_and_a_made_up_token(scheduler, size: int) -> None:
    assert await fields_of(scheduler("ListPolicies", pb.ListPoliciesRequest(page_size=size), *ROOT)) == {"page_size"}
    assert await fields_of(scheduler("ListPolicies", pb.ListPoliciesRequest(page_token="!"), *ROOT)) == {"page_token"}
