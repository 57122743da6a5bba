from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.psychometrics import bkt
from domain.psychometrics.bkt import Growth, Ranges, Tracing
from domain.shared.errors import InvalidInput

TRACING = Tracing()
ALL_OR_NOTHING = Tracing(sets=48, ends=(0.035, 0.965), growth=None)
estimate, new_skill, observe = TRACING.estimate, TRACING.new_skill, TRACING.observe
scores = st.floats(0, 1)
histories = st.lists(scores, max_size=60)


def after(history: list[float], skills: int = 1) -> list[bkt.State]:
    states = [new_skill()] * skills
    for score in history:
        states = observe(states, score)
    return states


@given(histories, st.integers(1, 20))
def test_estimates_are_probabilities_inside_their_interval(history: list[float], skills: int) -> None:
    for state in after(history, skills):
        found = estimate(state)
        assert 0 < found.lower <= found.mean <= found.upper < 1
        assert np.isfinite(state).all()
        assert state.sum() == pytest.approx(1, abs=1e-4)


@given(histories, scores, scores)
def test_a_better_score_never_lowers_the_mean(history: list[float], one: float, other: float) -> None:
    low, high = sorted((one, other))
    [state] = after(history)
    worse, better = (estimate(observe([state], each)[0]).mean for each in (low, high))
    assert worse <= better + 1e-5


@given(histories)
def test_a_right_answer_to_a_single_skill_never_lowers_the_mean(history: list[float]) -> None:
    [state] = after(history)
    assert estimate(observe([state], 1.0)[0]).mean >= estimate(state).mean - 1e-3


@given(st.lists(histories, min_size=2, max_size=5), scores)
def test_the_order_of_the_skills_does_not_matter(pasts: list[list[float]], score: float) -> None:
    states = [after(each)[0] for each in pasts]
    forward = observe(states, score)
    backward = observe(states[::-1], score)[::-1]
    for one, other in zip(forward, backward, strict=True):
        assert one == pytest.approx(other, abs=1e-5)


@given(histories, scores)
def test_observing_changes_nothing_in_place(history: list[float], score: float) -> None:
    [state] = after(history)
    before = state.copy()
    observe([state, state], score)
    assert (state == before).all()


def test_one_parameter_set_follows_the_published_recursion() -> None:
    """Corbett and Anderson 1995: P(L|right) = P(L)(1-S) / (P(L)(1-S) + (1-P(L))G); then P(L)(1-F) + (1-P(L))T, F for forgetting."""
    [state] = ALL_OR_NOTHING.observe([ALL_OR_NOTHING.new_skill()], 1.0)
    prior, learn, guess, slip, forget, _ = (each[0].astype(float) for each in ALL_OR_NOTHING.parameters)
    known = prior * (1 - slip) / (prior * (1 - slip) + (1 - prior) * guess)
    weight = state.sum(axis=0)
    assert state[0] / weight == pytest.approx(known * (1 - forget) + (1 - known) * learn, abs=1e-5)
    likelihood = prior * (1 - slip) + (1 - prior) * guess
    assert weight == pytest.approx(likelihood / likelihood.sum(), abs=1e-6)


def test_a_wrong_answer_is_charged_to_the_weakest_skill() -> None:
    strong, weak = after([1.0] * 8)[0], after([0.0] * 3)[0]
    strong_after, weak_after = observe([strong, weak], 0.0)
    lost = estimate(strong).mean - estimate(strong_after).mean
    alone = estimate(strong).mean - estimate(observe([strong], 0.0)[0]).mean
    assert lost < alone / 5
    assert estimate(weak_after).mean < 0.5


@pytest.mark.parametrize("skills", [1, 2, 3, 8, 20])
def test_a_lesson_of_items_with_several_skills_can_be_mastered(skills: int) -> None:
    assert all(estimate(each).mean > 0.95 for each in after([1.0] * 30, skills))


