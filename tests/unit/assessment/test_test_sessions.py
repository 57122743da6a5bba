from collections import Counter
from dataclasses import replace
from datetime import timedelta
from math import inf, nan
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.assessment.codec import decode, encode
from domain.assessment.testing.balance import Balance, ContentArea
from domain.assessment.testing.banks import BankVersion, CalibratedItem, ResponseModel
from domain.assessment.testing.blueprints import AdaptiveForm, FixedForm, Randomesque, Retakes, SympsonHetter
from domain.assessment.testing.norms import NormalNorm, Prior, TableNorm
from domain.assessment.testing.plans import Plan
from domain.assessment.testing.pools import with_pool
from domain.assessment.testing.sessions import (
    NoRetakeLeft,
    RetakeTooEarly,
    Session,
    SessionUnderWay,
    State,
    Taking,
    check_retake,
)
from domain.psychometrics.irt import Items, eap, information
from domain.shared.errors import InvalidInput
from tests.unit.assessment.fakes import NOW
from tests.unit.assessment.sittings import BALANCED, SKILLS, USUAL, bank, calibrated, course_items, plan_of, simulated, taken

ID = "6f1c2d0e-6a53-4d4e-9a37-0c7b0a3f2b11"
areas = st.lists(
    st.builds(
        ContentArea,
        st.sampled_from(SKILLS),
        st.floats(0, 0.5),
        st.floats(0.5, 1),
        st.integers(0, 6),
        st.none() | st.integers(6, 12),
    ),
    max_size=3,
    unique_by=lambda area: area.skill,
)


@st.composite
def blueprints(draw):
    longest = draw(st.integers(1, 20))
    form = AdaptiveForm(
        max_length=longest,
        min_length=draw(st.integers(1, longest)),
        standard_error=draw(st.none() | st.floats(0.2, 0.9)),
        start_ability=draw(st.none() | st.floats(-3, 3)),
        easier_by=draw(st.floats(0, 2)),
        easy_items=draw(st.integers(0, 4)),
        exposure=draw(st.none() | st.builds(Randomesque, st.integers(2, 8))),
    )
    prior = Prior(draw(st.floats(-2, 2)), draw(st.floats(0.3, 3)))
    return replace(USUAL, form=form, areas=tuple(draw(areas)), prior=prior)


def made(blueprint):
    """The plan, or None for a blueprint with which no test can be made."""
    try:
        return plan_of(blueprint)
    except InvalidInput:
        return None


@given(blueprints(), st.lists(st.booleans(), min_size=20, max_size=20), st.uuids())
@settings(max_examples=60)
def test_every_test_ends_never_repeats_an_item_and_meets_its_bounds(blueprint, right, session_id):
    if (plan := made(blueprint)) is None:
        return
    session = taken(plan, right.__getitem__, str(session_id))
    form, used = blueprint.form, [each.item for each in session.steps]
    assert session.state in (State.PRECISE, State.COMPLETE)
    assert len(set(used)) == len(used) == session.answered_count
    assert form.min_length <= len(used) <= form.max_length
    counts = Counter(each.selection.area for each in session.steps)
    for area in blueprint.areas:
        assert area.least(len(used)) <= counts[area.skill] <= area.most(len(used))
    if session.state is State.PRECISE:
        assert session.result.ability.error <= form.standard_error
    assert all(0 < each.selection.propensity <= 1 for each in session.steps)
    assert session.result.answered_count == len(used)
    assert sum(each.answered_count for each in session.result.areas) == (len(used) if blueprint.areas else 0)


@given(blueprints(), st.integers(0, 2**20), st.uuids())
@settings(max_examples=30)
def test_a_resumed_session_is_the_one_that_was_never_interrupted(blueprint, answers, session_id):
    if (plan := made(blueprint)) is None:
        return

    def elsewhere(session):
        """The session as another process reads it, which has compiled the stored blueprint itself."""
        nonlocal plan
        plan = Plan.of(replace(decode(encode(replace(plan.blueprint, created_at=None))), created_at=NOW))
        steps = tuple(replace(each, selection=decode(encode(each.selection))) for each in session.steps)
        return replace(session, steps=steps)

    first = taken(plan, lambda number: bool(answers >> number & 1), str(session_id))
    again = taken(plan_of(blueprint), lambda number: bool(answers >> number & 1), str(session_id), elsewhere)
    assert again == first


