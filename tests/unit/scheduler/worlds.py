"""Random decisions with all that they were made with, for tests over many of them. The same number gives the same."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from random import Random

from domain.scheduler.decide import Difficulties, decide
from domain.scheduler.difficulties import DifficultyChain, DifficultyEpoch
from domain.scheduler.model import Decision, Goal, Mode, ProgressUpdate, Publication, PublishedItem, PublishedSkill, SkillMastery
from domain.scheduler.policy import CONTEXT, PRACTICE_2, Arm, Balance, Bandit, BanditKind, Policy, Posterior, Weights
from domain.scheduler.pool import Pool, compiled
from domain.scheduler.state import LearnerState
from tests.unit.scheduler.making import NOW, request


@dataclass(frozen=True)
class World:
    publication: Publication
    updates: Sequence[ProgressUpdate]
    epochs: Sequence[DifficultyEpoch]
    policy: Policy
    decision: Decision

    def state(self) -> LearnerState:
        return LearnerState.new().after(self.updates)

    @cached_property
    def pool(self) -> Pool:
        return compiled(self.publication)

    @cached_property
    def difficulties(self) -> Difficulties:
        return DifficultyChain().after(self.epochs).of(self.pool)


def worlds(count: int) -> list[World]:
    return [_world(Random(seed)) for seed in range(count)]


def _world(random: Random) -> World:
    made, policy = _publication(random), _policy(random)
    now = NOW + timedelta(days=random.uniform(0, 40))
    updates, epochs = _updates(random, made, now), _epochs(random, made)
    goal = Goal(now + timedelta(days=random.uniform(-1, 60)), random.uniform(1, 60), 0.9) if random.random() < 0.3 else None
    mode = random.choice([Mode.PRACTICE, Mode.PRACTICE, Mode.PRACTICE, *Mode])
    asked = request(random.randint(1, 8), f"decision-{random.random()}", mode=mode, goal=goal)
    pool = compiled(made)
    difficulties = DifficultyChain().after(epochs).of(pool)
    decision = decide(pool, difficulties, LearnerState.new().after(updates), policy, asked, now)
    return World(made, updates, epochs, policy, decision)


def _publication(random: Random) -> Publication:
    names = [f"s{n}" for n in range(random.randint(1, 6))]
    skills = tuple(
        PublishedSkill(each, f"Skill {each}", tuple(random.sample(names[:n], k=min(n, 1)) if random.random() < 0.4 else ()))
        for n, each in enumerate(names)
    )
    items = tuple(
        PublishedItem(f"item-{n}", n + 1, tuple(random.sample(names, k=min(len(names), random.choice([1, 1, 2])))))
        for n in range(random.randint(1, 40))
    )
    return Publication("sql", random.randint(1, 9), skills, items)


def _policy(random: Random) -> Policy:
    def arm(number: int) -> Arm:
        raw = [random.random() for _ in range(6)]
        of_kind = [each / sum(raw) for each in raw]
        return Arm(f"arm-{number}", Weights(*of_kind[:5], goal=1.0 - sum(of_kind[:5])), random.choice([0.0, 0.03, 0.1]))

    kind = random.randrange(4)
    if kind < 2:
        return PRACTICE_2 if not kind else replace(PRACTICE_2, version="alone-1", arms=(arm(0),))
    arms = tuple(replace(arm(n), share=0.5) for n in range(2))
    mixed = replace(PRACTICE_2, version="mixed-1", arms=arms, balance=Balance(4, 0.6))
    if kind == 2:
        return mixed
    dimensions = range(len(CONTEXT))
    posteriors = tuple(
        Posterior(
            tuple(random.gauss(0, 0.2) for _ in dimensions),
            tuple(tuple(0.1 * float(i == j) for j in dimensions) for i in dimensions),
            0.2,
        )
        for _ in arms
    )
    return replace(mixed, version="bandit-1", bandit=Bandit(random.choice(list(BanditKind)), posteriors))


def _updates(random: Random, made: Publication, now: datetime) -> list[ProgressUpdate]:
    at = now.timestamp() - 40 * 86_400
    updates = []
    for sequence in range(1, random.randint(0, 40) + 1):
        at += random.random() * 1.9 * 86_400
        item = random.choice(made.items)
        correct = random.random() < 0.7
        updates.append(
            ProgressUpdate(
                learner="ada",
                sequence=sequence,
                course="sql",
                item=item.id,
                score=float(correct),
                correct=correct,
                skills=tuple(
                    SkillMastery(each, mean := random.random(), 0.8 * mean, 1 - 0.8 * (1 - mean), sequence)
                    for each in item.skills
                ),
                ability=random.gauss(0, 1),
                ability_error=0.4,
                item_difficulty=random.gauss(0, 1),
                answered_at=at,
                response_seconds=random.choice([None, 5.0, 60.0, 300.0]),
            )
        )
    return updates


def _epochs(random: Random, made: Publication) -> list[DifficultyEpoch]:
    chain, epochs, known = DifficultyChain(), [], {}
    for _ in range(random.randint(0, 4)):
        known |= {each.id: random.gauss(0, 1.5) for each in made.items if random.random() < 0.5}
        if (following := chain.following(known)) is not None:
            chain = chain.after([following])
            epochs.append(following)
    return epochs
