from pathlib import Path

import pytest
from google.protobuf.json_format import MessageToDict
from rich.console import Console

from cli import practice_display as display
from cli.course_format import read_course
from cli.practice_answers import kind_of

COURSE = read_course(Path(__file__).parents[3] / "courses" / "fractions")


@pytest.fixture
def console() -> Console:
    return Console(width=100, record=True, file=None, force_terminal=False, quiet=False)


@pytest.mark.parametrize("item", [each.message for each in COURSE.items], ids=lambda item: item.name)
def test_an_item_shows_everything_it_asks_about(item: object, console: Console, capsys: pytest.CaptureFixture[str]) -> None:
    body = MessageToDict(item)["body"]  # type: ignore[arg-type]
    display.show_item(console, body, "1. Skill [x]", "It is [new] for you.")
    shown = " ".join(console.export_text().replace("│", " ").split())
    assert "Skill [x]" in shown
    assert "It is [new] for you." in shown
    interaction = body[kind_of(body)]
    options = [interaction.get(each, []) for each in ("choices", "entries", "sources", "targets")]
    for option in (each for several in options for each in several if len(each["text"]) < 40 and kind_of(body) != "matching"):
        assert option["text"] in shown
    for gap in interaction.get("gaps", []):
        assert f"[{gap['id']}]" in shown


def test_a_bar_fills_with_its_share() -> None:
    assert [display.bar(share, 4) for share in (-1.0, 0.0, 0.5, 1.0, 2.0)] == ["────", "────", "━━──", "━━━━", "━━━━"]


@pytest.mark.parametrize(("mean", "lower", "upper"), [(0.5, 0.2, 0.9), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (0.02, 0.0, 0.05)])
def test_an_interval_always_shows_its_mean(mean: float, lower: float, upper: float) -> None:
    shown = display.interval_bar(mean, lower, upper).plain
    assert (len(shown), shown.count("●")) == (12, 1)


def test_mastery_of_a_new_learner_is_empty(console: Console) -> None:
    display.show_mastery(console, {"learner": "learners/ada"})
    assert console.export_text().strip() == "ada: 0 answers counted"


def test_an_explanation_shows_its_terms(console: Console) -> None:
    terms = [{"kind": "REASON_KIND_REVIEW", "value": 0.75, "weight": 0.4}]
    display.show_explanation(
        console, {"summary": "Because.", "items": [{"item": "items/a", "text": "It is due.", "terms": terms}]}
    )
    shown = console.export_text()
    assert all(each in shown for each in ("Because.", "It is due.", "review", "0.75", "0.40"))
