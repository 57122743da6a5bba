"""The report of a calibration."""

from typing import Final

import numpy as np

from domain.psychometrics.irt import informations, probabilities
from domain.psychometrics.irt_likelihood import Model
from lab.fitting.irt import IrtStudy, observed_shares
from lab.report import COLOURS, Cell, Report, figure

_ABILITIES: Final = np.linspace(-4.0, 4.0, 161)
_WORST: Final = 6
_SIGNIFICANT: Final = 0.01
_NAMES: Final = {Model.ONE: "one-parameter", Model.TWO: "two-parameter", Model.THREE: "three-parameter"}


def irt_report(study: IrtStudy, version: str) -> str:
    """Returns the report as HTML."""
    calibration = study.calibration
    report = Report("Items calibrated from responses")
    report.text(
        f"{calibration.responses:,} answers of {calibration.learners:,} learners to {len(study.log.items):,} items, the "
        f"{_NAMES[calibration.model]} logistic model; {len(study.log.errors):,} rows were left out. Version {version}."
    )
    if study.notes:
        report.text("\n\n".join(f"Note: {each}." for each in study.notes))
    _whole(report, study)
    _curves(report, study)
    _items(report, study)
    _worst(report, study)
    _dif(report, study)
    return report.html()


def _whole(report: Report, study: IrtStudy) -> None:
    calibration = study.calibration
    report.section(
        "The fit as a whole",
        "Marginal maximum likelihood, abilities standard normal. Lower AIC and BIC are better among models of the same responses. "
        "Reliability is the share of the variance of the estimated abilities that is not error.",
    )
    ended = f"converged after {calibration.steps} steps" if calibration.converged else "not converged"
    report.table(
        ["log-likelihood", "parameters", "AIC", "BIC", "reliability", "fit"],
        [
            [
                f"{calibration.log_likelihood:,.2f}",
                calibration.parameters,
                f"{calibration.aic:,.1f}",
                f"{calibration.bic:,.1f}",
                round(study.reliability, 3),
                ended,
            ]
        ],
    )


def _curves(report: Report, study: IrtStudy) -> None:
    usable = np.flatnonzero(study.calibration.usable)
    if not usable.size:
        report.section("Curves", "No item has parameters that a test can use.")
        return
    items = study.calibration.items.take(usable)
    drawn = figure(7.5, 3.0)
    left, middle, right = drawn.subplots(1, 3)
    chances = probabilities(items, _ABILITIES)
    for column in np.argsort(items.difficulty, kind="stable"):
        left.plot(_ABILITIES, chances[:, column], color=COLOURS[0], alpha=0.45, linewidth=1)
    left.set(xlabel="ability (logits)", ylabel="P(correct)", ylim=(0, 1))
    told = informations(items, _ABILITIES).sum(axis=1)
    middle.plot(_ABILITIES, told, color=COLOURS[0])
    middle.set(xlabel="ability (logits)", ylabel="information", ylim=(0, None))
    right.hist(study.ability, bins=40, range=(-4, 4), density=True, color="#c3d0d6", label="learners (density)")
    right.plot(_ABILITIES, 1 / np.sqrt(told + 1), color=COLOURS[1], label="standard error")
    right.set(xlabel="ability (logits)", ylim=(0, 1.4))
    right.legend(frameon=False, fontsize="small")
    report.section("Curves")
    report.plot(
        drawn,
        f"Left: the characteristic curves of {usable.size} items. Middle: what all of them together tell about an ability. Right: the "
        "standard error that follows, together with the prior, and where the learners are.",
    )


