import pytest

from domain.paths.deciding import changed, check_form, founded, overridden, told, unknown_goals, withdrawn
from domain.paths.model import (
    MOST_OVERRIDES,
    OverrideKind,
    OverrideNotAllowed,
    Path,
    PathChange,
    SetByTeacher,
    TooManyOverrides,
)
from domain.shared.caller import Caller, Role
from domain.shared.errors import InvalidInput
from tests.unit.paths.making import DUE, FRACTIONS, TODAY, bare, override, path

PIN, SKIP, ADD, ORDER = OverrideKind.PIN_FIRST, OverrideKind.SKIP, OverrideKind.ADD, OverrideKind.LOCK_ORDER
GRACE = Caller("north", "grace", frozenset({Role.TEACHER}))
ADA = Caller("north", "ada", frozenset({Role.LEARNER}))


def allowing(planned: Path) -> Path:
    return changed(planned, PathChange(learner_may_skip=True), GRACE)


def test_a_learner_cannot_change_what_a_teacher_set_except_the_minutes() -> None:
    taught = founded(bare(), GRACE)
    with pytest.raises(SetByTeacher, match="due_date by grace"):
        changed(taught, PathChange(due=TODAY), ADA)
    with pytest.raises(SetByTeacher, match="goal_skills by grace, target_mastery by grace"):
        changed(taught, PathChange(skills=("add",), target=0.6), ADA)
    assert changed(taught, PathChange(minutes_per_day=5), ADA).goal.minutes_per_day == 5


def test_what_a_teacher_changes_on_a_learners_path_is_the_teachers_from_then_on() -> None:
    own = founded(bare(), ADA)
    assert changed(own, PathChange(due=TODAY), ADA).goal.due == TODAY
    taught = changed(own, PathChange(due=DUE), GRACE)
    assert taught.teacher_settings == {"due_date": "grace"}
    with pytest.raises(SetByTeacher):
        changed(taught, PathChange(due=TODAY), ADA)


def test_a_learner_cannot_allow_themselves_to_skip() -> None:
    with pytest.raises(SetByTeacher):
        changed(founded(bare(), ADA), PathChange(learner_may_skip=True), ADA)


def test_a_learner_skips_only_where_it_is_allowed_and_withdraws_only_that() -> None:
    own_skip, theirs = override(SKIP, "sub", by="ada"), override(SKIP, "add")
    with pytest.raises(OverrideNotAllowed):
        overridden(path(), own_skip, ADA, FRACTIONS)
    allowed = overridden(overridden(allowing(path()), own_skip, ADA, FRACTIONS), theirs, GRACE, FRACTIONS)
    with pytest.raises(OverrideNotAllowed):
        overridden(allowed, override(PIN, "count", by="ada"), ADA, FRACTIONS)
    with pytest.raises(OverrideNotAllowed):
        withdrawn(allowed, override(SKIP, "add"), ADA)
    assert withdrawn(allowed, own_skip, ADA)[0].overrides == (theirs,)


def test_setting_what_is_set_or_withdrawing_what_is_not_changes_nothing() -> None:
    pinned = path(override(PIN, "sub"))
    assert overridden(pinned, override(PIN, "sub", by="henry"), GRACE, FRACTIONS) is pinned
    assert withdrawn(pinned, override(SKIP, "sub"), GRACE) == (pinned, None)


def test_a_new_order_replaces_the_old_one_and_is_withdrawn_without_naming_it() -> None:
    first = overridden(path(), override(ORDER, "sub", "add"), GRACE, FRACTIONS)
    second = overridden(first, override(ORDER, "add", "sub"), GRACE, FRACTIONS)
    assert [each.skills for each in second.overrides] == [("add", "sub")]
    after, found = withdrawn(second, override(ORDER), GRACE)
    assert after.overrides == ()
    assert found is not None
    assert told(found, True, FRACTIONS, "grace") == "grace withdrew the order Add → Sub"


def test_an_order_against_the_prerequisites_is_refused_with_what_contradicts_it() -> None:
    with pytest.raises(InvalidInput, match=r"prerequisites want another order: .*add.*mul") as refusal:
        overridden(path(), override(ORDER, "mul", "add"), GRACE, FRACTIONS)
    assert refusal.value.violations[0].field == "skills"


@pytest.mark.parametrize(
    ("given", "field", "why"),
    [
        (override(PIN, "latin"), "skills[0]", "has no skill latin"),
        (override(ADD, "latin"), "skills[0]", "has no skill latin"),
        (override(ADD, "add"), "skills[0]", "on the path already"),
        (override(SKIP, "fractions"), "skills[0]", "not on the path"),
        (override(ORDER, "add", "count"), "skills[1]", "left out"),
        (override(PIN, "count"), "skills[0]", "left out"),
    ],
)
def test_an_override_that_does_not_fit_is_refused_with_its_skill(given: object, field: str, why: str) -> None:
    planned = path(override(SKIP, "count"), skills=("mul", "count"))
    with pytest.raises(InvalidInput, match=why) as refusal:
        overridden(planned, given, GRACE, FRACTIONS)  # type: ignore[arg-type]
    assert refusal.value.violations[0].field == field


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (override(PIN), "skills"),
        (override(PIN, "a", "b"), "skills"),
        (override(ORDER, "a"), "skills"),
        (override(ORDER, "a", "b", "a"), "skills"),
        (override(ORDER, *(f"s{n}" for n in range(101))), "skills"),
        (override(SKIP, "a", note="x" * 501), "note"),
        (override(SKIP, "a", note="\0"), "note"),
    ],
)
def test_an_override_without_form_is_refused_with_its_field(given: object, field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        check_form(given, withdraw=False)  # type: ignore[arg-type]
    assert refusal.value.violations[0].field == field


def test_overrides_do_not_pile_up_for_ever() -> None:
    many = path(*(override(PIN, f"gone-{n}") for n in range(MOST_OVERRIDES)))
    with pytest.raises(TooManyOverrides):
        overridden(many, override(PIN, "count"), GRACE, FRACTIONS)


def test_every_goal_skill_that_the_course_has_not_is_named() -> None:
    faults = unknown_goals(bare(skills=("latin", "add", "greek")).goal, FRACTIONS)
    assert [each.field for each in faults] == ["path.goal_skills[0]", "path.goal_skills[2]"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"due": TODAY.replace(year=2025)}, "path.due_date"),
        ({"due": TODAY.replace(year=2126)}, "path.due_date"),
        ({"minutes": 0}, "path.minutes_per_day"),
        ({"minutes": 10_000}, "path.minutes_per_day"),
        ({"minutes": -1}, "path.minutes_per_day"),
        ({"target": float("nan")}, "path.target_mastery"),
        ({"target": float("inf")}, "path.target_mastery"),
        ({"target": 1.0}, "path.target_mastery"),
        ({"skills": ("a", "a")}, "path.goal_skills"),
        ({"skills": tuple(f"s{n}" for n in range(1_001))}, "path.goal_skills"),
        ({"path_id": "no blanks"}, "path_id"),
    ],
)
def test_a_path_that_cannot_be_meant_is_refused_with_its_field(fields: dict[str, object], field: str) -> None:
    assert [each.field for each in bare(**fields).faults(TODAY)] == [field]  # type: ignore[arg-type]