@pytest.mark.parametrize(("certain_score", "later_score"), [(1.0, 0.0), (0.0, 1.0)])
def test_nothing_is_ever_so_certain_that_later_answers_cannot_change_it(certain_score: float, later_score: float) -> None:
    certain = after([certain_score] * 500)[0]
    changed = certain
    for _ in range(15):
        [changed] = observe([changed], later_score)
    assert abs(estimate(changed).mean - estimate(certain).mean) > 0.3


def simulated(random: np.random.Generator, count: int, ranges: Ranges) -> list[np.ndarray]:
    """True parameters of so many learners' skills: prior, learn, guess, slip, forget, decay."""
    return [
        low * (high / low) ** random.random(count) if name == "decay" else random.uniform(low, high, count)
        for name, (low, high) in ranges._asdict().items()
    ]


Gaps = Callable[[np.random.Generator, int, int], np.ndarray]


def one_sitting(random: np.random.Generator, learners: int, length: int) -> np.ndarray:
    return np.zeros(learners)


def daily(random: np.random.Generator, learners: int, length: int) -> np.ndarray:
    """Five answers, then some days."""
    return random.exponential(5.0, learners) if length % 5 == 0 else np.zeros(learners)


def seldom(random: np.random.Generator, learners: int, length: int) -> np.ndarray:
    """Ten answers, then some weeks."""
    return random.exponential(40.0, learners) if length % 10 == 0 else np.zeros(learners)


def coverage(
    tracing: Tracing, ranges: Ranges, gaps: Gaps, learners: int = 4000
) -> tuple[dict[int, float], np.ndarray, np.ndarray]:
    """Returns, by number of answers, how often the interval holds P(mastered) as the true parameters give it; and all the means claimed
    with whether the skill was mastered."""
    random = np.random.default_rng(20)
    prior, learn, guess, slip, forget, decay = simulated(random, learners, ranges)
    exact, states, knows = prior, [tracing.new_skill()] * learners, random.random(learners) < prior
    covered: dict[int, float] = {}
    claimed: list[np.ndarray] = []
    mastered: list[np.ndarray] = []
    for length in range(41):
        days = gaps(random, learners, length) if length else np.zeros(learners)
        kept = np.exp(-decay * days)
        exact, knows = exact * kept, knows & (random.random(learners) < kept)
        retained = tracing.retained(states, days.tolist())
        if length in (0, 1, 2, 3, 5, 10, 20, 40):
            means, lower, upper = np.array(tracing.estimates(retained)).T
            covered[length] = float(((lower <= exact) & (exact <= upper)).mean())
            claimed.append(means)
            mastered.append(knows)
        right = random.random(learners) < np.where(knows, 1 - slip, guess)
        shown = np.where(right, 1 - slip, slip) * exact
        exact = shown / (shown + np.where(right, guess, 1 - guess) * (1 - exact))
        exact = exact * (1 - forget) + (1 - exact) * learn
        knows = np.where(knows, random.random(learners) >= forget, random.random(learners) < learn)
        states = tracing.observe_each(retained, [1] * learners, right.astype(float).tolist())
    return covered, np.concatenate(claimed), np.concatenate(mastered)


@pytest.mark.parametrize("gaps", [one_sitting, daily, seldom])
def test_the_interval_covers_what_knowing_the_parameters_would_say(gaps: Gaps) -> None:
    """In simulation, the 90 % interval holds P(mastered) by the true parameters about nine times in ten, however long the learners stayed
    away, even if each skill is all or nothing."""
    covered, said, was = coverage(TRACING, Ranges(), gaps)
    assert 0.87 <= float(np.mean(list(covered.values()))) <= 0.93, covered
    assert all(0.8 <= each <= 0.95 for each in covered.values()), covered
    bins = np.minimum((said * 10).astype(int), 9)
    for each in range(10):
        assert was[bins == each].mean() == pytest.approx(said[bins == each].mean(), abs=0.12)


