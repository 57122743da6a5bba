"""What the numbers of reports mean, by hand."""

from datetime import date, timedelta
from statistics import correlation as textbook

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.analytics.model import Decided, Facts, MasteryTold, ReportKind, ReportQuery, SessionMarked, Shown
from domain.analytics.reports import ROWS, Choice, Item, Learner, PolicyArm, Week, cursor_at, key_in, key_of, monday_of
from domain.analytics.reports_from_log import Log, correlation
from domain.analytics.rollups import Tally
from domain.shared.errors import InvalidInput
from tests.unit.analytics.report_making import MONDAY, attempt, attempts, facts, queries, query


def test_where_everybody_answers_everything_discrimination_is_the_textbooks_corrected_item_total() -> None:
    right = {"ada": (1, 1, 1, 0), "bob": (1, 0, 1, 1), "cy": (0, 0, 1, 0), "dee": (1, 1, 0, 0), "eve": (0, 0, 0, 1)}
    made = [
        attempt(10 * number + item, learner, f"i{item}", bool(correct))
        for number, (learner, answers) in enumerate(right.items())
        for item, correct in enumerate(answers)
    ]
    rows = Log(Facts(made)).report(query(ReportKind.ITEMS))
    for item, row in enumerate(rows):
        assert isinstance(row, Item)
        assert row.difficulty == sum(answers[item] for answers in right.values()) / 5
        expected = textbook(
            [answers[item] for answers in right.values()], [sum(answers) - answers[item] for answers in right.values()]
        )
        assert row.discrimination == pytest.approx(expected)


def test_only_the_first_answer_in_the_range_tells_of_an_item() -> None:
    made = [
        attempt(3, correct=True, answered_at=MONDAY + timedelta(days=2)),
        attempt(1, correct=False, answered_at=MONDAY),
        attempt(2, correct=False, answered_at=MONDAY + timedelta(days=3)),
    ]
    log = Log(Facts(made))
    (ever,) = log.report(query(ReportKind.ITEMS))
    (later,) = log.report(query(ReportKind.ITEMS, start=(MONDAY + timedelta(days=1)).date()))
    assert isinstance(ever, Item)
    assert isinstance(later, Item)
    assert (ever.difficulty, ever.attempts, later.difficulty, later.attempts) == (0, 3, 1, 2)


def test_distractors_are_shares_of_the_answers_that_tell_what_was_picked() -> None:
    made = [
        attempt(1, "ada", choices=("a",)),
        attempt(2, "ada", "i2", correct=True),
        attempt(3, "bob", choices=("b",), correct=False),
        attempt(4, "cy"),
    ]
    rows = Log(Facts(made)).report(query(ReportKind.CHOICES))
    assert rows == [Choice("i1", "a", 1, 0.5, 1.0), Choice("i1", "b", 1, 0.5, None)]


def test_a_session_that_was_never_begun_or_ended_is_not_completed() -> None:
    def mark(session: str, minutes: int, ended: bool) -> SessionMarked:
        return SessionMarked("ada", session, "maths", MONDAY + timedelta(minutes=minutes), ended)

    marks = [mark("x", 5, True), mark("x", 0, False), mark("x", 1, False), mark("y", 0, False), mark("z", 9, True)]
    (week,) = Log(Facts(sessions=marks)).report(query(ReportKind.ENGAGEMENT))
    assert isinstance(week, Week)
    assert (week.sessions, week.completed_sessions, week.median_session_minutes, week.attempts_per_learner) == (2, 1, 5, None)


def test_a_decision_is_judged_by_the_first_answer_of_its_learner() -> None:
    made = Decided(
        "d", "ada", "maths", MONDAY, "p", "a", "PRACTICE", False, True, (Shown("i1", 0.8), Shown("i2"), Shown("i3", 0.1))
    )
    answers = [
        attempt(2, item="i1", correct=False, decision="d"),
        attempt(1, item="i1", correct=True, decision="d"),
        attempt(3, item="i2", correct=False, decision="d"),
        attempt(4, "bob", "i3", decision="d"),
        attempt(5, item="i3"),
    ]
    (row,) = Log(Facts(answers, decisions=[made])).report(query(ReportKind.DECISIONS))
    assert isinstance(row, PolicyArm)
    assert (row.items, row.answered, row.correct, row.share_correct, row.mean_predicted, row.fell_back) == (3, 2, 1, 0.5, 0.8, 1)


def test_mastery_counts_from_four_fifths_on() -> None:
    told = [
        MasteryTold("ada", skill, MONDAY.date(), n, 0, mean, 0, 1) for n, (skill, mean) in enumerate([("s1", 0.8), ("s2", 0.79)])
    ]
    (row,) = Log(Facts([attempt(1, skills=("s1", "s2", "s3"))], masteries=told)).report(query(ReportKind.LEARNERS))
    assert isinstance(row, Learner)
    assert (row.skills, row.mastered_skills) == (3, 1)


@given(facts, queries)
def test_every_row_has_a_key_of_its_own_that_its_cursor_stands_for(told: Facts, asked: ReportQuery) -> None:
    rows = Log(told).report(asked)
    keys = [key_of(each) for each in rows]
    assert len(set(keys)) == len(keys)
    assert keys == sorted(keys)
    if asked.kind is not ReportKind.SUMMARY:
        assert [key_in(asked.kind, cursor_at(each)) for each in rows] == keys


@given(st.lists(attempts, unique_by=lambda each: each.id), st.randoms(use_true_random=False))
def test_a_tally_does_not_depend_on_the_order(made: list, random) -> None:  # type: ignore[no-untyped-def, type-arg]
    shuffled = random.sample(made, len(made))
    assert Tally.of(shuffled) == Tally.of(made)
    assert sum(did.attempts for did in Tally.of(made).days.values()) == len(made)


@given(st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.floats(0, 1)), max_size=20))
def test_a_correlation_is_within_one_or_nothing(pairs: list[tuple[float, float]]) -> None:
    found = correlation(pairs)
    assert found is None or -1.000001 <= found <= 1.000001


@given(st.dates())
def test_a_week_begins_on_monday(day: date) -> None:
    assert monday_of(day).weekday() == 0
    assert 0 <= (day - monday_of(day)).days < 7


def test_a_question_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(InvalidInput) as refusal:
        query(ReportKind.DAYS, start=date(2026, 1, 2), end=date(2026, 1, 1))
    assert [each.field for each in refusal.value.violations] == ["end_date"]


def test_every_kind_of_report_has_its_row() -> None:
    assert set(ROWS) == set(ReportKind)