def _items(report: Report, study: IrtStudy) -> None:
    calibration = study.calibration
    report.section(
        "Items",
        "Estimates with standard errors (±). S-X² compares, among learners of equal total score, how many were expected to be right and how "
        "many were: a small p says that the item does not behave as the model says. With many learners small deviations show, too; with "
        "many items, one in a hundred has p below 0.01 by chance. Infit and outfit are mean squares, given for the one-parameter model.",
    )
    one = calibration.model is Model.ONE
    columns = ["item", "answers", "right", "slope", "difficulty", *(["guess"] if calibration.model is Model.THREE else [])]
    columns += ["S-X²", "df", "p", *(["infit", "outfit"] if one else []), "note"]
    rows: list[list[Cell]] = []
    for place, name in enumerate(study.log.items):
        answered, fitted = study.responses[:, place], study.fits[place]
        count = int((answered >= 0).sum())
        row: list[Cell] = [name, count, round(float((answered == 1).sum() / max(count, 1)), 3)]
        estimates = list(zip(calibration.items, calibration.errors, strict=True))
        row += [
            _stated(float(value[place]), float(error[place]))
            for value, error in estimates[: 2 + (calibration.model is Model.THREE)]
        ]
        row += [_rounded(fitted.chi_squared, 1), fitted.degrees, _p(fitted.p)]
        row += [_rounded(fitted.infit, 2), _rounded(fitted.outfit, 2)] if one else []
        rows.append([*row, calibration.notes.get(place, "")])
    report.table(columns, rows)


def _worst(report: Report, study: IrtStudy) -> None:
    usable = study.calibration.usable
    ranked = sorted((fitted.p, place) for place, fitted in enumerate(study.fits) if fitted.p is not None and usable[place])[
        :_WORST
    ]
    if not ranked:
        return
    drawn = figure(7.5, 4.6)
    axes = drawn.subplots(2, 3, sharex=True, sharey=True).ravel()
    for axis in axes[len(ranked) :]:
        axis.set_axis_off()
    for axis, (p, place) in zip(axes, ranked, strict=False):
        items = study.calibration.items.take([place])
        axis.plot(_ABILITIES, probabilities(items, _ABILITIES)[:, 0], color=COLOURS[0])
        axis.plot(*observed_shares(study, place), "o", color=COLOURS[1], markersize=4)
        axis.set_title(f"{study.log.items[place][:24]}, p {_p(p)}".replace("$", r"\$"), fontsize="small")
        axis.set(xlim=(-3, 3), ylim=(0, 1))
    bad = sum(fitted.p is not None and fitted.p < _SIGNIFICANT for fitted in study.fits)
    report.section("The items that fit worst", f"{bad} of {len(study.log.items)} items have p below {_SIGNIFICANT} in S-X².")
    report.plot(
        drawn,
        "The curve is P(correct) by ability as calibrated; the dots are the shares that were right among ten groups of learners by estimated "
        "ability. As estimates are drawn to the middle, dots of a good item may lie a little steeper than its curve.",
    )


def _dif(report: Report, study: IrtStudy) -> None:
    for each in study.dif:
        report.section(
            f"Differential item functioning: {each.focal} against {each.reference}",
            f"Mantel and Haenszel, learners matched by total score, items of class C taken out of the score (purified); {each.learners[0]:,} "
            f"learners of {each.reference}, {each.learners[1]:,} of {each.focal}. Delta below 0: harder for {each.focal} than for learners of "
            f"{each.reference} with the same score. Class A is negligible, B moderate, C large: look at the item.",
        )
        rows: list[list[Cell]] = [
            [name, None, None, None, None, "cannot be compared"]
            if found is None
            else [
                name,
                round(found.odds_ratio, 3),
                round(found.chi_squared, 2),
                _p(found.p),
                f"{found.delta:.2f} ± {found.error:.2f}",
                found.grade,
            ]
            for name, found in zip(study.log.items, each.found, strict=True)
        ]
        report.table(["item", "odds ratio", "chi-squared", "p", "delta", "class"], rows)


def _stated(value: float, error: float) -> str:
    if np.isnan(value):
        return "–"
    return f"{value:.3f}" + ("" if np.isnan(error) else f" ± {error:.3f}")


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _p(value: float | None) -> str:
    return "–" if value is None else "< 0.0001" if value < 0.0001 else f"{value:.4f}"