@pytest.mark.parametrize("gaps", [one_sitting, daily, seldom])
def test_who_knows_that_skills_are_all_or_nothing_says_more_and_is_as_right(gaps: Gaps) -> None:
    """The version before: right at every length, of learners of this kind."""
    covered, said, was = coverage(ALL_OR_NOTHING, Ranges(), gaps)
    assert all(0.86 <= each <= 0.93 for each in covered.values()), covered
    bins = np.minimum((said * 10).astype(int), 9)
    for each in range(10):
        assert was[bins == each].mean() == pytest.approx(said[bins == each].mean(), abs=0.05)


@pytest.mark.parametrize(
    ("ranges", "least"),
    [
        pytest.param(Ranges(prior=(0.2, 0.5), learn=(0.05, 0.2), guess=(0.1, 0.25), slip=(0.05, 0.1)), 0.9, id="narrower"),
        pytest.param(Ranges(prior=(0.0, 0.9), learn=(0.005, 0.4), slip=(0.01, 0.25), decay=(0.0002, 0.06)), 0.75, id="wider"),
        pytest.param(Ranges(decay=(0.06, 0.12)), 0.6, id="forgetting twice to four times as fast as thought possible"),
    ],
)
def test_where_the_ranges_are_wrong_the_interval_says_less_than_it_claims_but_not_nothing(ranges: Ranges, least: float) -> None:
    covered, _, _ = coverage(TRACING, ranges, daily, 1500)
    assert float(np.mean(list(covered.values()))) >= least, covered


@pytest.mark.parametrize("rights", [5, 12, 40])
def test_after_many_right_answers_the_interval_is_still_one(rights: int) -> None:
    """Among learners who answered all of them right, the interval holds P(mastered) by the true parameters about nine times in ten."""
    random = np.random.default_rng(21)
    prior, learn, guess, slip, forget, _ = simulated(random, 100_000, Ranges())
    exact, chance = prior, np.ones_like(prior)
    for _ in range(rights):
        right = exact * (1 - slip) + (1 - exact) * guess
        chance = chance * right
        exact = exact * (1 - slip) / right
        exact = exact * (1 - forget) + (1 - exact) * learn
    states = [ALL_OR_NOTHING.new_skill()]
    for _ in range(rights):
        states = ALL_OR_NOTHING.observe(states, 1.0)
    found = ALL_OR_NOTHING.estimate(states[0])
    inside = (found.lower <= exact) & (exact <= found.upper)
    assert 0.83 <= np.average(inside, weights=chance) <= 0.97
    assert found.mean == pytest.approx(np.average(exact, weights=chance), abs=0.005)
    assert found.upper - found.lower > 0.005


@given(st.lists(st.tuples(histories, st.integers(1, 3), scores), min_size=1, max_size=8))
def test_answers_observed_together_come_to_exactly_the_same_as_alone(told: list[tuple[list[float], int, float]]) -> None:
    before = [after(history, skills) for history, skills, _ in told]
    alone = [state for states, (_, _, score) in zip(before, told, strict=True) for state in observe(states, score)]
    together = TRACING.observe_each(
        [state for states in before for state in states], [skills for _, skills, _ in told], [score for _, _, score in told]
    )
    assert all((one == other).all() for one, other in zip(alone, together, strict=True))
    assert TRACING.estimates(together) == [estimate(each) for each in alone]


@given(histories, st.floats(0, 3000), st.floats(0, 3000))
def test_time_only_takes_and_takes_as_much_in_two_steps_as_in_one(history: list[float], first: float, second: float) -> None:
    [state] = after(history)
    [once] = TRACING.retained([state], [first])
    [twice] = TRACING.retained([once], [second])
    [together] = TRACING.retained([state], [first + second])
    assert bkt.means([once])[0] <= bkt.means([state])[0] + 1e-6
    assert twice == pytest.approx(together, abs=1e-5)
    assert together.sum() == pytest.approx(1, abs=1e-5)
    found = estimate(together)
    assert 0 <= found.lower <= found.mean <= found.upper < 1


