"""Plans: how much an organization may have. Which plan one has travels in its tokens, so that every context knows it without asking."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from domain.shared.errors import QuotaReached


class Plan(StrEnum):
    """What an operator gives an organization. The edge has a rate for each (`envoy/edge/settings.py`)."""

    TRIAL = "trial"
    STANDARD = "standard"
    LARGE = "large"


class Quota(StrEnum):
    """What is counted. Deactivated people, disabled programs and archived classes are not."""

    PEOPLE = "people"
    CLASSES = "classes"
    PROGRAMS = "programs"
    COURSES = "courses"
    ITEMS = "items"
    EXPORTS_IN_PROGRESS = "exports_in_progress"
    EXPORTS_A_DAY = "exports_a_day"
    EVENTS_A_DAY = "events_a_day"

    @property
    def in_words(self) -> str:
        return self.replace("_", " ")


def _row(trial: int, standard: int, large: int) -> Mapping[Plan, int]:
    return MappingProxyType({Plan.TRIAL: trial, Plan.STANDARD: standard, Plan.LARGE: large})


LIMITS: Mapping[Quota, Mapping[Plan, int]] = MappingProxyType(
    {
        Quota.PEOPLE: _row(50, 100_000, 1_000_000),
        Quota.CLASSES: _row(20, 10_000, 100_000),
        Quota.PROGRAMS: _row(2, 100, 1_000),
        Quota.COURSES: _row(10, 1_000, 10_000),
        Quota.ITEMS: _row(1_000, 200_000, 2_000_000),
        Quota.EXPORTS_IN_PROGRESS: _row(1, 10, 50),
        Quota.EXPORTS_A_DAY: _row(5, 200, 2_000),
        Quota.EVENTS_A_DAY: _row(20_000, 50_000_000, 1_000_000_000),
    }
)


def limit_of(quota: Quota, plan: Plan) -> int:
    return LIMITS[quota][plan]


def until_tomorrow(now: datetime) -> timedelta:
    """When quotas of a day are empty again: days are those of UTC."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1) - now


def plan_named(name: object) -> Plan:
    """The plan of that name; STANDARD for a token without one, or with one that only a newer release knows."""
    try:
        return Plan(str(name))
    except ValueError:
        return Plan.STANDARD


def check_room(plan: Plan, quota: Quota, used: int, more: int = 1, retry_after: timedelta | None = None) -> None:
    """Raises QuotaReached if there is no room for `more` beside the `used`. What is there stays, also over a limit that has become smaller.

    `retry_after` is for quotas that empty by themselves.
    """
    limit = limit_of(quota, plan)
    if more > 0 and used + more > limit:
        raise QuotaReached(quota, quota.in_words, limit, used, plan, retry_after)
