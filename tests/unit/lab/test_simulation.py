import json

import numpy as np
import pytest

from domain.shared.errors import InvalidInput
from lab.simulation.chance import Luck, uniform
from lab.simulation.choosers import InOrder, Oracle, Production, Uniform
from lab.simulation.cohort import Moment, Schedule, simulate
from lab.simulation.courses import as_document, described, synthetic
from lab.simulation.families import FAMILIES, learners
from lab.simulation.html import report
from lab.simulation.naming import LIVE
from lab.simulation.outcomes import outcomes
from lab.simulation.study import Study, run
from lab.simulation.world import World

ONE_FAMILY = ("bkt", "irt-growth", "memory")


def small() -> World:
    return World.of(synthetic(40, 8), 3)


def test_luck_is_even_and_a_function_of_what_it_is_for():
    ids = np.arange(50_000)
    drawn = uniform(5, Luck.ANSWER, ids, 3)
    assert np.histogram(drawn, 10, (0, 1))[0] == pytest.approx(5_000, rel=0.06)
    assert (uniform(5, Luck.ANSWER, ids[7:9], 3) == drawn[7:9]).all()
    for other in (uniform(6, Luck.ANSWER, ids, 3), uniform(5, Luck.LEARN, ids, 3), uniform(5, Luck.ANSWER, ids, 4)):
        assert abs(np.corrcoef(drawn, other)[0, 1]) < 0.02


def test_a_course_survives_being_written_down():
    course = synthetic(12, 4)
    assert described(json.loads(json.dumps(as_document(course)))).items == course.items


@pytest.mark.parametrize(
    ("course", "what"),
    [
        ({}, "skills"),
        ({"skills": [], "items": []}, "items"),
        ({"skills": [{"id": "a"}], "items": [{"id": "x", "skills": ["b"]}]}, "skills of the course"),
        ({"skills": [{"id": "a"}], "items": [{"id": "x", "skills": []}]}, "skills of the course"),
        ({"skills": [{"id": "a"}, {"id": "a"}], "items": [{"id": "x", "skills": ["a"]}]}, "twice"),
        (
            {
                "skills": [{"id": "a", "prerequisites": ["b"]}, {"id": "b", "prerequisites": ["a"]}],
                "items": [{"id": "x", "skills": ["a"]}],
            },
            "cycle among a, b",
        ),
        ({"skills": [{"id": 3}], "items": [{"id": "x", "skills": ["a"]}]}, "text"),
    ],
)
def test_a_course_that_cannot_be_is_refused_with_the_reason(course, what):
    with pytest.raises(InvalidInput, match=what):
        described(course)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_learners_come_out_whoever_is_simulated_with_them(family):
    world = small()
    together = simulate(world, family, np.arange(12), InOrder(), Schedule(2, 5), 4)
    apart = simulate(world, family, np.arange(6, 12), InOrder(), Schedule(2, 5), 4)
    assert (together.mastered[:, 6:] == apart.mastered).all()
    assert (together.right[:, 6:] == apart.right).all()


@pytest.mark.parametrize("family", ONE_FAMILY)
def test_answers_come_out_right_as_often_as_the_truth_says(family):
    world, expected, right = small(), [], []
    ids = np.arange(400)

    def watch(moment: Moment) -> None:
        expected.append(moment.step.truth.chances(moment.items))
        right.append(moment.right)

    simulate(world, family, ids, InOrder(), Schedule(2, 10), 5, watch=watch)
    p, y = np.concatenate(expected), np.concatenate(right)
    assert (y - p).mean() == pytest.approx(0.0, abs=4 * np.sqrt((p * (1 - p)).mean() / len(p)))


@pytest.mark.parametrize("family", ONE_FAMILY)
def test_the_ideal_observer_is_calibrated(family):
    trace = simulate(small(), family, np.arange(500), InOrder(), Schedule(3, 10), 6)
    ideal, true = trace.intervals[:, 6], trace.intervals[:, 7]
    for low in np.arange(0, 1, 0.2):
        own = (low <= ideal) & (ideal < low + 0.2)
        if own.sum() > 200:
            assert true[own].mean() == pytest.approx(ideal[own].mean(), abs=0.02 + 2 / np.sqrt(own.sum())), low