def test_the_interval_widens_while_nobody_practises() -> None:
    [state] = after([1.0] * 12)
    widths = [each.upper - each.lower for each in TRACING.estimates(TRACING.retained([state] * 4, [0.0, 7.0, 30.0, 90.0]))]
    assert widths == sorted(widths)
    assert widths[-1] > 5 * widths[0]


def test_after_a_hundred_years_everything_can_be_learnt_again() -> None:
    states = list(TRACING.retained(after([1.0] * 20, 3), [36_500.0] * 3))
    assert all(estimate(each).mean < 0.01 for each in states)
    for _ in range(30):
        states = observe(states, 1.0)
    assert all(np.isfinite(each).all() and estimate(each).mean > 0.9 for each in states)


def test_the_first_version_says_what_it_said() -> None:
    """Numbers that the code of version bkt-2 printed."""
    tracing = Tracing(Ranges(decay=(0.0, 0.0)), sets=32, ends=(0.05, 0.95), growth=None)
    states = [tracing.new_skill()] * 2
    for score in (1.0, 0.0, 0.4, 1.0, 1.0):
        states = tracing.observe(tracing.retained(states, [3.0, 400.0]), score)
    for found in tracing.estimates(states):
        assert found == pytest.approx((0.9402843713760376, 0.7564200162887573, 0.9938206076622009), abs=1e-6)


@given(histories)
def test_a_state_of_another_version_is_taken_over_with_its_mean_and_interval(history: list[float]) -> None:
    old = Tracing(Ranges(decay=(0.0, 0.0)), sets=32, growth=None)
    states = [old.new_skill()]
    for score in history:
        states = old.observe(states, score)
    before, now = old.estimate(states[0]), estimate(TRACING.adopted(states[0]))
    assert now.mean == pytest.approx(before.mean, abs=0.03)
    assert TRACING.adopted(states[0]).sum() == pytest.approx(1, abs=1e-5)
    assert TRACING.adopted(new_skill()) is not None


def test_a_skill_with_parameters_of_its_own_follows_them_beside_others() -> None:
    known = Ranges((0.3, 0.3), (0.1, 0.1), (0.2, 0.2), (0.1, 0.1), (0.0, 0.0), (0.01, 0.01))
    tracing = Tracing(skills={"sum": known}, growth=None)
    states = [tracing.new_skill("add"), tracing.new_skill("sum")]
    retained = tracing.retained(states, [10.0, 10.0], ["add", "sum"])
    add, total = tracing.observe_each(retained, [1, 1], [1.0, 1.0], ["add", "sum"])
    everyone = Tracing(growth=None)
    [plain] = everyone.observe_each(everyone.retained([everyone.new_skill()], [10.0]), [1], [1.0])
    assert (add == plain).all()
    start = 0.3 * np.exp(-0.1)
    right = start * 0.9 / (start * 0.9 + (1 - start) * 0.2)
    assert tracing.estimate(total).mean == pytest.approx(right + (1 - right) * 0.1, abs=1e-5)


@pytest.mark.parametrize("low_high", [(-0.1, 0.5), (0.5, 0.4), (0.5, 1.5), (float("nan"), 0.5), (0.1, float("inf"))])
def test_ranges_that_mean_nothing_are_refused_by_name(low_high: tuple[float, float]) -> None:
    with pytest.raises(InvalidInput, match=r"skills\.sum\.learn"):
        Tracing(skills={"sum": Ranges(learn=low_high)})
    with pytest.raises(InvalidInput, match=r"ranges\.guess"):
        Tracing(Ranges(guess=(0.5, 0.9), slip=(0.05, 0.3)))


