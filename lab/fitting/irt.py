"""Calibrates the items of a response file, says how well they fit, and whether they treat groups of learners alike."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from domain.psychometrics.dif import ItemDif, mantel_haenszel
from domain.psychometrics.irt import Floats, abilities
from domain.psychometrics.irt_fit import Calibration, Step, fit
from domain.psychometrics.irt_item_fit import ItemFit, item_fit
from domain.psychometrics.irt_likelihood import MISSING, Model, Responses
from domain.shared.errors import InvalidInput
from lab.fitting.artifact import Document, artifact, number
from lab.responses import ResponseLog

MODELS: Final = {str(each): each for each in Model}
_FEWEST_OF_A_GROUP: Final = 20


@dataclass(frozen=True, slots=True)
class GroupDif:
    """How the items of `focal` compare with those of `reference`, the largest group; `found` has one finding an item."""

    reference: str
    focal: str
    learners: tuple[int, int]
    found: list[ItemDif | None]


@dataclass(frozen=True, slots=True)
class IrtStudy:
    """`responses` has shape (learners, items): 1 right, 0 wrong, -1 missing; `notes` are about the file as a whole."""

    log: ResponseLog
    responses: Responses
    calibration: Calibration
    fits: list[ItemFit]
    ability: Floats
    error: Floats
    dif: list[GroupDif]
    notes: list[str] = field(default_factory=list)

    @property
    def reliability(self) -> float:
        """The share of the variance of estimated abilities that is not error: var(EAP) / (var(EAP) + mean error²)."""
        variance = float(self.ability.var())
        return variance / (variance + float((self.error**2).mean()))

    def document(self, source: Document) -> Document:
        """Returns the versioned artifact: the items that tests can use, and the statistics of all."""
        calibration, names = self.calibration, self.log.items
        bank = {
            names[place]: {"slope": number(slope), "difficulty": number(difficulty), "guess": number(guess)}
            for place, (slope, difficulty, guess) in enumerate(zip(*map(np.ndarray.tolist, calibration.items), strict=True))
            if calibration.usable[place]
        }
        statistics = {
            "learners": calibration.learners,
            "answers": calibration.responses,
            "rows_left_out": len(self.log.errors),
            "log_likelihood": number(calibration.log_likelihood, 9),
            "parameters": calibration.parameters,
            "aic": number(calibration.aic, 9),
            "bic": number(calibration.bic, 9),
            "reliability": number(self.reliability, 5),
            "converged": calibration.converged,
            "steps": calibration.steps,
            "notes": self.notes,
            "items": {name: self._item(place) for place, name in enumerate(names)},
        }
        return artifact("irt", {"model": str(calibration.model), "metric": "logistic", "items": bank}, statistics, source)

    def _item(self, place: int) -> Document:
        answers, fitted = self.responses[:, place], self.fits[place]
        answered = answers != MISSING
        return {
            "answers": int(answered.sum()),
            "share_right": number(float((answers == 1).sum() / max(answered.sum(), 1)), 4),
            "estimates": {name: number(float(each[place])) for name, each in self.calibration.items._asdict().items()},
            "standard_errors": {name: number(float(each[place]), 3) for name, each in self.calibration.errors._asdict().items()},
            "s_x2": {"statistic": _known(fitted.chi_squared), "degrees": fitted.degrees, "p": _known(fitted.p)},
            "infit": _known(fitted.infit),
            "outfit": _known(fitted.outfit),
            "dif": {each.focal: _dif(each.found[place], each.reference) for each in self.dif},
            "note": self.calibration.notes.get(place),
        }


def _known(value: float | None) -> float | None:
    return None if value is None else number(value, 4)


def _dif(found: ItemDif | None, reference: str) -> Document | None:
    if found is None:
        return None
    return {
        "reference": reference,
        "odds_ratio": number(found.odds_ratio, 4),
        "chi_squared": number(found.chi_squared, 4),
        "p": number(found.p, 4),
        "delta": number(found.delta, 4),
        "standard_error": number(found.error, 4),
        "class": found.grade,
    }


def study_irt(
    log: ResponseLog,
    model: Model,
    groups: Mapping[str, str] | None = None,
    on_step: Step = lambda step, log_likelihood: None,
) -> IrtStudy:
    """Calibrates the items and judges the fit; with `groups`, a group for each learner, also differential item functioning.

    Of several answers of a learner to one item the first counts. Raises ValueError, saying why, when the responses cannot be calibrated
    or the groups cannot be compared.
    """
    try:
        return _study(log, model, groups, on_step)
    except InvalidInput as problem:
        raise ValueError(problem.message) from problem


def _study(log: ResponseLog, model: Model, groups: Mapping[str, str] | None, on_step: Step) -> IrtStudy:
    responses, repeated = response_table(log)
    notes = _notes(log, responses, repeated)
    calibration = fit(responses, model, on_step)
    found = np.isfinite(calibration.items.slope)
    ability, error = abilities(calibration.items.take(np.flatnonzero(found)), responses[:, found])
    dif = [] if groups is None else _group_dif(log, responses, groups, notes)
    if not calibration.converged:
        notes.append("the fit did not converge: the parameters are where it stopped")
    return IrtStudy(log, responses, calibration, item_fit(responses, calibration.items, model), ability, error, dif, notes)


def response_table(log: ResponseLog) -> tuple[Responses, int]:
    """Returns the first answer of each learner to each item, (learners, items), and how many later ones were left out."""
    table = np.full((len(log.learners), len(log.items)), MISSING, dtype=np.int8)
    _, first = np.unique(log.learner.astype(np.int64) * max(len(log.items), 1) + log.item, return_index=True)
    table[log.learner[first], log.item[first]] = log.correct[first]
    return table, log.size - first.size


def _notes(log: ResponseLog, responses: Responses, repeated: int) -> list[str]:
    notes = []
    if repeated:
        notes.append(f"{repeated:,} answers to an item that the learner had answered before were left out: the first counts")
    missing = int((responses == MISSING).sum())
    if missing:
        complete = int((responses != MISSING).all(axis=1).sum())
        notes.append(
            f"{missing:,} of {responses.size:,} answers are missing and taken to be missing at random; {complete:,} learners answered "
            "every item, and only they count for S-X² and differential item functioning"
        )
    for value, word in ((1, "right"), (0, "wrong")):
        perfect = int(((responses == value) | (responses == MISSING)).all(axis=1).sum())
        if perfect:
            notes.append(
                f"{perfect:,} learners have everything {word}: they count, and only the prior keeps their ability finite"
            )
    return notes


def _group_dif(log: ResponseLog, responses: Responses, groups: Mapping[str, str], notes: list[str]) -> list[GroupDif]:
    group = [groups.get(each, "") for each in log.learners]
    sizes = Counter(each for each in group if each)
    if len(sizes) < 2:
        raise InvalidInput.of("group", f"must tell two groups of learners apart; there is {', '.join(sizes) or 'none'}")
    if without := group.count(""):
        notes.append(f"{without:,} learners have no group and do not count for differential item functioning")
    (reference, _), *others = sorted(sizes.items(), key=lambda each: (-each[1], each[0]))
    of = np.array(group)
    findings = []
    for focal, size in others:
        if size < _FEWEST_OF_A_GROUP:
            notes.append(f"group {focal} has {size} learners, fewer than {_FEWEST_OF_A_GROUP}: it was not compared")
            continue
        chosen = np.isin(of, (reference, focal))
        found = mantel_haenszel(responses[chosen], of[chosen] == focal, purify=True)
        findings.append(GroupDif(reference, focal, (sizes[reference], size), found))
    return findings


def observed_shares(study: IrtStudy, place: int, groups: int = 10) -> tuple[Floats, Floats]:
    """Returns, for groups of learners of like ability, the mean ability and the share who answered the item right, each (groups,)."""
    answered = np.flatnonzero(study.responses[:, place] != MISSING)
    ranked = answered[np.argsort(study.ability[answered], kind="stable")]
    parts: Sequence[NDArray[np.intp]] = [each for each in np.array_split(ranked, groups) if each.size]
    return (
        np.array([study.ability[each].mean() for each in parts]),
        np.array([(study.responses[each, place] == 1).mean() for each in parts]),
    )
