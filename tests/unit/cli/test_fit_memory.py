"""`paideia fit bkt` and `paideia fit fsrs`: what they write, print and refuse."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from cli.fit_commands import register

TIMED = "learner,occurred_at,item,skills,correct\n" + "".join(
    f"l{learner},2026-0{month}-1{learner % 9}T12:00:00Z,i,[red]a,{(learner + month) % 2}\n"
    for learner in range(10)
    for month in range(1, 7)
)


def run(*arguments: object) -> Result:
    app = typer.Typer()
    register(app)
    return CliRunner().invoke(app, ["fit", *map(str, arguments)], env={"COLUMNS": "200"})


@pytest.fixture
def responses(tmp_path: Path) -> Path:
    path = tmp_path / "responses.csv"
    path.write_text(TIMED)
    return path


@pytest.mark.parametrize("kind", ["bkt", "fsrs"])
def test_parameters_and_a_report_are_written(kind: str, responses: Path, tmp_path: Path) -> None:
    result = run(kind, "--responses", responses, "--out", tmp_path / "fits" / "one")
    assert result.exit_code == 0, result.output
    document = json.loads((tmp_path / "fits" / "one" / f"{kind}.json").read_text())
    assert document["version"] in result.stdout
    assert document["source"]["file"] == "responses.csv"
    assert document["version"] in (tmp_path / "fits" / "one" / f"{kind}.html").read_text()


@pytest.mark.parametrize("kind", ["bkt", "fsrs"])
def test_json_is_one_object_and_the_same_each_time(kind: str, responses: Path) -> None:
    results = [run(kind, "--responses", responses, "--json") for _ in range(2)]
    assert json.loads(results[0].stdout)["kind"] == kind
    assert results[0].stdout == results[1].stdout


def test_names_from_the_file_are_shown_as_they_are(responses: Path) -> None:
    assert "[red]a" in run("bkt", "--responses", responses).stdout


def test_forgetting_is_fitted_only_if_asked_for(responses: Path) -> None:
    fitted = [json.loads(run("bkt", "--responses", responses, "--json", *more).stdout) for more in ([], ["--forget"])]
    assert [each["model"]["skills"]["[red]a"]["forget"] > 0 for each in fitted] == [False, True]


def test_bad_rows_are_named_and_the_rest_is_fitted(responses: Path) -> None:
    responses.write_text(TIMED + "l1,2026-08-01T12:00:00Z,i,a,maybe\n")
    result = run("bkt", "--responses", responses, "--json")
    assert result.exit_code == 3
    assert "line 62" in result.stderr
    assert json.loads(result.stdout)["statistics"]["rows_left_out"] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["bkt", "--responses", "nowhere.csv"], "nowhere.csv"),
        (["fsrs", "--responses", "{file}", "--time-zone", "Mars/Olympus"], "no time zone"),
        (["bkt", "--responses", "{file}", "--out", "{file}"], "responses.csv"),
    ],
)
def test_what_cannot_be_done_is_said(arguments: list[str], said: str, responses: Path) -> None:
    result = run(*(each.format(file=responses) for each in arguments))
    assert result.exit_code == 2
    assert said in result.stderr