def by_degrees(tracing: Tracing, pace: float | None, start: float | None, answers: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the estimates of 2000 learners who know the skill by degrees, after so many answers, and the true degrees."""
    random = np.random.default_rng(5)
    low, high = Growth().pace
    rise = low * (high / low) ** random.random(2000) if pace is None else np.full(2000, pace)
    logit = random.uniform(*Growth().start, 2000) if start is None else np.full(2000, start)
    guess, slip = random.uniform(*Ranges().guess, 2000), random.uniform(*Ranges().slip, 2000)
    states = [tracing.new_skill()] * 2000
    for _ in range(answers):
        right = random.random(2000) < guess + (1 - guess - slip) / (1 + np.exp(-logit))
        states = tracing.observe_each(states, [1] * 2000, right.astype(float).tolist())
        logit = logit + rise
    return np.array(tracing.estimates(states)), 1 / (1 + np.exp(-logit))


@pytest.mark.parametrize("answers", [5, 10, 20, 40])
def test_of_learners_who_all_grow_by_degrees_more_are_covered_than_by_all_or_nothing(answers: int) -> None:
    """The degree itself, which nobody knows who only sees so many answers."""
    found, degree = by_degrees(TRACING, None, None, answers)
    assert ((found[:, 1] <= degree) & (degree <= found[:, 2])).mean() >= 0.64
    assert found[:, 0].mean() == pytest.approx(degree.mean(), abs=0.06)
    before, _ = by_degrees(ALL_OR_NOTHING, None, None, answers)
    assert ((before[:, 1] <= degree) & (degree <= before[:, 2])).mean() <= 0.6


@pytest.mark.parametrize(("answers", "least"), [(10, 0.6), (40, 0.1)])
def test_who_stops_learning_is_overrated_and_the_longer_the_more(answers: int, least: float) -> None:
    """No set stands still, and none is mastered but in part for ever: a learner at 0.85 passes for a master after forty answers."""
    found, degree = by_degrees(TRACING, 0.0, 1.75, answers)
    assert ((found[:, 1] <= degree) & (degree <= found[:, 2])).mean() >= least
    assert found[:, 0].mean() <= degree.mean() + 0.13


def test_a_set_by_degrees_grows_by_its_pace_whatever_the_answers_and_fades_by_its_decay() -> None:
    """Cen, Koedinger and Junker 2006: the logit rises by the learning rate at each attempt."""
    only = Growth(4, (-1.0, 1.0), (0.2, 0.4))
    tracing = Tracing(sets=4, growth=only)
    logit = np.log(tracing.parameters.prior[0] / (1 - tracing.parameters.prior[0])).astype(float)
    [state] = [tracing.new_skill()]
    for score in (1.0, 0.0, 0.4):
        [state] = tracing.observe([state], score)
    risen = np.log(state[0] / state[1]) - logit
    assert (risen > 0.6 - 1e-4).all()
    assert (risen < 1.2 + 1e-4).all()
    [rested] = tracing.retained([state], [20.0])
    assert np.log(rested[0] / rested[1]) == pytest.approx(
        np.log(state[0] / state[1]) - 20.0 * tracing.parameters.decay[0], abs=1e-4
    )
    assert rested.sum(axis=0) == pytest.approx(state.sum(axis=0), abs=1e-6)


def test_a_set_by_degrees_gains_weight_as_the_likelihood_of_its_answers() -> None:
    tracing = Tracing(sets=4, growth=Growth(4))
    [state] = tracing.observe([tracing.new_skill()], 1.0)
    degree, _, guess, slip, _, _ = (each[0].astype(float) for each in tracing.parameters)
    right = guess + (1 - guess - slip) * degree
    assert state.sum(axis=0) == pytest.approx(right / right.sum(), abs=1e-6)


@pytest.mark.parametrize(
    ("growth", "field"),
    [
        (Growth(sets=0), "sets"),
        (Growth(sets=45), "sets"),
        (Growth(start=(1.0, -1.0)), "start"),
        (Growth(start=(float("nan"), 1.0)), "start"),
        (Growth(pace=(-0.1, 0.5)), "pace"),
        (Growth(pace=(0.1, float("inf"))), "pace"),
    ],
)
def test_growth_that_means_nothing_is_refused_by_name(growth: Growth, field: str) -> None:
    with pytest.raises(InvalidInput, match=rf"growth\.{field}"):
        Tracing(growth=growth)
