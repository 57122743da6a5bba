from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.progress.model import Answer, Verdict
from domain.progress.versions import MODELS
from domain.progress.workbook import Workbook

NOW = datetime(2026, 9, 1, 8, 30, tzinfo=UTC)
SKILLS = ("add", "simplify", "compare")


@st.composite
def batches(draw: st.DrawFn) -> list[Answer]:
    told = draw(
        st.lists(
            st.tuples(
                st.sampled_from(["ada", "bob", "eve"]),
                st.sampled_from(["fractions", ""]),
                st.integers(0, 3),
                st.lists(st.sampled_from(SKILLS), min_size=1, max_size=3, unique=True),
                st.sampled_from([0.0, 0.4, 1.0]),
            ),
            max_size=30,
        )
    )
    return [
        Answer(
            str(UUID(int=place)), learner, course, f"i{item}", tuple(skills), score, score == 1, NOW + timedelta(seconds=place)
        )
        for place, (learner, course, item, skills, score) in enumerate(told)
    ]


def empty() -> Workbook:
    return Workbook({}, {}, {}, {}, {})


def counted(answers: list[Answer]) -> Workbook:
    workbook = empty()
    workbook.count(answers, NOW)
    return workbook


def carried_on(workbook: Workbook) -> Workbook:
    """What the next batch would load after this one was saved to an empty store."""
    return Workbook(workbook.new_counts, workbook.fingerprints, workbook.new_courses, workbook.new_skills, workbook.gained)


@given(batches())
def test_every_answer_counts_once_and_every_skill_of_it_moves(answers: list[Answer]) -> None:
    workbook = empty()
    for each, outcome in zip(answers, workbook.count(answers, NOW), strict=True):
        assert outcome.verdict is Verdict.COUNTED
        assert outcome.update is not None
        attempt = outcome.update.attempt
        assert [move.skill for move in attempt.moves] == list(each.skills)
        assert [mastery.estimate.mean for mastery in outcome.update.skills] == [move.after for move in attempt.moves]
        assert 0 < attempt.predicted < 1
        assert attempt.model_version == MODELS.live.id
        assert outcome.update.ability.course == each.course
    for (learner, skill), state in workbook.new_skills.items():
        moved = [each for each in answers if each.learner == learner and skill in each.skills]
        assert state.mastery.attempt_count == len(moved)
        assert state.mastery.correct_count == sum(each.correct for each in moved)
        assert state.mastery.last_answered_at == moved[-1].answered_at


@given(batches())
def test_counting_again_changes_nothing(answers: list[Answer]) -> None:
    again = carried_on(counted(answers))
    assert {each.verdict for each in again.count(answers, NOW)} <= {Verdict.REPEATED}
    assert not again.attempts
    assert not again.gained
    assert not again.new_skills


@given(batches(), st.integers(0, 30))
def test_a_learners_sequence_goes_on_from_batch_to_batch(answers: list[Answer], cut: int) -> None:
    first = counted(answers[:cut])
    second = carried_on(first)
    second.count(answers[cut:], NOW)
    attempts = first.attempts + second.attempts
    for learner in ("ada", "bob", "eve"):
        sequences = [each.sequence for each in attempts if each.answer.learner == learner]
        assert sequences == list(range(1, len(sequences) + 1))


@given(batches(), st.integers(0, 30))
def test_two_batches_come_to_the_same_as_one(answers: list[Answer], cut: int) -> None:
    whole = counted(answers)
    second = carried_on(counted(answers[:cut]))
    second.count(answers[cut:], NOW)
    for one, other in zip(whole.updates[min(cut, len(answers)) :], second.updates, strict=True):
        assert one.skills == other.skills
        assert one.attempt.predicted == pytest.approx(other.attempt.predicted)


@given(batches())
def test_a_batch_comes_to_exactly_the_same_as_one_by_one(answers: list[Answer]) -> None:
    one_by_one = empty()
    for each in answers:
        one_by_one.count([each], NOW)
    together = counted(answers)
    assert together.updates == one_by_one.updates
    assert together.gained == one_by_one.gained
    assert together.new_courses == one_by_one.new_courses
    for key, state in together.new_skills.items():
        assert (state.knowledge == one_by_one.new_skills[key].knowledge).all()


@given(batches())
def test_mastery_does_not_depend_on_how_learners_interleave(answers: list[Answer]) -> None:
    by_learner = sorted(answers, key=lambda each: each.learner)  # a stable sort keeps each learner's own order
    one, other = counted(answers), counted(by_learner)
    assert one.new_skills.keys() == other.new_skills.keys()
    for key, state in one.new_skills.items():
        assert state.mastery == other.new_skills[key].mastery


def test_the_same_id_with_another_content_is_a_conflict_and_changes_nothing() -> None:
    told = Answer(str(UUID(int=1)), "ada", "", "half", ("add",), 1.0, True, NOW)
    other = Answer(told.id, "ada", "", "half", ("add",), 0.0, False, NOW)
    workbook = empty()
    assert [each.verdict for each in workbook.count([told, other, told], NOW)] == [
        Verdict.COUNTED,
        Verdict.CONFLICT,
        Verdict.REPEATED,
    ]
    assert len(workbook.attempts) == 1


def test_time_without_practice_is_told_apart_from_what_the_answer_did() -> None:
    workbook = empty()
    days = [0, 0, 0, 60, 59]
    told = [
        Answer(str(UUID(int=place)), "ada", "", "half", ("add",), 1.0, True, NOW + timedelta(days=each))
        for place, each in enumerate(days)
    ]
    workbook.count(told, NOW)
    moves = [each.moves[0] for each in workbook.attempts]
    assert all(each.retained == pytest.approx(each.before) for each in (*moves[:3], moves[4]))
    assert moves[3].retained < moves[3].before - 0.1
    assert moves[3].after > moves[3].retained
    assert all(new.before == old.after for old, new in pairwise(moves))


def test_an_attempt_keeps_what_was_known_of_its_item() -> None:
    workbook = empty()
    workbook.count([Answer(str(UUID(int=place)), f"l{place}", "", "half", ("add",), 1.0, True, NOW) for place in range(3)], NOW)
    counts = [each.evidence.count for each in workbook.attempts if each.evidence]
    assert counts == [0, 1, 2]
