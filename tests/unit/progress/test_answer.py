from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.progress.model import Answer
from domain.shared.errors import InvalidInput

NOW = datetime(2026, 9, 1, 8, 30, tzinfo=UTC)
GOOD = Answer(str(UUID(int=7)), "ada", "fractions", "half", ("add", "simplify"), 1.0, True, NOW)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"course": ""},
        {"score": 0.5, "correct": False},
        {"answered_at": datetime(2000, 1, 1, tzinfo=UTC)},
        {"answered_at": NOW + timedelta(hours=23)},
        {"response_time": timedelta(hours=24), "hints_revealed": 100, "item_revision": 2**63 - 1},
        {"decision": str(UUID(int=9))},
        {"skills": tuple(f"s{each}" for each in range(20))},
    ],
)
def test_these_may_be_counted(change: dict[str, Any]) -> None:
    replace(GOOD, **change).check(NOW)


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("id", {"id": "7"}),
        ("id", {"id": str(UUID(int=0xABC)).upper()}),
        ("learner", {"learner": ""}),
        ("learner", {"learner": "a b"}),
        ("learner", {"learner": "a" * 129}),
        ("learner", {"learner": "nul\0"}),
        ("course", {"course": "../x"}),
        ("attempt.item", {"item": "-"}),
        ("attempt.skills", {"skills": ()}),
        ("attempt.skills", {"skills": ("add", "add")}),
        ("attempt.skills", {"skills": ("add", "")}),
        ("attempt.skills", {"skills": tuple(f"s{each}" for each in range(21))}),
        ("attempt.score", {"score": float("nan"), "correct": False}),
        ("attempt.score", {"score": float("inf"), "correct": False}),
        ("attempt.score", {"score": -0.1, "correct": False}),
        ("attempt.score", {"score": 1.1, "correct": False}),
        ("attempt.correct", {"score": 0.9}),
        ("attempt.correct", {"correct": False}),
        ("attempt.decision", {"decision": "last"}),
        ("attempt.item_revision", {"item_revision": -1}),
        ("attempt.hints_revealed", {"hints_revealed": 101}),
        ("attempt.response_time", {"response_time": timedelta(seconds=-1)}),
        ("attempt.response_time", {"response_time": timedelta(hours=24, microseconds=1)}),
        ("occur_time", {"answered_at": datetime(1999, 12, 31, tzinfo=UTC)}),
        ("occur_time", {"answered_at": NOW + timedelta(hours=25)}),
    ],
)
def test_these_never_can_and_the_field_is_named(field: str, change: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as refusal:
        replace(GOOD, **change).check(NOW)
    assert {each.field for each in refusal.value.violations} == {field}


@given(
    st.sampled_from(["id", "traceparent"]),
    st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.timezones()),
)
def test_the_fingerprint_is_of_the_content_alone(field: str, moment: datetime) -> None:
    told = replace(GOOD, answered_at=moment)
    same = replace(told, answered_at=moment.astimezone(UTC), **{field: "other"})
    assert told.fingerprint() == same.fingerprint()


@pytest.mark.parametrize(
    "change",
    [
        {"learner": "bob"},
        {"course": ""},
        {"item": "third"},
        {"skills": ("add",)},
        {"skills": ("simplify", "add")},
        {"score": 0.0},
        {"answered_at": NOW + timedelta(microseconds=1)},
        {"item_revision": 1},
        {"decision": str(UUID(int=9))},
        {"response_time": timedelta()},
        {"hints_revealed": 1},
    ],
)
def test_any_other_content_has_another_fingerprint(change: dict[str, Any]) -> None:
    assert replace(GOOD, **change).fingerprint() != GOOD.fingerprint()


def test_the_fingerprint_is_stable_for_ever() -> None:
    assert GOOD.fingerprint().hex() == "b6f5f2cd9369662dd07e72116811ce07"
