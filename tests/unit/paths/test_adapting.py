from datetime import timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from adapters.paths.codec import document_of, path_of
from domain.paths.adapting import MOST_CHANGES, measured, revised
from domain.paths.effort import NEVER_PRACTISED
from domain.paths.graph import CourseGraph, CourseSkill
from domain.paths.model import Cause, LearnerMastery, MasteryUpdate, OverrideKind, Path, PathState, StepStatus, Verdict
from domain.paths.planning import laid_out, replanned
from tests.unit.paths.making import (
    FRACTIONS,
    NOW,
    TODAY,
    at,
    graph,
    knowing,
    names,
    override,
    path,
    planned_paths,
    repaired,
    update,
)

A_DAY = timedelta(days=1)


@st.composite
def paths_and_updates(draw: st.DrawFn) -> tuple[Path, list[MasteryUpdate]]:
    over, planned = draw(planned_paths())
    moved = st.dictionaries(st.sampled_from([*sorted(over.skills), "elsewhere"]), st.floats(0.0, 1.0), max_size=3)
    seconds = st.none() | st.floats(0, 10_000)
    updates: list[MasteryUpdate] = []
    sequence, repairs = planned.sequence, 0
    for skills, took, repair in draw(st.lists(st.tuples(moved, seconds, st.booleans()), max_size=6)):
        repairs += repair
        sequence += not repair or not sequence
        told = {skill: at(mean) for skill, mean in skills.items()}
        updates.append(MasteryUpdate("ada", sequence, told, took, repairs if repair else 0))
    return planned, updates


@given(paths_and_updates())
def test_an_update_counts_once_however_often_it_comes(made: tuple[Path, list[MasteryUpdate]]) -> None:
    planned, updates = made
    after = measured(planned, updates, NOW)
    assert measured(after, updates, NOW) is after
    assert measured(after, list(reversed(updates)), NOW + A_DAY) is after


@given(paths_and_updates(), st.integers(0, 6))
def test_it_does_not_matter_how_updates_are_batched(made: tuple[Path, list[MasteryUpdate]], cut: int) -> None:
    planned, updates = made
    at_once = measured(planned, updates, NOW)
    in_two = measured(measured(planned, updates[:cut], NOW), updates[cut:], NOW)
    key = {each.skill: (each.reached, each.mastery, each.status, each.minutes) for each in at_once.steps}
    assert {each.skill: (each.reached, each.mastery, each.status, each.minutes) for each in in_two.steps} == key
    assert in_two.pace == at_once.pace


def test_a_repair_takes_back_what_was_reached_once_and_leaves_the_pace() -> None:
    done = measured(path(), [update(1, 60, count=0.9, add=0.9)], NOW)
    repair = repaired(1, 1, 3_000, count=0.9, add=0.2)
    after = measured(done, [repair], NOW)
    assert [each.skill for each in after.steps if each.reached] == ["count"]
    assert (after.sequence, after.repair, after.pace) == (1, 1, done.pace)
    assert measured(after, [update(1, 60, count=0.9, add=0.9), repair], NOW) is after
    later = measured(after, [update(2, add=0.9)], NOW)
    assert measured(later, [repair, repaired(1, 2)], NOW) is later


def test_a_path_that_was_kept_before_there_were_repairs_still_reads() -> None:
    kept = measured(path(), [update(1, count=0.9)], NOW)
    document = document_of(kept)
    del document["repair"]
    assert path_of(kept.learner, kept.id, kept.course, kept.publication, document) == kept


def test_what_a_repair_leaves_out_was_never_practised() -> None:
    after = measured(measured(path(), [update(1, count=0.9)], NOW), [repaired(1, elsewhere=0.9)], NOW)
    assert not any(each.reached for each in after.steps)
    assert {each.mastery for each in after.steps} == {NEVER_PRACTISED}


def test_a_repair_concerns_a_path_that_missed_the_attempts_before_it() -> None:
    after = measured(path(), [update(1, elsewhere=0.5), repaired(1, count=0.9)], NOW)
    assert (after.sequence, after.repair, after.steps[0].reached) == (1, 1, True)


@given(paths_and_updates())
def test_adaptation_never_loses_an_override_and_never_skips_a_revision(made: tuple[Path, list[MasteryUpdate]]) -> None:
    planned, updates = made
    revisions = [planned.revision]
    for each in updates:
        after, event = revised(planned, measured(planned, [each], NOW), Cause.MASTERY, "Mastery changed", NOW)
        assert after.overrides == planned.overrides
        assert (event is None) == (after.revision == planned.revision)
        if event is not None:
            assert event.revision.changes
            assert event.revision.reason.startswith("Mastery changed: ")
        revisions.append(after.revision)
        planned = after
    assert all(later - earlier in (0, 1) for earlier, later in pairwise(revisions))


def test_mastery_finishes_a_step_and_opens_what_waited_for_it() -> None:
    planned = path(mastery=knowing(count=0.5))
    after, event = revised(planned, measured(planned, [update(1, count=0.84)], NOW), Cause.MASTERY, "Mastery changed", NOW)
    steps = {each.skill: each.status for each in after.steps}
    assert steps["count"] is StepStatus.DONE
    assert steps["add"] is steps["sub"] is StepStatus.OPEN
    assert event is not None
    assert event.revision.number == 2
    assert event.revision.reason == "Mastery changed: Count is done: mastery is 84 %, 80 % was wanted."
    assert "Add can be practised now" in event.revision.changes


