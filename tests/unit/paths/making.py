"""Makes courses, learners and paths for the tests of paths."""

from datetime import UTC, date, datetime

from hypothesis import strategies as st

from domain.paths.adapting import revised
from domain.paths.effort import Mastery
from domain.paths.graph import CourseGraph, CourseSkill
from domain.paths.model import Cause, Goal, LearnerMastery, MasteryUpdate, Override, OverrideKind, Path
from domain.paths.planning import laid_out

NOW = datetime(2026, 9, 1, 8, tzinfo=UTC)
TODAY = NOW.date()
DUE = date(2026, 10, 1)


def graph(course: str = "maths", number: int = 1, **before: str) -> CourseGraph:
    """`graph(add="", mul="add")`: mul builds on add; several are separated by blanks."""
    return CourseGraph(
        course, number, {skill: CourseSkill(skill, skill.title(), tuple(its.split())) for skill, its in before.items()}
    )


FRACTIONS = graph(count="", add="count", sub="count", mul="add", fractions="mul sub")


def at(mean: float) -> Mastery:
    return Mastery(mean, max(mean - 0.1, 0.0), min(mean + 0.1, 1.0))


def knowing(sequence: int = 0, **means: float) -> LearnerMastery:
    return LearnerMastery(sequence, {skill: at(mean) for skill, mean in means.items()})


def update(sequence: int, seconds: float | None = None, learner: str = "ada", **means: float) -> MasteryUpdate:
    return MasteryUpdate(learner, sequence, {skill: at(mean) for skill, mean in means.items()}, seconds)


def repaired(sequence: int, repair: int = 1, seconds: float | None = None, **means: float) -> MasteryUpdate:
    """All of ada's mastery as computed anew after an attempt."""
    return MasteryUpdate("ada", sequence, {skill: at(mean) for skill, mean in means.items()}, seconds, repair)


def override(kind: OverrideKind, *skills: str, by: str = "grace", note: str = "") -> Override:
    return Override(kind, skills, by, NOW, note)


def bare(
    *overrides: Override,
    skills: tuple[str, ...] = (),
    target: float = 0.8,
    due: date = DUE,
    minutes: int = 20,
    path_id: str = "p",
) -> Path:
    """A path that is not planned yet."""
    return Path("ada", path_id, "maths", Goal(due, minutes, skills, target), "grace", NOW, overrides=overrides)


def path(*overrides: Override, over: CourseGraph = FRACTIONS, mastery: LearnerMastery | None = None, **fields: object) -> Path:
    """A path of ada's over a course, planned today, at its first revision."""
    planned = laid_out(bare(*overrides, **fields), over, mastery or LearnerMastery(0, {}), TODAY)  # type: ignore[arg-type]
    return revised(None, planned, Cause.CREATED, "grace created the path", NOW, "grace")[0]


def names(planned: Path) -> list[str]:
    return [each.skill for each in planned.visible]


@st.composite
def graphs(draw: st.DrawFn, most: int = 12) -> CourseGraph:
    """Courses without cycles, in any shape, the ids in no particular order."""
    size = draw(st.integers(1, most))
    ids = draw(st.permutations([f"s{n}" for n in range(size)]))
    before = {
        each: tuple(draw(st.lists(st.sampled_from(ids[:place]), max_size=3, unique=True))) if place else ()
        for place, each in enumerate(ids)
    }
    return CourseGraph("maths", 1, {skill: CourseSkill(skill, skill.title(), its) for skill, its in before.items()})


@st.composite
def masteries(draw: st.DrawFn, over: CourseGraph) -> LearnerMastery:
    means = draw(st.dictionaries(st.sampled_from(sorted(over.skills)), st.floats(0.0, 1.0)))
    return LearnerMastery(len(means), {skill: at(mean) for skill, mean in means.items()})


@st.composite
def overrides_of(draw: st.DrawFn, over: CourseGraph) -> tuple[Override, ...]:
    """Overrides that a path over the whole course may have: of each kind and skill at most one."""
    skill = st.sampled_from(sorted(over.skills))
    kind = st.sampled_from((OverrideKind.PIN_FIRST, OverrideKind.SKIP))
    single = draw(st.lists(st.tuples(kind, skill), max_size=4, unique=True))
    order = draw(st.lists(skill, max_size=4, unique=True))
    found = [override(kind, each) for kind, each in single]
    return (*found, override(OverrideKind.LOCK_ORDER, *order)) if len(order) > 1 else tuple(found)


@st.composite
def planned_paths(draw: st.DrawFn) -> tuple[CourseGraph, Path]:
    """A course and a path over some of it, with overrides and mastery."""
    over = draw(graphs())
    goal = tuple(draw(st.lists(st.sampled_from(sorted(over.skills)), max_size=3, unique=True)))
    return over, path(
        *draw(overrides_of(over)),
        over=over,
        mastery=draw(masteries(over)),
        skills=goal,
        target=draw(st.sampled_from((0.6, 0.8, 0.95))),
        minutes=draw(st.integers(1, 120)),
        due=draw(st.dates(TODAY, date(2027, 1, 1))),
    )