@given(areas.filter(bool), st.lists(st.integers(0, 12), min_size=3, max_size=3), st.integers(1, 20), st.randoms())
def test_while_the_bounds_can_be_met_there_is_an_area_to_choose_from(bounds, sizes, length, random):
    balance = Balance(tuple(bounds), tuple(sizes[: len(bounds)]))
    counts = [0] * len(bounds)
    if not balance.reachable(counts, length):
        return
    for _ in range(length):
        counts[random.choice(balance.open_areas(counts, 1, length))] += 1
    assert balance.holds(counts)
    assert all(count <= size for count, size in zip(counts, balance.sizes, strict=True))


def test_the_score_is_the_expected_ability_given_the_answers():
    plan = plan_of(USUAL)
    session = taken(plan, lambda number: number % 3 != 0, ID)
    answered = {each.item: each for each in plan.blueprint.pool}
    parameters = [answered[each.item] for each in session.steps]
    items = Items.of(*([getattr(each, name) for each in parameters] for name in ("slope", "difficulty", "guess")))
    expected = eap(items, [each.correct for each in session.steps])
    assert (session.result.ability.mean, session.result.ability.error) == pytest.approx(tuple(expected))
    assert session.result.correct_count == sum(each.correct for each in session.steps)


def test_without_exposure_control_each_item_is_the_most_informative_left():
    plan = plan_of(USUAL)
    session = taken(plan, lambda number: number % 2 == 0, ID)
    left = set(range(30))
    for step in session.steps:
        place = plan.places[step.item]
        told = information(plan.items, step.selection.aim)
        # The selector's grid of abilities may cost a little information.
        assert told[place] >= 0.999 * max(told[each] for each in left)
        assert step.selection.information == pytest.approx(told[place])
        assert (step.selection.propensity, step.selection.aim) == (1.0, step.selection.ability.mean)
        left.remove(place)


def test_the_standard_error_is_honest_about_simulated_learners():
    plan, random = plan_of(BALANCED), Random(5)
    truths = [random.gauss(0, 1) for _ in range(200)]
    scores = [simulated(plan, each, random).result.ability for each in truths]
    within = sum(abs(score.mean - truth) <= 1.645 * score.error for score, truth in zip(scores, truths, strict=True))
    assert 0.84 <= within / 200 <= 0.96  # a 90 % interval, by the prior that the learners were drawn from


def test_the_easy_start_aims_lower_for_its_items_only():
    form = AdaptiveForm(max_length=5, start_ability=1.0, easier_by=0.75, easy_items=2)
    steps = taken(plan_of(replace(USUAL, form=form)), lambda _: True, ID).steps
    assert steps[0].selection.aim == 0.25
    assert steps[1].selection.aim == steps[1].selection.ability.mean - 0.75
    assert [each.selection.aim for each in steps[2:]] == [each.selection.ability.mean for each in steps[2:]]


def test_randomesque_draws_each_of_the_best_items_alike_and_says_so():
    plan = plan_of(replace(USUAL, form=AdaptiveForm(max_length=1, exposure=Randomesque(4))))
    firsts = [taken(plan, lambda _: True).steps[0] for _ in range(400)]
    counts = Counter(each.item for each in firsts)
    assert {each.selection.propensity for each in firsts} == {0.25}
    assert len(counts) == 4
    assert all(60 <= count <= 140 for count in counts.values())


def test_sympson_hetter_holds_the_most_used_item_near_its_rate_and_propensities_are_true():
    blueprint = replace(USUAL, form=AdaptiveForm(max_length=5, exposure=SympsonHetter(0.4)))
    plan, random = plan_of(blueprint), Random(3)
    sessions = [simulated(plan, random.gauss(0, 1), random) for _ in range(500)]
    use = Counter(each.item for session in sessions for each in session.steps)
    assert max(use.values()) / 500 <= 0.46
    firsts = [session.steps[0] for session in sessions]
    for item, count in Counter(each.item for each in firsts).items():
        told = next(each.selection.propensity for each in firsts if each.item == item)
        assert count / 500 == pytest.approx(told, abs=0.08)


