"""Facts for tests of reports: by hand, and random ones in which everything that can coincide does."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import strategies as st

from domain.analytics.model import Attempted, Decided, Facts, MasteryTold, ReportKind, ReportQuery, SessionMarked, Shown

MONDAY = datetime(2026, 9, 7, tzinfo=UTC)


def attempt(number: int, learner: str = "ada", item: str = "i1", correct: bool = True, **fields: object) -> Attempted:
    """The `number` makes the id, and the minute after MONDAY unless `answered_at` is told."""
    given = {
        "course": "maths",
        "skills": ("s1",),
        "score": float(correct),
        "answered_at": MONDAY + timedelta(minutes=number),
        **fields,
    }
    return Attempted(str(UUID(int=number)), learner, item=item, correct=correct, **given)  # type: ignore[arg-type]


def query(kind: ReportKind, **fields: object) -> ReportQuery:
    return ReportQuery(kind, "maths", **fields)  # type: ignore[arg-type]


_moments = st.integers(0, 40 * 24).map(lambda hours: MONDAY + timedelta(hours=hours, microseconds=hours))
_learners = st.sampled_from(["ada", "bob", "Cy", "dee~1"])
_items = st.sampled_from(["i1", "i2", "i3", "é"])
_skills = st.lists(st.sampled_from(["s1", "s2", "s3"]), min_size=1, max_size=3).map(tuple)
_courses = st.sampled_from(["maths", "maths", "maths", "art", ""])
_decisions = st.sampled_from(["", "d1", "d2", "d3"])
_times = st.none() | st.integers(0, 90_000_000).map(lambda micros: timedelta(microseconds=micros))
_shares = st.floats(0, 1)

attempts = st.builds(
    Attempted,
    id=st.integers(0, 60).map(lambda number: str(UUID(int=number))),
    learner=_learners,
    course=_courses,
    item=_items,
    skills=_skills,
    correct=st.booleans(),
    score=_shares,
    answered_at=_moments,
    response_time=_times,
    hints=st.integers(0, 5),
    decision=_decisions,
    choices=st.lists(st.sampled_from(["a", "b", "c d"]), max_size=2).map(tuple),
)
sessions = st.builds(
    SessionMarked, learner=_learners, session=st.sampled_from(["x", "y", "z"]), course=_courses, at=_moments, ended=st.booleans()
)
decisions = st.builds(
    Decided,
    id=st.sampled_from(["d1", "d2", "d3", "d4"]),
    learner=_learners,
    course=_courses,
    decided_at=_moments,
    policy_version=st.sampled_from(["p-1", "p-2"]),
    arm=st.sampled_from(["", "growth"]),
    mode=st.sampled_from(["PRACTICE", "REVIEW"]),
    shadow=st.booleans(),
    fell_back=st.booleans(),
    shown=st.lists(_items, max_size=3, unique=True).flatmap(
        lambda items: st.tuples(*(st.builds(Shown, st.just(each), st.none() | _shares) for each in items))
    ),
)
masteries = st.builds(
    MasteryTold,
    learner=_learners,
    skill=st.sampled_from(["s1", "s2", "s3"]),
    day=_moments.map(lambda moment: moment.date()),
    # One sequence is told of once: progress numbers them.
    sequence=st.integers(1, 10_000),
    revision=st.integers(0, 2),
    mean=_shares,
    lower=_shares,
    upper=_shares,
)
facts = st.builds(
    Facts,
    attempts=st.lists(attempts, max_size=40),
    sessions=st.lists(sessions, max_size=15),
    decisions=st.lists(decisions, max_size=6),
    masteries=st.lists(masteries, max_size=15, unique_by=lambda each: (each.sequence, each.revision)),
)
_days = st.none() | st.integers(0, 40).map(lambda day: (MONDAY + timedelta(days=day)).date())
queries = st.builds(
    lambda kind, days, learners: ReportQuery(kind, "maths", *days, tuple(learners)),
    st.sampled_from(ReportKind),
    st.tuples(_days, _days).map(lambda pair: pair if None in pair else tuple(sorted(pair))),
    st.just([]) | st.lists(_learners, max_size=3, unique=True),
)
