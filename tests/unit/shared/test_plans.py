"""Plans, their limits, and what a caller over one is told."""

from datetime import timedelta

import pytest
from google.rpc import error_details_pb2
from grpc import StatusCode
from hypothesis import given
from hypothesis import strategies as st

from domain.shared.errors import QuotaReached
from domain.shared.plans import LIMITS, Plan, Quota, check_room, limit_of, plan_named
from services.shared.errors import code_of, status_of, trailers_of


def test_every_quota_has_a_limit_in_every_plan_and_a_larger_plan_allows_more() -> None:
    assert set(LIMITS) == set(Quota)
    for quota in Quota:
        trial, standard, large = (limit_of(quota, plan) for plan in (Plan.TRIAL, Plan.STANDARD, Plan.LARGE))
        assert 0 < trial < standard < large


@given(st.sampled_from(Plan), st.sampled_from(Quota), st.integers(0, 3_000_000), st.integers(0, 2_000))
def test_there_is_room_exactly_up_to_the_limit(plan: Plan, quota: Quota, used: int, more: int) -> None:
    fits = more == 0 or used + more <= limit_of(quota, plan)
    try:
        check_room(plan, quota, used, more)
    except QuotaReached:
        assert not fits
    else:
        assert fits


@pytest.mark.parametrize("name", [None, "", "gold", "STANDARD", 7])
def test_a_plan_that_nobody_knows_is_the_standard_one(name: object) -> None:
    assert plan_named(name) is Plan.STANDARD


def refusal(retry_after: timedelta | None = None) -> QuotaReached:
    with pytest.raises(QuotaReached) as refused:
        check_room(Plan.TRIAL, Quota.EXPORTS_A_DAY, 5, retry_after=retry_after)
    return refused.value


def test_a_refusal_names_the_quota_its_limit_and_whom_to_ask() -> None:
    refused = refusal()
    assert code_of(refused) is StatusCode.RESOURCE_EXHAUSTED
    info, failure = error_details_pb2.ErrorInfo(), error_details_pb2.QuotaFailure()
    details = status_of(refused).details
    assert details[0].Unpack(info)
    assert details[1].Unpack(failure)
    assert len(details) == 2
    assert (info.reason, dict(info.metadata)) == ("QUOTA_REACHED", {"quota": "exports_a_day", "limit": "5", "plan": "trial"})
    assert failure.violations[0].subject == "quotas/exports_a_day"
    assert "5 exports a day" in failure.violations[0].description
    assert "administrator" in refused.message
    assert "retry-after" not in dict(trailers_of(refused))


def test_a_refusal_says_when_there_is_room_if_there_will_be() -> None:
    assert dict(trailers_of(refusal(timedelta(minutes=2))))["retry-after"] == "120"
