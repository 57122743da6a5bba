"""`paideia fit irt`: what it prints and writes, and how it ends."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from cli.main import build

HEADER = "learner,position,item,skills,correct,school\n"


@pytest.fixture
def responses(tmp_path: Path) -> Path:
    chance = np.random.default_rng(1)
    ability = chance.standard_normal(200)
    rows = [
        f"l{learner},{item},i{item},s,{int(chance.random() < 1 / (1 + np.exp(item / 3 - ability[learner])))},{'ab'[learner % 2]}"
        for learner in range(200)
        for item in range(6)
    ]
    file = tmp_path / "log.csv"
    file.write_text(HEADER + "\n".join(rows) + "\n")
    return file


def run(*arguments: object) -> Result:
    return CliRunner().invoke(build(), ["fit", "irt", *map(str, arguments)])


def test_it_writes_the_bank_and_the_report(responses: Path, tmp_path: Path) -> None:
    done = run("--responses", responses, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    document = json.loads((tmp_path / "out" / "irt.json").read_text())
    assert document["version"] in done.output
    assert document["model"]["model"] == "2pl"
    assert document["source"]["file"] == "log.csv"
    assert document["version"] in (tmp_path / "out" / "irt.html").read_text()


def test_with_json_the_standard_output_is_the_document(responses: Path) -> None:
    done = run("--responses", responses, "--model", "1pl", "--json")
    assert json.loads(done.stdout)["statistics"]["converged"]


def test_groups_come_from_a_column_or_from_a_file(responses: Path, tmp_path: Path) -> None:
    groups = tmp_path / "groups.csv"
    groups.write_text("learner,group\n" + "".join(f"l{each},{'ab'[each % 2]}\n" for each in range(200)))
    from_column = json.loads(run("--responses", responses, "--group", "school", "--json").stdout)
    from_file = json.loads(run("--responses", responses, "--group", groups, "--json").stdout)
    assert from_column == from_file
    assert list(from_file["statistics"]["items"]["i0"]["dif"]) == ["b"]


def test_bad_rows_are_named_and_the_rest_is_fitted(responses: Path) -> None:
    with responses.open("a") as file:
        file.write("l0,99,i0,s,maybe,a\n")
    done = run("--responses", responses)
    assert done.exit_code == 3
    assert "line 1202" in done.output
    assert "version irt-" in done.output


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        ("", "is empty"),
        ("learner,item\n", "no column"),
        (HEADER, "at least 2 learners and 2 items"),
        (HEADER + "ada,1,x,s,1,a\nbob,1,x,s,0,a\n", "at least 2 learners and 2 items"),
    ],
)
def test_what_cannot_be_fitted_ends_with_two_and_the_reason(tmp_path: Path, content: str | None, said: str) -> None:
    file = tmp_path / "bad.csv"
    if content is not None:
        file.write_text(content)
    done = run("--responses", file)
    assert done.exit_code == 2
    assert said in " ".join(done.output.split())


def test_a_group_that_is_neither_column_nor_file_is_named(responses: Path, tmp_path: Path) -> None:
    done = run("--responses", responses, "--group", "class")
    assert done.exit_code == 2
    assert "no column class" in done.output
    groups = tmp_path / "groups.csv"
    groups.write_text("who,what\n")
    done = run("--responses", responses, "--group", groups)
    assert done.exit_code == 2
    assert "learner and group" in done.output
