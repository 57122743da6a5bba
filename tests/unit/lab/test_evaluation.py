from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from domain.scheduler.policy import Arm, Policy, Weights
from domain.shared.errors import InvalidInput
from lab.evaluation.estimators import PoorOverlap, Sample, evaluate
from lab.evaluation.evaluating import Reward, evaluate_on, sample_of
from lab.evaluation.logs import Log, log_of, read_log, write_log
from lab.simulation.choosers import InOrder, Production
from lab.simulation.cohort import Schedule
from lab.simulation.courses import synthetic
from lab.simulation.naming import LIVE
from lab.simulation.study import Study

EXPLORING = Policy(
    "exploring",
    LIVE.model_version,
    (Arm("practice", Weights(review=0.3, growth=0.3, challenge=0.3, novelty=0.1), temperature=0.2),),
)


@pytest.fixture(scope="module")
def log() -> Log:
    study = Study((Production(EXPLORING, "exploring"),), learners=20, schedule=Schedule(2, 5), course=synthetic(30, 6))
    return log_of(study)


def bandit(seed: int, learners: int = 80, each: int = 10, tilt: float = 1.0) -> tuple[Sample, float]:
    """Decisions among four arms whose rewards are known; returns them with the true value of the target."""
    chance = np.random.default_rng(seed)
    n = learners * each
    context = chance.normal(size=n)
    arm_features = np.stack([np.cos(context * k) for k in range(1, 5)], axis=1)
    value = 1 / (1 + np.exp(-(arm_features + np.array([0.5, 0.0, -0.5, 0.2]))))
    logging = np.exp(0.3 * arm_features)
    logging /= logging.sum(axis=1, keepdims=True)
    target = np.exp(tilt * value)
    target /= target.sum(axis=1, keepdims=True)
    arm = (chance.random(n)[:, None] > logging.cumsum(axis=1)).sum(axis=1)
    rows = np.arange(n)
    reward = (chance.random(n) < value[rows, arm]).astype(float)
    features = np.stack([arm_features, np.broadcast_to(np.arange(4), (n, 4))], axis=2)
    return Sample(
        np.repeat(np.arange(learners), each),
        reward,
        logging[rows, arm],
        target[rows, arm],
        features[rows, arm],
        (target[..., None] * features).sum(axis=1),
    ), float((target * value).sum(axis=1).mean())


def test_the_intervals_hold_the_truth_about_as_often_as_they_say():
    held = np.zeros(3)
    truth = np.mean([bandit(1_000 + seed, tilt=3.0)[1] for seed in range(50)])
    for seed in range(60):
        found = evaluate(bandit(seed, tilt=3.0)[0], seed)
        held += [each.lower <= truth <= each.upper for each in (found.ips, found.snips, found.doubly_robust)]
    assert (held >= 51).all(), held


def test_a_good_outcome_model_makes_the_doubly_robust_interval_the_narrower_one():
    sample, truth = bandit(3, tilt=3.0)
    noiseless = replace(sample, reward=sample.features[:, 0], expected=sample.expected)
    found = evaluate(noiseless)
    assert found.doubly_robust.upper - found.doubly_robust.lower < 0.9 * (found.ips.upper - found.ips.lower)
    assert 0 < truth < 1


def test_the_logging_policy_itself_is_worth_what_it_earned():
    sample, _ = bandit(4)
    found = evaluate(replace(sample, target=sample.logged))
    assert found.effective_size == pytest.approx(800)
    assert found.ips == found.snips == found.logged


def test_equal_seeds_give_equal_intervals():
    sample, _ = bandit(5)
    assert evaluate(sample, 1) == evaluate(sample, 1)
    assert evaluate(sample, 1).ips.lower != evaluate(sample, 2).ips.lower


def test_clipping_is_said():
    sample, _ = bandit(6, tilt=8.0)
    found = evaluate(sample, clip=2.0)
    assert found.clipped > 0
    assert found.clip == 2.0


def test_a_few_heavy_decisions_are_refused():
    sample, _ = bandit(7)
    heavy = np.where(np.arange(800) % 80 == 0, 40.0, 0.5) * sample.logged
    with pytest.raises(PoorOverlap, match="worth 39"):
        evaluate(replace(sample, target=heavy))


def test_what_the_log_could_never_show_is_refused():
    sample, _ = bandit(8)
    with pytest.raises(PoorOverlap, match="had a chance"):
        evaluate(replace(sample, target=0.4 * sample.logged))


def test_following_a_log_finds_the_very_probabilities_that_were_logged(log):
    sample = sample_of(log, EXPLORING, Reward.CORRECT)
    assert sample.target == pytest.approx(sample.logged, rel=1e-9)


def test_rewards_are_right_answers_or_moves_of_mastery(log):
    correct, gain = (sample_of(log, EXPLORING, each).reward for each in Reward)
    assert set(correct) == {0.0, 1.0}
    assert gain[correct == 1].mean() > 0 > gain[correct == 0].mean()


@pytest.mark.parametrize("name", ["log.parquet", "log.jsonl"])
def test_a_log_comes_back_as_it_was_written_and_in_the_same_bytes(log, tmp_path: Path, name):
    write_log(tmp_path / name, log)
    first = (tmp_path / name).read_bytes()
    write_log(tmp_path / name, log)
    assert (tmp_path / name).read_bytes() == first
    found = read_log(tmp_path / name)
    assert evaluate_on(found, EXPLORING) == evaluate_on(log, EXPLORING)


def test_a_log_in_course_order_says_nothing_of_another_policy():
    study = Study((InOrder(),), learners=20, schedule=Schedule(2, 5), course=synthetic(30, 6))
    with pytest.raises(PoorOverlap, match="Log with a policy that explores"):
        evaluate_on(log_of(study), EXPLORING)


def test_a_log_that_does_not_begin_with_the_first_answer_is_refused(log):
    with pytest.raises(InvalidInput, match="from the first on"):
        evaluate_on(Log(log.course, log.rows[20:]), EXPLORING)


@pytest.mark.parametrize(
    ("was", "becomes", "what"),
    [
        ('"propensity":', '"propensity":0.0,"was":', "could not be shown"),
        ('"propensity":', '"propensity":NaN,"was":', "finite"),
        ('"score":', '"score":7,"was":', "score"),
        ('"item":', '"item":"elsewhere","was":', "course lacks"),
        ('"means":', '"was":', "incomplete"),
        ('"ability":', '"ability":"high","was":', "right kind"),
    ],
)
def test_a_bad_row_is_named(log, tmp_path: Path, was, becomes, what):
    path = tmp_path / "log.jsonl"
    write_log(path, log)
    lines = path.read_text().splitlines()
    lines[3] = lines[3].replace(was, becomes, 1)
    path.write_text("\n".join(lines))
    with pytest.raises(InvalidInput, match=what) as refusal:
        read_log(path)
    assert refusal.value.violations[0].field == "log row 3"


@pytest.mark.parametrize("content", ["", "{", '{"learner": 1}', '{"course": {}}', "[]"])
def test_a_file_that_is_no_log_is_refused(tmp_path: Path, content):
    path = tmp_path / "log.jsonl"
    path.write_text(content)
    with pytest.raises(InvalidInput):
        read_log(path)


def test_an_empty_log_is_refused():
    with pytest.raises(InvalidInput, match="no decision"):
        evaluate_on(Log(synthetic(30, 6), []), EXPLORING)
