import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from hashlib import blake2b

import pytest

from domain.scheduler.decide import ENGINE, Asked, decide, decide_together
from domain.scheduler.difficulties import DifficultyChain
from domain.scheduler.model import Decision, Goal, Mode
from domain.scheduler.pool import compiled
from domain.scheduler.state import LearnerState
from domain.scheduler.together import Case, Together
from domain.shared.errors import InvalidInput
from tests.unit.scheduler.making import NOW, request
from tests.unit.scheduler.worlds import World, worlds


def cases_of(world: World) -> list[Case]:
    """Requests of every mode, with a goal and without, by learners who answered ever more of what the world's learner did."""
    pool = compiled(world.publication)
    difficulties = DifficultyChain().after(world.epochs).of(pool)
    states = [LearnerState.new().after(world.updates[:count]) for count in range(0, len(world.updates) + 1, 9)]
    made = []
    for number, state in enumerate(states):
        for mode in Mode:
            now = world.decision.decided_at + timedelta(hours=number)
            goal = Goal(now + timedelta(days=20 - 5 * number), 20.0) if number % 2 else None
            asked = request(1 + number % 7, f"{mode}-{number}", learner=f"ada-{number}", mode=mode, goal=goal)
            made.append(Case(pool, difficulties, world.policy, Asked(asked, state, now)))
    return made


def alone(case: Case) -> Decision:
    return decide(case.pool, case.difficulties, case.asked.state, case.policy, case.asked.request, case.asked.now)


def together(cases: Sequence[Case]) -> list[Decision | BaseException]:
    async def ask() -> list[Decision | BaseException]:
        decide_in_company = Together()
        return await asyncio.gather(*map(decide_in_company, cases), return_exceptions=True)

    return asyncio.run(ask())


def test_a_decision_is_the_same_to_the_last_digit_whoever_else_is_decided_for() -> None:
    for world in worlds(40):
        cases = cases_of(world)
        pool, difficulties, policy, _ = cases[0]
        assert decide_together(pool, difficulties, policy, [each.asked for each in cases]) == [alone(each) for each in cases]


def test_what_is_asked_at_once_is_answered_as_if_it_were_asked_alone() -> None:
    """Also over several courses and policies."""
    cases = [case for world in worlds(6) for case in cases_of(world)]
    cases.sort(key=lambda case: case.asked.request.learner)
    assert together(cases) == [alone(each) for each in cases]


def test_a_goal_that_cannot_be_spoils_nobody_elses_decision() -> None:
    cases = cases_of(next(each for each in worlds(9) if len(each.updates) > 3))
    goal = Goal(NOW + timedelta(days=400), 10.0, skills=("another-course",))
    wrong = cases[1]._replace(asked=cases[1].asked._replace(request=replace(cases[1].asked.request, goal=goal)))
    first, refused, *others = together([cases[0], wrong, *cases[2:]])
    assert isinstance(refused, InvalidInput)
    assert refused.violations[0].field == "goal.skills[0]"
    assert [first, *others] == [alone(each) for each in (cases[0], *cases[2:])]


def test_no_requests_make_no_decisions() -> None:
    pool, difficulties, policy, _ = cases_of(worlds(1)[0])[0]
    assert decide_together(pool, difficulties, policy, []) == []


@pytest.mark.parametrize("engine", ["decide-2"])
def test_the_engine_decides_as_it_did_when_it_was_named(engine: str) -> None:
    """A change that moves any number needs another name, or records of the past would no longer be replayed. Digits that another processor
    may compute otherwise are left out."""
    assert engine == ENGINE
    digest = blake2b(digest_size=8)
    for world in worlds(150):
        shown = [(each.item, round(each.propensity, 6), each.reason_kind) for each in world.decision.choices]
        recorded = [(each.item, round(each.score, 6)) for each in world.decision.candidates]
        digest.update(repr((shown, recorded, world.decision.state_lineage)).encode())
    assert digest.hexdigest() == "616b1213d35ad18a"
