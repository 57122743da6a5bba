"""What a model of features sees of a learner and an item: a row of numbers, made the same way in training and in service.

A `Learner` takes in answers one after the other and tells at any time what is known before the next one. What is known falls into `PARTS`;
each can be left unknown, which is how explanations ask what it is worth.
"""

from collections.abc import Collection, Iterable
from math import log1p
from typing import Final, NamedTuple

from domain.inference.history import Answered
from domain.inference.item_table import ONLINE, UNKNOWN, Difficulty, Item, ItemTable, logit
from domain.psychometrics.response_model import Gaussian

ABILITY, PRACTICE, LATELY, ITEM, AGAIN = PARTS = ("ability", "practice", "lately", "item", "again")
"""The learner's level over all answers; what came of the item's skills; of the newest answers; the item itself; its earlier answers."""

FEATURES: Final = (
    "expected",
    "ability",
    "ability_deviation",
    "skills_deviation",
    "skills_surplus",
    "skills_answers",
    "skills_last",
    "skills_gap",
    "skills_days",
    "lately_surplus",
    "lately_share",
    "answers",
    "days",
    "item_intercept",
    "item_slope",
    "item_share",
    "item_skills_mean",
    "item_skills_least",
    "item_answers",
    "item_skill_count",
    "again_times",
    "again_last",
)
"""The columns, in this order. `expected` is what the online model predicts from ability, practice and item, as log-odds; a surplus is how
much more was right than expected, weighted by recency; `last` is 1, -1 or, for nothing yet, 0; gaps are in answers, days in days, and both
of them and counts as log(1 + n)."""
RISING: Final = ("expected", "ability", "skills_deviation", "item_intercept", "item_share")
"""The features with which P(correct) may only rise."""

LATELY_FADES: Final = 0.5 ** (1 / 8)
SKILLS_FADE: Final = 0.5 ** (1 / 4)
"""Of the weight of an answer this is left with each one after it: half after 8 answers, and after 4 to the same skill."""
_DAY: Final = 86_400.0


class Recent(NamedTuple):
    """What came of answers, weighted by recency: how much more was right than expected, how much was right, and the weight of both."""

    surplus: float = 0.0
    right: float = 0.0
    weight: float = 0.0
    answers: int = 0
    last: bool | None = None
    last_place: int = 0
    last_at: float | None = None

    def after(self, correct: bool, expected: float, fading: float, place: int, at: float | None) -> "Recent":
        return Recent(
            fading * self.surplus + correct - expected,
            fading * self.right + correct,
            fading * self.weight + 1,
            self.answers + 1,
            correct,
            place,
            at if at is not None else self.last_at,
        )

    @property
    def mean_surplus(self) -> float:
        return self.surplus / (self.weight + 1)

    @property
    def share(self) -> float:
        return (self.right + 1) / (self.weight + 2)


NOTHING: Final = Recent()