def test_one_slip_does_not_reopen_a_step_but_a_real_loss_does() -> None:
    done = measured(path(), [update(1, count=0.84)], NOW)
    slipped = measured(done, [update(2, count=0.76)], NOW)
    assert slipped.steps[0].status is StepStatus.DONE
    lost, event = revised(slipped, measured(slipped, [update(3, count=0.7)], NOW), Cause.MASTERY, "Mastery changed", NOW)
    assert {each.skill: each.status for each in lost.steps}["count"] is StepStatus.OPEN
    assert event is not None
    assert "Count is to be practised again: mastery is 70 %, 80 % is wanted" in event.revision.changes
    assert "Add has to wait" in event.revision.changes


def test_what_was_known_from_the_beginning_becomes_a_step_when_it_is_lost() -> None:
    planned = path(mastery=knowing(count=0.9))
    assert "count" not in names(planned)
    lost = measured(planned, [update(1, count=0.5)], NOW)
    assert names(lost)[0] == "count"


def test_a_mastery_that_changes_nothing_of_the_plan_is_no_revision() -> None:
    planned = path(mastery=knowing(count=0.5), minutes=720)
    after, event = revised(planned, measured(planned, [update(1, count=0.51)], NOW), Cause.MASTERY, "Mastery changed", NOW)
    assert event is None
    assert after.revision == planned.revision
    assert after.steps[0].mastery.mean == 0.51


def test_an_attempt_in_other_skills_leaves_the_path_as_it_is() -> None:
    planned = path()
    assert measured(planned, [update(1, elsewhere=0.9)], NOW) is planned


def test_the_learners_own_pace_moves_the_minutes() -> None:
    planned = path()
    slow = measured(planned, [update(number, seconds=240, sub=0.4) for number in range(1, 21)], NOW)
    assert slow.pace.minutes_per_attempt == 2.5
    assert slow.feasibility.minutes.expected > 2 * planned.feasibility.minutes.expected


def test_the_last_step_reaches_the_goal_and_its_loss_opens_it_again() -> None:
    over = graph(a="")
    planned = path(over=over)
    reached, event = revised(planned, measured(planned, [update(1, a=0.9)], NOW), Cause.MASTERY, "Mastery changed", NOW)
    assert reached.state is PathState.ACHIEVED
    assert event is not None
    assert "the goal is reached" in event.revision.changes
    lost, event = revised(reached, measured(reached, [update(2, a=0.5)], NOW), Cause.MASTERY, "Mastery changed", NOW)
    assert lost.state is PathState.ACTIVE
    assert event is not None
    assert "the goal is open again" in event.revision.changes


def test_a_day_without_practice_moves_the_dates_and_says_so() -> None:
    planned = path()
    after, event = revised(planned, replanned(planned, TODAY + A_DAY), Cause.DAY, "A new day", NOW + A_DAY)
    assert event is not None
    assert after.feasibility.end == (planned.feasibility.end or TODAY) + A_DAY
    assert f"the last step ends on {after.feasibility.end}, not on {planned.feasibility.end}" in event.revision.reason


def test_a_verdict_that_turns_is_told() -> None:
    planned = path()
    assert planned.feasibility.verdict is Verdict.ON_TRACK
    _, event = revised(planned, replanned(planned, TODAY + 30 * A_DAY), Cause.DAY, "A new day", NOW + 30 * A_DAY)
    assert event is not None
    assert "the goal does not fit its date" in event.revision.changes


def test_a_new_publication_brings_and_takes_steps() -> None:
    planned = path()
    later = graph(number=2, count="", add="count", sub="count", mul="add", powers="mul")
    after, event = revised(planned, laid_out(planned, later, LearnerMastery(0, {}), TODAY), Cause.PUBLICATION, "Published", NOW)
    assert event is not None
    assert "Powers joins the path" in event.revision.changes
    assert "Fractions leaves the path" in event.revision.changes
    assert after.publication == 2


def test_what_people_do_is_a_revision_even_if_the_plan_stays() -> None:
    planned = path()
    pinned = laid_out(path(override(OverrideKind.PIN_FIRST, "count")), FRACTIONS, LearnerMastery(0, {}), TODAY)
    after, event = revised(planned, pinned, Cause.OVERRIDDEN, "grace put Count first", NOW, "grace")
    assert event is not None
    assert (event.revision.by, event.revision.reason) == ("grace", "grace put Count first.")
    assert after.edition == planned.edition + 1


def test_thousands_of_changes_are_cut_short() -> None:
    crowd = CourseGraph(
        "maths", 1, {f"s{n}": CourseSkill(f"s{n}", f"S{n}", ("root",)) for n in range(500)} | graph(root="").skills
    )
    planned = path(over=crowd)
    _, event = revised(planned, measured(planned, [update(1, root=0.9)], NOW), Cause.MASTERY, "Mastery changed", NOW)
    assert event is not None
    assert len(event.revision.changes) == MOST_CHANGES
    assert event.revision.changes[-1].endswith("more changes")
