"""Decides together what is asked at the same moment: many decisions at once cost a fraction of as many one by one."""

from collections.abc import Sequence
from typing import NamedTuple

from domain.scheduler.decide import Asked, Difficulties, decide_together
from domain.scheduler.model import Decision
from domain.scheduler.policy import Policy
from domain.scheduler.pool import Pool
from domain.shared.coalescer import Coalescer
from domain.shared.errors import InvalidInput

_MOST = 64


class Case(NamedTuple):
    """All that a decision is made of."""

    pool: Pool
    difficulties: Difficulties
    policy: Policy
    asked: Asked


class Together:
    """Requests that wait when a decision could be made are decided together; a lone one does not wait for others. What becomes of a
    decision does not depend on which others are made beside it."""

    def __init__(self) -> None:
        self._coalescer: Coalescer[Case, Decision] = Coalescer(self._act, _MOST)

    async def __call__(self, case: Case) -> Decision:
        """Returns the decision. Raises InvalidInput for a goal with a skill that the course lacks."""
        return await self._coalescer("", case)

    async def _act(self, _: str, cases: Sequence[Case]) -> Sequence[Decision | Exception]:
        of_kind: dict[tuple[int, int, int], list[int]] = {}
        for place, (pool, difficulties, policy, _asked) in enumerate(cases):
            of_kind.setdefault((id(pool), id(difficulties), id(policy)), []).append(place)
        results: dict[int, Decision | Exception] = {}
        for places in of_kind.values():
            results |= zip(places, _decisions([cases[each] for each in places]), strict=True)
        return [results[place] for place in range(len(cases))]


def _decisions(cases: Sequence[Case]) -> Sequence[Decision | Exception]:
    """Returns the decision of each of the cases, which share all but what was asked, or why there is none."""
    pool, difficulties, policy, _ = cases[0]
    try:
        return decide_together(pool, difficulties, policy, [each.asked for each in cases])
    except InvalidInput as error:  # of which request is not said
        return [error] if len(cases) == 1 else [_decisions([each])[0] for each in cases]