def test_the_same_session_id_gives_the_same_test_and_another_one_another():
    plan = plan_of(replace(USUAL, form=AdaptiveForm(max_length=8, exposure=Randomesque(5))))
    orders = {tuple(step.item for step in taken(plan, lambda _: True, each).steps) for each in (ID, ID, ID[::-1])}
    assert len(orders) == 2


def test_a_fixed_form_is_served_in_order_or_in_the_sessions_own():
    names = tuple(f"q{number}" for number in (4, 2, 9, 7, 1))
    fixed = replace(USUAL, form=FixedForm(names), areas=())
    assert tuple(each.item for each in taken(plan_of(fixed), lambda _: True, ID).steps) == names
    shuffled = plan_of(replace(fixed, form=FixedForm(names, shuffled=True)))
    orders = [tuple(each.item for each in taken(shuffled, lambda _: True, each).steps) for each in (ID, ID, ID[1:] + "0")]
    assert orders[0] == orders[1]
    assert sorted(orders[0]) == sorted(names)
    assert len({*orders, names}) == 3


def test_a_fixed_form_without_a_bank_counts_and_measures_nothing():
    plan = plan_of(replace(USUAL, form=FixedForm(("q1", "q2")), bank="", bank_version=""))
    session = taken(plan, lambda number: number == 0, ID)
    assert (session.state, session.result.correct_count, session.result.ability) == (State.COMPLETE, 1, None)
    assert session.steps[0].selection.ability is None


def test_a_session_has_ended_when_its_time_is_over():
    plan = plan_of(replace(USUAL, time_limit=timedelta(minutes=10)))
    session = plan.advanced(Session.of(ID, "ada", plan.blueprint, NOW), NOW)
    assert plan.as_of(session, NOW + timedelta(seconds=599)) is session
    ended = plan.as_of(session, NOW + timedelta(hours=3))
    assert (ended.state, ended.ended_at) == (State.OUT_OF_TIME, NOW + timedelta(minutes=10))
    assert (ended.result.answered_count, ended.current) == (0, None)
    assert ended.result.ability.mean == 0


def test_percentiles_follow_the_norm():
    normal = NormalNorm(Prior(0.5, 2.0))
    assert [round(normal.percentile(each), 1) for each in (0.5, 2.5, -1.5)] == [50.0, 84.1, 15.9]
    table = TableNorm(((-1.0, 10.0), (0.0, 50.0), (2.0, 90.0)))
    assert [table.percentile(each) for each in (-5, -1, -0.5, 0, 1, 2, 5)] == [10, 10, 30, 50, 70, 90, 90]
    assert taken(plan_of(replace(USUAL, norm=normal)), lambda _: True, ID).result.percentile > 60


@pytest.mark.parametrize(
    ("taking", "refusal"),
    [
        (Taking(ID, State.OPEN, None, None), SessionUnderWay),
        (Taking(ID, State.OPEN, None, NOW + timedelta(seconds=1)), SessionUnderWay),
        (Taking(ID, State.FINISHED, NOW - timedelta(minutes=59), None), RetakeTooEarly),
        (Taking(ID, State.OPEN, None, NOW - timedelta(minutes=59)), RetakeTooEarly),
        (Taking(ID, State.FINISHED, NOW - timedelta(hours=1), None), None),
        (Taking(ID, State.OPEN, None, NOW - timedelta(hours=1)), None),
    ],
)
def test_retakes_are_as_the_policy_allows(taking, refusal):
    blueprint = replace(USUAL, retakes=Retakes(2, timedelta(hours=1)))
    if refusal:
        with pytest.raises(refusal):
            check_retake(blueprint, (taking,), NOW)
    else:
        check_retake(blueprint, (taking,), NOW)
        with pytest.raises(NoRetakeLeft):
            check_retake(blueprint, (taking, taking), NOW)


