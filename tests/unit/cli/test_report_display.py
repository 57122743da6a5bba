from io import StringIO

import pytest
from rich.console import Console

from cli import report_display
from cli.api import Json


def shown(display: object, report: Json, width: int = 80) -> str:
    output = StringIO()
    display(report, Console(file=output, width=width, highlight=False))  # type: ignore[operator]
    return output.getvalue()


@pytest.mark.parametrize(
    "display",
    [
        report_display.course,
        report_display.learners,
        report_display.learner,
        report_display.heat_map,
        report_display.items,
        report_display.engagement,
        report_display.retention,
        report_display.decisions,
    ],
)
def test_an_empty_report_says_so(display: object) -> None:
    assert shown(display, {}) == f"{report_display.NOTHING}\n"


def cell(learner: str, skill: str, **fields: object) -> Json:
    return {"learner": f"learners/{learner}", "skill": f"skills/{skill}", "attemptCount": "1"} | fields


def test_the_heat_map_shows_mastery_what_is_not_known_and_what_was_never_practised() -> None:
    report = {"cells": [cell("ada", "add", mastery=0.914), cell("ada", "sub"), cell("bobby", "sub", mastery=0.0)]}
    lines = shown(report_display.heat_map, report).splitlines()
    assert lines[0].endswith("┌ add")
    assert [line.split() for line in lines[2:4]] == [["ada", "91", "?"], ["bobby", "·", "0"]]


def test_a_heat_map_that_is_too_wide_goes_on_below() -> None:
    report = {"cells": [cell("ada", f"skill-{number}", mastery=0.5) for number in range(7)]}
    rows = [line for line in shown(report_display.heat_map, report, width=25).splitlines() if line.startswith("ada")]
    assert [line.count("50") for line in rows] == [4, 3]


def test_names_cannot_style_the_terminal() -> None:
    report = {"items": [{"item": "items/[red]x", "learnerCount": "1", "choices": [{"choice": "[b]", "share": 1.0}]}]}
    text = shown(report_display.items, report, width=120)
    assert "[red]x" in text
    assert "[b] 100%" in text


def test_cohorts_are_lines_and_weeks_columns() -> None:
    cells = [
        {"cohort": "2026-09-07", "learnerCount": "4", "activeCount": "4", "shareActive": 1.0},
        {"cohort": "2026-09-07", "weeksLater": 2, "learnerCount": "4", "activeCount": "1", "shareActive": 0.25},
    ]
    assert shown(report_display.retention, {"cells": cells}).splitlines()[1].split() == ["2026-09-07", "4", "100%", "·", "25%"]
