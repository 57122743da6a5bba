"""What the learners whom a model was trained on have shown of items and skills.

Of each item it has what the platform's online model (domain/psychometrics/response_model.py) learnt from the answers, streamed learner by
learner: a Gaussian belief about slope and intercept. It never changes after the training, so that a prediction can be made again.

A feature that was computed from the very answer that it is to predict would give that answer away. So the rows that a model is trained on
are made with tables that were learnt from other learners (lab/response_models/dataset.py).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import log
from typing import Final, NamedTuple

from domain.inference.history import History
from domain.psychometrics.response_model import Gaussian, ItemEvidence, ResponseModel

ONLINE: Final = ResponseModel()
NO_EVIDENCE: Final = ItemEvidence()
_PRIOR_ANSWERS: Final = 5.0
"""So many answers at the rate of its skills, or of everything, are added to those of an item or a skill."""
_PROBES: Final = (Gaussian(-1.0, 0.0), Gaussian(1.0, 0.0))
"""The abilities at which an item is looked at."""


class Tally(NamedTuple):
    """How many answers, and how many of them were right."""

    answers: int = 0
    right: int = 0

    def with_(self, correct: bool) -> "Tally":
        return Tally(self.answers + 1, self.right + correct)

    def share(self, prior: float) -> float:
        """Returns the share of right answers, drawn towards `prior`; in (0, 1)."""
        return (self.right + _PRIOR_ANSWERS * prior) / (self.answers + _PRIOR_ANSWERS)


NO_ANSWERS: Final = Tally()


class Item(NamedTuple):
    """What is known of an item."""

    skills: tuple[str, ...] = ()
    evidence: ItemEvidence = NO_EVIDENCE
    tally: Tally = NO_ANSWERS


UNKNOWN: Final = Item()


class Difficulty(NamedTuple):
    """An item as features see it: the log-odds of an answer by a learner of ability 0 and how they grow with each logit of ability, both
    flattened by what is not known of the item; and the log-odds of the shares of right answers to it, to its skills on average and to the
    hardest of them."""

    intercept: float
    slope: float
    share: float
    skills_mean: float
    skills_least: float
    answers: int
    skills: int


@dataclass(frozen=True)
class ItemTable:
    """Items and skills by id, and all answers together."""

    items: Mapping[str, Item] = field(default_factory=dict)
    skills: Mapping[str, Tally] = field(default_factory=dict)
    total: Tally = NO_ANSWERS

    @classmethod
    def learnt(cls, histories: Iterable[History]) -> "ItemTable":
        """Returns what the learners' answers show; the order of the learners matters a little, as in life."""
        items: dict[str, Item] = {}
        skills: dict[str, Tally] = {}
        total = NO_ANSWERS
        for history in histories:
            ability, deviations = ONLINE.new_ability, dict[str, Gaussian]()
            for each in history:
                item = items.get(each.item) or Item(each.skills)
                own = [deviations.get(name, ONLINE.new_deviation) for name in each.skills]
                lesson = ONLINE.learn(ability, own, item.evidence, each.correct)
                ability = lesson.ability
                deviations.update(zip(each.skills, lesson.deviations, strict=True))
                items[each.item] = Item(item.skills, item.evidence + lesson.evidence, item.tally.with_(each.correct))
                for name in each.skills:
                    skills[name] = skills.get(name, NO_ANSWERS).with_(each.correct)
                total = total.with_(each.correct)
        return cls(items, skills, total)

    def item(self, item_id: str) -> Item:
        return self.items.get(item_id, UNKNOWN)

    def skills_of(self, item_id: str, told: tuple[str, ...]) -> tuple[str, ...]:
        """Returns the skills that are told, or else those that the item had in training."""
        return told or self.item(item_id).skills

    def difficulty(self, item: Item, skills: tuple[str, ...]) -> Difficulty:
        """Returns an item as features see it; of an unknown one the shares are those of its skills, or of everything."""
        everything = self.total.share(0.5)
        shares = [self.skills.get(each, NO_ANSWERS).share(everything) for each in skills] or [everything]
        mean = sum(shares) / len(shares)
        low, high = (logit(ONLINE.predict(level, (), item.evidence)) for level in _PROBES)
        share = item.tally.share(mean)
        return Difficulty(
            (low + high) / 2, (high - low) / 2, logit(share), logit(mean), logit(min(shares)), item.tally.answers, len(skills)
        )


def logit(share: float) -> float:
    """Returns the log-odds of a share in (0, 1)."""
    return log(share / (1 - share))