def faults(blueprint):
    with pytest.raises(InvalidInput) as refusal:
        plan_of(blueprint)
    return [each.field for each in refusal.value.violations]


def adaptive(**changes):
    return replace(USUAL, form=replace(USUAL.form, **changes))


@pytest.mark.parametrize(
    ("blueprint", "field"),
    [
        (replace(USUAL, title=" "), "title"),
        (replace(USUAL, title="a\0"), "title"),
        (replace(USUAL, bank=""), "bank_version"),
        (adaptive(max_length=0), "adaptive.max_length"),
        (adaptive(max_length=501), "adaptive.max_length"),
        (adaptive(min_length=13), "adaptive.min_length"),
        (adaptive(max_length=31), "adaptive.max_length"),
        (adaptive(standard_error=0.0), "adaptive.standard_error"),
        (adaptive(standard_error=nan), "adaptive.standard_error"),
        (adaptive(start_ability=inf), "adaptive.start_ability"),
        (adaptive(easier_by=nan), "adaptive.easier_by"),
        (adaptive(easy_items=21), "adaptive.easy_items"),
        (adaptive(exposure=Randomesque(1)), "adaptive.randomesque.size"),
        (adaptive(exposure=SympsonHetter(1.0)), "adaptive.sympson_hetter.max_rate"),
        (adaptive(exposure=SympsonHetter(nan)), "adaptive.sympson_hetter.max_rate"),
        (adaptive(exposure=SympsonHetter(0.39)), "adaptive.sympson_hetter.max_rate"),
        (replace(USUAL, prior=Prior(nan, 1)), "prior.mean"),
        (replace(USUAL, prior=Prior(0, inf)), "prior.deviation"),
        (replace(USUAL, time_limit=timedelta(0)), "time_limit"),
        (replace(USUAL, time_limit=timedelta(hours=25)), "time_limit"),
        (replace(USUAL, retakes=Retakes(-1)), "retakes.max_sessions"),
        (replace(USUAL, retakes=Retakes(0, timedelta(days=-1))), "retakes.wait"),
        (replace(USUAL, norm=NormalNorm(Prior(0, 0))), "norm.normal.deviation"),
        (replace(USUAL, norm=TableNorm(((0, 10),))), "norm.table.rows"),
        (replace(USUAL, norm=TableNorm(((0, 10), (0, 20)))), "norm.table.rows[1]"),
        (replace(USUAL, norm=TableNorm(((0, 10), (1, 101)))), "norm.table.rows[1].percentile"),
        (replace(USUAL, form=FixedForm(("q1",)), bank="", norm=NormalNorm(Prior())), "norm"),
        (replace(USUAL, form=FixedForm(())), "fixed.items"),
        (replace(USUAL, form=FixedForm(("q1", "q1"))), "fixed.items[1]"),
        (replace(USUAL, form=FixedForm(("q1", "elsewhere"))), "fixed.items[1]"),
        (replace(USUAL, form=FixedForm(("q0", "q1")), areas=(ContentArea("adding"),)), "fixed.items[1]"),
        (
            replace(USUAL, form=FixedForm(("q0", "q1")), areas=(ContentArea("adding", 0.8), ContentArea("comparing"))),
            "content_areas",
        ),
        (replace(USUAL, areas=(ContentArea("adding"), ContentArea("adding"))), "content_areas[1].skill"),
        (replace(USUAL, areas=(ContentArea("knitting"),)), "content_areas[0].skill"),
        (
            replace(USUAL, areas=(ContentArea("adding"), ContentArea("comparing"), ContentArea("knitting"))),
            "content_areas[2].skill",
        ),
        (replace(USUAL, areas=(ContentArea("adding", nan),)), "content_areas[0].min_share"),
        (replace(USUAL, areas=(ContentArea("adding", 0.5, 0.4),)), "content_areas[0].max_share"),
        (replace(USUAL, areas=(ContentArea("adding", min_count=-1),)), "content_areas[0].min_count"),
        (replace(USUAL, areas=(ContentArea("adding", min_count=3, max_count=2),)), "content_areas[0].max_count"),
        (replace(USUAL, areas=(ContentArea("adding", 0.6), ContentArea("comparing", 0.6))), "content_areas"),
        (replace(USUAL, areas=(ContentArea("adding", 0, 0.4), ContentArea("comparing", 0, 0.4))), "content_areas"),
        (replace(USUAL, areas=(ContentArea("adding", min_count=8), ContentArea("comparing", min_count=8))), "content_areas"),
        (replace(USUAL, areas=(ContentArea("adding", min_count=11), ContentArea("comparing"))), "content_areas"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_blueprint_with_which_no_test_can_be_made_is_refused_by_its_field(blueprint, field):
    assert field in faults(blueprint)


def test_what_may_surprise_is_a_warning():
    precise = plan_of(adaptive(standard_error=0.1)).blueprint.warnings
    assert len(precise) == 1
    assert "standard_error 0.1 is out of reach for 100%" in precise[0]
    assert plan_of(adaptive(standard_error=0.6)).blueprint.warnings == ()
    narrow = plan_of(replace(adaptive(max_length=10, standard_error=None), areas=(ContentArea("adding"),))).blueprint
    assert narrow.pool_size == 10
    assert (
        "20 of the 30 items are left out, because they belong to no content area: q1, q2, q4, q5, q7, and more" in narrow.warnings
    )


def test_an_item_of_several_areas_belongs_to_the_first():
    published = {each.id: replace(each, skills=("comparing", "adding")) for each in course_items(30)}
    blueprint = replace(USUAL, areas=(ContentArea("adding"), ContentArea("comparing"), ContentArea("reducing")))
    with pytest.raises(InvalidInput) as refusal:
        with_pool(blueprint, bank(30), published, NOW)
    assert [each.field for each in refusal.value.violations] == ["content_areas[1].skill", "content_areas[2].skill"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"slope": 0.0}, "slope"),
        ({"slope": -1.0}, "slope"),
        ({"slope": nan}, "slope"),
        ({"slope": inf}, "slope"),
        ({"slope": 20.1}, "slope"),
        ({"difficulty": nan}, "difficulty"),
        ({"difficulty": -inf}, "difficulty"),
        ({"guess": -0.1}, "guess"),
        ({"guess": 0.51}, "guess"),
        ({"guess": nan}, "guess"),
        ({"slope_error": nan}, "slope_error"),
        ({"difficulty_error": -1.0}, "difficulty_error"),
        ({"guess_error": inf}, "guess_error"),
        ({"item": "q0"}, "item"),
    ],
)
def test_a_parameter_that_no_item_can_have_is_named(changes, field):
    items = [CalibratedItem("q0", 1.0, 0.0), replace(CalibratedItem("q1", 1.5, 0.5, 0.2), **changes)]
    with pytest.raises(InvalidInput) as refusal:
        BankVersion.of("numbers", ResponseModel.THREE, "", items, NOW)
    assert f"items[1].{field}" in [each.field for each in refusal.value.violations]


def test_the_parameters_fit_the_model():
    one, two = CalibratedItem("q0", 1.2, 0.0), CalibratedItem("q1", 1.5, 0.5)
    with pytest.raises(InvalidInput, match="same for all"):
        BankVersion.of("numbers", ResponseModel.ONE, "", [one, two], NOW)
    with pytest.raises(InvalidInput, match="must be 0 in the model 2PL"):
        BankVersion.of("numbers", ResponseModel.TWO, "", [one, replace(two, guess=0.2)], NOW)
    with pytest.raises(InvalidInput, match="1 to 10,000"):
        BankVersion.of("numbers", ResponseModel.TWO, "", [], NOW)
    assert BankVersion.of("numbers", ResponseModel.TWO, "", [one, two], NOW).item_count == 2


def test_a_version_is_named_by_its_content():
    assert bank(5).version == replace(bank(5), published_at=NOW).version != bank(6).version
    again = BankVersion.of("other", ResponseModel.THREE, "fit-1", calibrated(5), NOW + timedelta(days=1))
    assert again.version == bank(5).version
