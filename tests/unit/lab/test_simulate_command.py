import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import build

SMALL = ["--learners", "24", "--sessions", "2", "--answers", "4", "--course", "synthetic:20x4", "--workers", "1"]


def paideia(*arguments: str):
    return CliRunner().invoke(build(), arguments)


def test_it_writes_a_report_and_the_numbers_behind_it(tmp_path: Path):
    done = paideia("simulate", *SMALL, "--out", str(tmp_path / "new"), "--json")
    assert done.exit_code == 0, done.output
    document = json.loads((tmp_path / "new" / "simulation.json").read_text())
    assert json.loads(done.stdout) == document
    assert list(document["policies"]) == ["live", "random", "fixed", "oracle"]
    assert (tmp_path / "new" / "simulation.html").read_text().startswith("<!DOCTYPE html>")


def test_a_policy_in_a_file_is_named_after_it(tmp_path: Path):
    (tmp_path / "bold.json").write_text(
        json.dumps({"arms": [{"name": "practice", "weights": {"growth": 1.0}, "temperature": 0.2}], "recency": 10.0})
    )
    done = paideia("simulate", *SMALL, "--policies", f"live,{tmp_path / 'bold.json'}")
    assert done.exit_code == 0, done.output
    assert "bold" in done.stdout


def test_a_course_can_be_a_directory_as_load_takes_it():
    course = Path(__file__).parents[3] / "courses" / "fractions"
    done = paideia("simulate", "--learners", "3", "--sessions", "1", "--answers", "3", "--workers", "1", "--course", str(course))
    assert done.exit_code == 0, done.output


def test_a_logged_policy_can_be_evaluated(tmp_path: Path):
    log = str(tmp_path / "log.parquet")
    assert paideia("simulate", *SMALL, "--policies", "live", "--log", log).exit_code == 0
    done = paideia("policy", "evaluate", "--log", log, "--policy", "live", "--reward", "correct", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["effective_size"] == pytest.approx(found["decisions"])


def test_a_log_without_overlap_is_refused_with_its_own_exit_code(tmp_path: Path):
    log = str(tmp_path / "log.jsonl")
    assert paideia("simulate", *SMALL, "--policies", "fixed", "--log", log).exit_code == 0
    done = paideia("policy", "evaluate", "--log", log, "--policy", "live")
    assert done.exit_code == 4
    assert "explores" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--policies", "nonsense"], "nonsense is no policy"),
        (["--policies", "missing.json"], "cannot be read"),
        (["--policies", ""], "at least one policy"),
        (["--family", "wizards"], "must be one of bkt"),
        (["--learners", "0"], "learners"),
        (["--course", "synthetic:9"], "synthetic:500x50"),
        (["--course", "missing.json"], "cannot be read"),
        (["--log", "log.txt"], ".parquet or .jsonl"),
    ],
)
def test_what_cannot_be_simulated_is_said_in_a_sentence(arguments, what):
    done = paideia("simulate", *SMALL, *arguments)
    assert done.exit_code == 2
    assert what in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--log", "missing.parquet", "--policy", "live"], "cannot be read"),
        (["--log", "missing.parquet", "--policy", "other"], "other is no policy"),
        (["--log", "missing.parquet", "--policy", "live", "--reward", "joy"], "reward must be one of"),
    ],
)
def test_what_cannot_be_evaluated_is_said_in_a_sentence(arguments, what):
    done = paideia("policy", "evaluate", *arguments)
    assert done.exit_code == 2
    assert what in " ".join(done.stderr.split())
