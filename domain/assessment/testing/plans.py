"""A blueprint made ready to run: what comes next in a session, when it ends, and what it has measured.

Everything is a function of the blueprint, the session's answers and the session's id, which seeds every draw: whoever loads the session
from anywhere goes on exactly as if it had never been interrupted.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from random import Random

import numpy as np
from numpy.typing import NDArray

from domain.assessment.testing.balance import Balance
from domain.assessment.testing.blueprints import AdaptiveForm, Blueprint, FixedForm, PoolItem, Randomesque, SympsonHetter
from domain.assessment.testing.pools import items_of
from domain.assessment.testing.sessions import AreaResult, Result, Score, Selection, Session, State, Step
from domain.psychometrics.adaptive_testing import ExposureControl, Selector
from domain.psychometrics.irt import Items, eap, information

_MOST_PLANS = 200


@dataclass(frozen=True, slots=True)
class Plan:
    """One blueprint. `places` finds an item's index in the pool; `area` has shape (pool,)."""

    blueprint: Blueprint
    places: dict[str, int]
    items: Items | None
    selector: Selector | None
    area: NDArray[np.intp]
    balance: Balance

    @classmethod
    def of(cls, blueprint: Blueprint) -> "Plan":
        items, form = items_of(blueprint.pool), blueprint.form
        selector = None
        if isinstance(form, AdaptiveForm) and items is not None:
            selector = Selector.of(items, _exposure(form, blueprint.pool))
        return cls(
            blueprint=blueprint,
            places={each.item: place for place, each in enumerate(blueprint.pool)},
            items=items,
            selector=selector,
            area=np.array([each.area for each in blueprint.pool], dtype=np.intp),
            balance=blueprint.balance(),
        )

    def as_of(self, session: Session, now: datetime) -> Session:
        """The session as it stands now: ended if its time is over."""
        if session.late(now) and session.deadline is not None:
            return self.ended(session, State.OUT_OF_TIME, session.deadline)
        return session

    def advanced(self, session: Session, now: datetime) -> Session:
        """An open session whose items are all answered, with the next one served, or ended."""
        used = self._used(session)
        ability = self._ability(used, session)
        if state := self._end(session, used, ability):
            return self.ended(session, state, now)
        return session.serving(self._next(session, used, ability, now))

    def ended(self, session: Session, state: State, now: datetime) -> Session:
        """The session ended. An item that was served and not answered stays in its steps."""
        return session.ended(state, now, self.result(session))

    def result(self, session: Session) -> Result:
        """What the answers so far have measured."""
        used, blueprint = self._used(session), self.blueprint
        ability = self._ability(used, session)
        norm = blueprint.norm
        return Result(
            ability=ability,
            percentile=norm.percentile(ability.mean) if norm and ability else None,
            correct_count=sum(each.correct for each in session.answered),
            answered_count=session.answered_count,
            areas=tuple(self._area_result(session, place) for place in range(len(blueprint.areas))),
        )

    def _area_result(self, session: Session, area: int) -> AreaResult:
        steps = tuple(each for each in session.answered if self.area[self.places[each.item]] == area)
        alone = replace(session, steps=steps, answered_count=len(steps))
        ability = self._ability(self._used(alone), alone)
        return AreaResult(self.blueprint.areas[area].skill, sum(each.correct for each in steps), len(steps), ability)

    def _used(self, session: Session) -> list[int]:
        return [self.places[each.item] for each in session.answered]

    def _ability(self, used: Sequence[int], session: Session) -> Score | None:
        if self.items is None:
            return None
        prior = self.blueprint.prior
        if not used:
            return Score(prior.mean, prior.deviation)
        correct = [each.correct for each in session.answered]
        return Score(*eap(self.items.take(used), correct, prior.mean, prior.deviation))

    def _counts(self, used: Sequence[int]) -> list[int]:
        counts: list[int] = np.bincount(self.area[list(used)], minlength=len(self.balance.sizes)).tolist()
        return counts

    def _end(self, session: Session, used: Sequence[int], ability: Score | None) -> State | None:
        form = self.blueprint.form
        if session.answered_count >= form.max_length:
            return State.COMPLETE
        if not isinstance(form, AdaptiveForm) or ability is None or form.standard_error is None:
            return None
        precise = ability.error <= form.standard_error and session.answered_count >= form.min_length
        return State.PRECISE if precise and self.balance.holds(self._counts(used)) else None

    def _next(self, session: Session, used: Sequence[int], ability: Score | None, now: datetime) -> Step:
        form = self.blueprint.form
        aim = ability.mean if ability else 0.0
        if isinstance(form, FixedForm):
            place, propensity = _order(session.id, form)[len(used)], 1.0
        else:
            aim = self._aim(form, session.answered_count, aim)
            open_areas = self.balance.open_areas(self._counts(used), form.min_length, form.max_length)
            allowed = None if len(open_areas) == len(self.balance.sizes) else np.isin(self.area, open_areas)
            if self.selector is None:
                raise ValueError(f"test blueprint {self.blueprint.id} is adaptive and has no parameters")
            place, propensity = self.selector.next(aim, set(used), allowed, Random(f"{session.id}/{len(used)}"))  # noqa: S311
        item = self.blueprint.pool[place]
        told = 0.0 if self.items is None else float(information(self.items.take([place]), aim)[0])
        area = self.balance.areas[item.area].skill
        return Step(item.item, item.revision, now, Selection(ability, aim, told, propensity, area))

    @staticmethod
    def _aim(form: AdaptiveForm, answered: int, ability: float) -> float:
        start = form.start_ability if answered == 0 and form.start_ability is not None else ability
        return start - form.easier_by if answered < form.easy_items else start


def _exposure(form: AdaptiveForm, pool: Sequence[PoolItem]) -> ExposureControl:
    match form.exposure:
        case Randomesque(size):
            return ExposureControl.randomesque(size)
        case SympsonHetter():
            return ExposureControl.sympson_hetter([each.admission for each in pool])
    return ExposureControl.none()


def _order(session: str, form: FixedForm) -> list[int]:
    """The pool's places in the order in which this taker meets them; the pool of a fixed form is its list."""
    places = list(range(len(form.items)))
    if form.shuffled:
        # Sorting by a hash shuffles alike in every process and in every version of Python.
        places.sort(key=lambda place: sha256(f"{session}/{form.items[place]}".encode()).digest())
    return places


@dataclass(frozen=True, slots=True)
class Plans:
    """The plans in use, in the process's memory: a blueprint never changes, so what is known of it stays true."""

    most: int = _MOST_PLANS
    _plans: OrderedDict[tuple[str, str], Plan] = field(default_factory=OrderedDict)

    async def find(self, organization: str, blueprint: str, load: Callable[[str], Awaitable[Blueprint]]) -> Plan:
        """Returns the plan, made of what `load` returns if it is not at hand. Making it may take half a second, off the event loop."""
        key = (organization, blueprint)
        if (plan := self._plans.get(key)) is None:
            plan = self._plans[key] = await asyncio.to_thread(Plan.of, await load(blueprint))
            while len(self._plans) > self.most:
                self._plans.popitem(last=False)
        else:
            self._plans.move_to_end(key)
        return plan