@pytest.mark.parametrize("family", ONE_FAMILY)
def test_practice_teaches_and_rest_takes_away(family):
    world = small()
    people = learners(family, world, np.arange(300), 8)
    before = people.degree.mean()
    for item in world.order.tolist():
        people.answer(np.full(300, item), np.ones(300, np.bool_))
    practised = people.degree.mean()
    people.rest(np.full(300, 30.0))
    assert before < practised
    assert people.degree.mean() < practised


def test_what_was_practised_with_pauses_lasts_longer():
    world = small()
    items = np.full(600, world.order[0])

    def after(rests: list[float]) -> float:
        people = learners("memory", world, np.arange(600), 8)
        for days in rests:
            people.answer(items, np.ones(600, np.bool_))
            people.rest(np.full(600, days))
        people.rest(np.full(600, 20.0))
        return float(people.degree[:, world.item_skills[world.order[0], 0]].mean())

    assert after([2.0] * 8) > after([0.0] * 7 + [16.0]) + 0.1


@pytest.mark.parametrize("family", FAMILIES)
def test_nobody_does_better_than_the_oracle(family):
    world = small()
    policies = (Oracle(), Production(LIVE, "live"), Uniform(LIVE.met_mean), InOrder())
    found = [simulate(world, family, np.arange(60), each, Schedule(4, 15), 9).mastered.mean() for each in policies]
    assert found[0] == max(found)


def test_random_shows_open_items_only_and_each_as_often():
    world, seen = small(), []

    def watch(moment: Moment) -> None:
        seen.append((moment.items, moment.propensities))

    simulate(world, "bkt", np.arange(2_000), Uniform(0.8), Schedule(1, 1), 2, watch=watch)
    items, propensities = seen[0]
    counts = np.bincount(items, minlength=40)
    closed = {group for group, _ in zip(world.pool.lock_groups.tolist(), world.pool.lock_skills.tolist(), strict=True)}
    is_open = np.array([group not in closed for group in world.pool.item_groups.tolist()])
    assert (counts[~is_open] == 0).all()
    assert counts[is_open] == pytest.approx(2_000 / is_open.sum(), rel=0.4)
    assert (propensities == 1 / is_open.sum()).all()


def test_a_study_gives_the_same_bytes_again_and_in_two_processes():
    def written(workers: int) -> str:
        study = Study((Production(LIVE, "live"), InOrder()), learners=270, schedule=Schedule(1, 3), course=synthetic(20, 4))
        traces = run(study, workers)
        document = outcomes(study, traces)
        return json.dumps(document) + report(document, traces)

    first = written(1)
    assert first == written(1)
    assert first == written(2)


def test_a_report_shows_every_policy_and_calls_itself_simulated():
    study = Study((Uniform(0.8), InOrder()), family="memory", learners=9, schedule=Schedule(2, 3), course=synthetic(20, 4))
    traces = run(study)
    html = report(outcomes(study, traces), traces)
    assert "All of this is simulated" in html
    assert all(name in html for name in ("random", "fixed", "oracle"))
    assert html.count("<svg") == 5


def test_one_learner_and_one_item_are_a_study_too():
    course = described({"skills": [{"id": "a"}], "items": [{"id": "x", "skills": ["a"]}]})
    study = Study((Production(LIVE, "live"),), family="bkt", learners=1, schedule=Schedule(1, 2), course=course)
    found = outcomes(study, run(study))
    assert found["policies"]["live"]["exposure"]["max"] == 1.0


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"family": "wizards"}, "family"),
        ({"learners": 0}, "learners"),
        ({"seed": -1}, "seed"),
        ({"schedule": Schedule(0, 5)}, "sessions"),
        ({"schedule": Schedule(10_000, 10_000)}, "sessions"),
        ({"choosers": ()}, "policies"),
        ({"choosers": (InOrder(), InOrder())}, "policies"),
        ({"choosers": (Oracle(),)}, "policies"),
    ],
)
def test_a_study_that_cannot_be_is_refused_by_field(wrong, field):
    with pytest.raises(InvalidInput) as refusal:
        Study(**({"choosers": (InOrder(),)} | wrong))
    assert refusal.value.violations[0].field == field
