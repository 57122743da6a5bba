"""The commands of the stack where none runs, and how they show things."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import stack_display
from cli.main import build
from stack.home import Home
from stack.record import PartRecord, StackRecord


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    return home


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(build(), list(arguments))
    return result.exit_code, result.stdout + result.stderr


def test_help_names_every_command_of_the_stack() -> None:
    code, text = run("--help")
    assert code == 0
    assert all(f" {name} " in text for name in ("up", "down", "status", "logs", "reset", "doctor"))


@pytest.mark.parametrize("command", ["up", "down", "status", "logs", "reset", "doctor"])
def test_every_command_of_the_stack_speaks_json(command: str) -> None:
    assert "--json" in run(command, "--help")[1]


def test_status_of_nothing_says_how_to_start(home: Home) -> None:
    code, text = run("status", "--home", str(home.path))
    assert code == 1
    assert "paideia up" in text


def test_status_after_a_killed_supervisor_shows_that_nothing_runs(home: Home) -> None:
    dead = {"pid": 4_000_000, "birth": "x"}
    record = StackRecord("ready", str(home.path), "http://x", "demo", "admin", "file", 4_000_000, "x")
    record.parts = {"postgres": PartRecord("ready", **dead), "migrations": PartRecord("done")}
    record.write(home.record)
    code, text = run("status", "--home", str(home.path), "--json")
    status = json.loads(text)
    assert code == 1
    assert status["state"] == "stopped"
    assert status["parts"]["postgres"]["state"] == "stopped"
    assert status["parts"]["postgres"]["ready"] is False
    code, text = run("status", "--home", str(home.path))
    assert "postgres" in text


def test_stopping_nothing_is_no_error(home: Home) -> None:
    assert run("down", "--home", str(home.path)) == (0, "nothing was running\n")


def test_reset_asks_first_and_deletes_nothing_without_an_answer(home: Home) -> None:
    (home.data / "kept").touch()
    code, text = run("reset", "--home", str(home.path))
    assert code == 2
    assert "--yes" in text
    assert (home.data / "kept").exists()
    assert run("reset", "--home", str(home.path), "--yes")[0] == 0
    assert not home.data.exists()


@pytest.mark.parametrize("wrong", [("PAIDEIA_PORT_BASE", "80"), ("PAIDEIA_PROCESSES", "a,a"), ("PAIDEIA_BROKER_STORAGE", "x")])
def test_a_wrong_setting_is_named_and_nothing_is_started(
    home: Home, monkeypatch: pytest.MonkeyPatch, wrong: tuple[str, str]
) -> None:
    monkeypatch.setenv(*wrong)
    code, text = run("up", "--home", str(home.path), "--json")
    assert code == 1
    assert wrong[0] in json.loads(text)["error"]
    assert not home.record.exists()


def test_logs_begin_with_the_last_lines_of_each_part(home: Home) -> None:
    for part in ("identity+catalog", "postgres"):
        lines = [
            json.dumps({"time": "2026-01-02T03:04:05.678Z", "part": part, "message": f"{part} {number}"}) for number in range(30)
        ]
        home.log(part).write_text("\n".join(lines) + "\n")
    code, text = run("logs", "--home", str(home.path), "--lines", "2")
    assert code == 0
    assert text.splitlines() == [
        f"03:04:05.678 {part} {part} {number}" for part in ("identity+catalog", "postgres") for number in (28, 29)
    ]
    assert run("logs", "catalog", "--home", str(home.path), "-n", "1")[1] == "03:04:05.678 identity+catalog 29\n"
    assert run("logs", "postgres", "--home", str(home.path), "-n", "0")[1] == ""
    code, text = run("logs", "nobody", "--home", str(home.path))
    assert code == 2
    assert "identity+catalog, postgres" in text


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('{"time":"2026-01-02T03:04:05.678Z","level":"error","message":"no","code":7}', "03:04:05.678 ERROR no code=7"),
        ('{"timestamp":"2026-01-02T03:04:05.678Z","level":"info","event":"call"}', "03:04:05.678 call"),
        ("plain", "plain"),
        ("[1]", "[1]"),
    ],
)
def test_a_log_line_is_shown_for_people(line: str, shown: str) -> None:
    assert stack_display.log_line("", line) == shown