class Known(NamedTuple):
    """All that is known before an answer; `gap` is how many answers ago one of the item's skills was last answered, 0 if never. `days` and
    `skills_days` are since the last answer, 0 where times are not known."""

    ability: Gaussian
    deviations: tuple[Gaussian, ...]
    practice: tuple[Recent, ...]
    gap: int
    skills_days: float
    lately: Recent
    days: float
    item: Item
    skills: tuple[str, ...]
    difficulty: Difficulty
    again: Recent

    @property
    def skills_answers(self) -> int:
        """Answers to the least practised of the skills."""
        return min((each.answers for each in self.practice), default=0)

    @property
    def skills_surplus(self) -> float:
        return sum(each.mean_surplus for each in self.practice) / max(len(self.practice), 1)

    def without(self, parts: Collection[str], table: ItemTable) -> "Known":
        """Returns what would be known without these parts."""
        known = self
        if ABILITY in parts:
            known = known._replace(ability=ONLINE.new_ability)
        if PRACTICE in parts:
            new, nothing = (ONLINE.new_deviation,) * len(self.skills), (NOTHING,) * len(self.skills)
            known = known._replace(deviations=new, practice=nothing, gap=0, skills_days=0.0)
        if LATELY in parts:
            known = known._replace(lately=NOTHING, days=0.0)
        if ITEM in parts:
            known = known._replace(item=UNKNOWN, difficulty=table.difficulty(UNKNOWN, ()))
        if AGAIN in parts:
            known = known._replace(again=NOTHING)
        return known

    def row(self) -> list[float]:
        """Returns the features, in the order of FEATURES; all are finite."""
        expected = logit(ONLINE.predict(self.ability, self.deviations, self.item.evidence))
        last = min((_sign(each.last) for each in self.practice), default=0.0)
        difficulty = self.difficulty
        return [
            expected,
            self.ability.mean,
            self.ability.variance**0.5,
            sum(each.mean for each in self.deviations),
            self.skills_surplus,
            log1p(self.skills_answers),
            last,
            log1p(self.gap),
            log1p(self.skills_days),
            self.lately.mean_surplus,
            self.lately.share,
            log1p(self.lately.answers),
            log1p(self.days),
            difficulty.intercept,
            difficulty.slope,
            difficulty.share,
            difficulty.skills_mean,
            difficulty.skills_least,
            log1p(difficulty.answers),
            float(difficulty.skills),
            log1p(self.again.answers),
            _sign(self.again.last),
        ]


class Learner:
    """What the answers of one learner have shown so far. `timed` says whether the model knows of time."""

    def __init__(self, table: ItemTable, timed: bool, answers: Iterable[Answered] = ()) -> None:
        self._table = table
        self._timed = timed
        self._ability = ONLINE.new_ability
        self._deviations: dict[str, Gaussian] = {}
        self._lately = NOTHING
        self._skills: dict[str, Recent] = {}
        self._items: dict[str, Recent] = {}
        for each in answers:
            self.observe(each)

    def known(self, item_id: str, told: tuple[str, ...], at: float | None, item: Item | None = None) -> Known:
        """Returns what is known before an answer to the item at a time; `item` replaces what the table says of it."""
        skills = self._table.skills_of(item_id, told)
        item = self._table.item(item_id) if item is None else item
        practice = tuple([self._skills.get(each, NOTHING) for each in skills])
        practised = [each for each in practice if each.answers]
        last = max(practised, key=lambda each: each.last_place, default=NOTHING)
        return Known(
            ability=self._ability,
            deviations=tuple([self._deviations.get(each, ONLINE.new_deviation) for each in skills]),
            practice=practice,
            gap=self._lately.answers - last.last_place + 1 if practised else 0,
            skills_days=self._days(last.last_at, at),
            lately=self._lately,
            days=self._days(self._lately.last_at, at),
            item=item,
            skills=skills,
            difficulty=self._table.difficulty(item, skills),
            again=self._items.get(item_id, NOTHING),
        )

    def observe(self, answer: Answered) -> None:
        """Takes in the learner's next answer."""
        skills = self._table.skills_of(answer.item, answer.skills)
        own = [self._deviations.get(each, ONLINE.new_deviation) for each in skills]
        lesson = ONLINE.learn(self._ability, own, self._table.item(answer.item).evidence, answer.correct)
        self._ability = lesson.ability
        self._deviations.update(zip(skills, lesson.deviations, strict=True))
        place = self._lately.answers + 1
        told = answer.correct, lesson.predicted
        self._lately = self._lately.after(*told, LATELY_FADES, place, answer.at)
        for each in skills:
            self._skills[each] = self._skills.get(each, NOTHING).after(*told, SKILLS_FADE, place, answer.at)
        self._items[answer.item] = self._items.get(answer.item, NOTHING).after(*told, SKILLS_FADE, place, answer.at)

    def _days(self, last: float | None, at: float | None) -> float:
        return max(at - last, 0.0) / _DAY if self._timed and last is not None and at is not None else 0.0


def _sign(last: bool | None) -> float:
    return 0.0 if last is None else 1.0 if last else -1.0
