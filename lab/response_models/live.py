"""The platform's own predictor, on the same answers: what a trained model has to beat."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from domain.progress.versions import MODELS
from domain.psychometrics.response_model import Gaussian, ItemEvidence
from lab.response_models.dataset import Floats, LearnerLog

LIVE: Final = MODELS.live.id


def live_predictions(seen: Sequence[LearnerLog], unseen: Sequence[LearnerLog]) -> Floats:
    """Returns P(correct) of every answer of the unseen learners (n,), by the model that counts attempts.

    It is given the answers of the seen learners first, and, because that is how it works, goes on learning of items from the unseen ones.
    """
    model = MODELS.live.response
    items: dict[str, ItemEvidence] = {}
    predicted: list[float] = []
    for place, log in enumerate((*seen, *unseen)):
        ability, deviations = model.new_ability, dict[str, Gaussian]()
        for each in log.answers:
            evidence = items.get(each.item, ItemEvidence())
            own = [deviations.get(name, model.new_deviation) for name in each.skills]
            lesson = model.learn(ability, own, evidence, each.correct)
            ability = lesson.ability
            deviations.update(zip(each.skills, lesson.deviations, strict=True))
            items[each.item] = evidence + lesson.evidence
            if place >= len(seen):
                predicted.append(lesson.predicted)
    return np.array(predicted)
