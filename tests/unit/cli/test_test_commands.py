"""Tests in the terminal, against a stand-in that keeps one session."""

import json
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from cli import test_commands, test_display
from cli.api import Json, Refused
from cli.bank_artifact import NotABank, bank_request
from cli.test_taking import Left, Taking

ARTIFACT = {
    "kind": "irt",
    "version": "irt-1",
    "model": {"model": "2pl", "items": {"a": {"slope": 1.5, "difficulty": -0.5, "guess": 0.0}}},
    "statistics": {"items": {"a": {"standard_errors": {"slope": 0.1, "difficulty": 0.2, "guess": None}}}},
}
SESSION = "learners/ada/testSessions/6f1c2d0e-6a53-4d4e-9a37-0c7b0a3f2b11"


def session(answered: int, state: str = "TEST_STATE_OPEN") -> Json:
    body = {"stem": f"Question {answered + 1}?", "numeric": {}}
    found: Json = {"name": SESSION, "title": "Placement", "state": state, "answeredCount": answered, "maxLength": 2}
    return found | ({"item": {"name": f"learners/ada/items/q{answered + 1}", "body": body}} if state == "TEST_STATE_OPEN" else {})


class Platform:
    """Two items; `refusals` are what it says to the next answers."""

    def __init__(self) -> None:
        self.answers: list[Json] = []
        self.asked: list[str] = []
        self.refusals: list[Refused] = []

    async def get(self, path: str) -> Json:
        self.asked.append(path)
        return session(0, "TEST_STATE_OUT_OF_TIME")

    async def post(self, path: str, body: Json) -> Json:
        self.asked.append(path)
        if path.endswith(":finish"):
            return session(len(self.answers), "TEST_STATE_FINISHED")
        if self.refusals:
            raise self.refusals.pop()
        self.answers.append(body)
        return session(len(self.answers), "TEST_STATE_OPEN" if len(self.answers) < 2 else "TEST_STATE_COMPLETE")


async def taken(platform: Platform, monkeypatch: pytest.MonkeyPatch, *typed: str) -> tuple[Json, str]:
    lines = iter(typed)
    console = Console(width=100, record=True, quiet=False)
    monkeypatch.setattr(console, "input", lambda prompt: next(lines))
    ended = await Taking(platform, console, session(0)).run()  # type: ignore[arg-type]
    return ended, console.export_text()


async def test_each_item_is_answered_until_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    platform = Platform()
    ended, shown = await taken(platform, monkeypatch, "7", "nothing", "3/4")
    assert ended["state"] == "TEST_STATE_COMPLETE"
    assert [(each["item"], each["answer"]) for each in platform.answers] == [
        ("items/q1", {"numeric": {"value": "7"}}),
        ("items/q2", {"numeric": {"value": "3/4"}}),
    ]
    assert len({each["requestId"] for each in platform.answers}) == 2
    assert "Placement: item 2, at most 2" in shown
    assert "Right" not in shown


async def test_leaving_ends_nothing_and_finishing_does(monkeypatch: pytest.MonkeyPatch) -> None:
    platform = Platform()
    with pytest.raises(Left):
        await taken(platform, monkeypatch, "7", "/quit")
    assert platform.asked == [f"/v1/{SESSION}:answer"]
    ended, _ = await taken(Platform(), monkeypatch, "/finish")
    assert ended["state"] == "TEST_STATE_FINISHED"


async def test_an_answer_that_is_refused_is_asked_for_again_unless_the_session_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    platform = Platform()
    platform.refusals = [Refused(400, {"message": "must be a number", "details": [{"reason": "INVALID_INPUT"}]})]
    ended, shown = await taken(platform, monkeypatch, "1/", "7", "8")
    assert ended["state"] == "TEST_STATE_COMPLETE"
    assert "must be a number" in shown
    platform = Platform()
    platform.refusals = [Refused(400, {"message": "it has ended", "details": [{"reason": "TEST_SESSION_ENDED"}]})]
    ended, shown = await taken(platform, monkeypatch, "7")
    assert ended["state"] == "TEST_STATE_OUT_OF_TIME"
    with pytest.raises(Refused):
        platform.refusals = [Refused(403, {"message": "no"})]
        await taken(platform, monkeypatch, "7")


def test_an_artifact_becomes_the_request_that_publishes_it(tmp_path: Path) -> None:
    (file := tmp_path / "irt.json").write_text(json.dumps(ARTIFACT))
    item = {"item": "items/a", "slope": 1.5, "difficulty": -0.5, "guess": 0.0, "slopeError": 0.1, "difficultyError": 0.2}
    assert bank_request(file) == {"model": "RESPONSE_MODEL_2PL", "calibration": "irt-1", "items": [item]}


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"version": "1", "model": {"model": "2pl", "items": {"a": {"slope": 1}}}}', "\x00"]
)
def test_a_file_that_is_no_calibration_is_refused_in_one_sentence(tmp_path: Path, text: str) -> None:
    (file := tmp_path / "irt.json").write_text(text)
    with pytest.raises(NotABank, match="is no calibration"):
        bank_request(file)
    with pytest.raises(NotABank, match="cannot be read"):
        bank_request(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("text", "said"), [("- 1", "is no blueprint"), ("a: [", "neither YAML nor JSON"), ("title: x", "is no blueprint")]
)
def test_a_file_that_is_no_blueprint_is_refused_in_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    (file := tmp_path / "test.yaml").write_text(text)
    app = typer.Typer()
    test_commands.register(app)
    done = CliRunner().invoke(app, ["test", "create", str(file)])
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())


def test_a_result_shows_what_was_measured_and_how_items_were_chosen() -> None:
    console = Console(width=120, record=True)
    found = session(1, "TEST_STATE_PRECISE") | {
        "result": {
            "ability": {"mean": 0.31, "standardError": 0.4},
            "percentile": 62.2,
            "correctCount": 1,
            "answeredCount": 1,
            "areas": [{"skill": "skills/adding", "correctCount": 1, "answeredCount": 1, "ability": {"standardError": 0.9}}],
        },
        "steps": [
            {
                "item": "items/q1",
                "response": "learners/ada/responses/1",
                "correct": True,
                "selection": {"ability": {"standardError": 1.0}, "information": 0.5, "propensity": 0.2},
            }
        ],
    }
    test_display.show_result(console, found)
    test_display.show_steps(console, found)
    test_display.show_sessions(console, [found | {"blueprint": "testBlueprints/placement", "startTime": "2026-11-22T12:00:00Z"}])
    shown = console.export_text()
    for each in (
        "precise enough",
        "1 of 1",
        "+0.31 ± 0.40",
        "percentile: 62",
        "adding",
        "+0.00 ± 0.90",
        "q1",
        "right",
        "0.500",
        "0.200",
    ):
        assert each in shown
