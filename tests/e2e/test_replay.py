"""`paideia replay` on real answers: every one counted once, predicted before it was seen, and a second run changes nothing."""

import json
from pathlib import Path

import pytest

from tests.e2e.platform import Platform

pytestmark = pytest.mark.e2e


def replay(platform: Platform, file: Path, *options: str) -> dict:
    done = platform.paideia("replay", file, "--json", *options)
    assert done.stdout, done.stderr
    return {"exit": done.returncode, **json.loads(done.stdout)}


def part_of(file: Path, learners: int, to: Path) -> Path:
    """The first learners of a log, so that a test takes seconds."""
    lines = file.read_text().splitlines(keepends=True)
    kept = list(dict.fromkeys(line.split(",", 1)[0] for line in lines[1:]))[:learners]
    to.write_text(lines[0] + "".join(line for line in lines[1:] if line.split(",", 1)[0] in kept))
    return to


@pytest.mark.parametrize("via", ["rest", "grpc", "events"])
def test_every_answer_is_counted_once_by_every_door(platform: Platform, data: Path, tmp_path: Path, via: str) -> None:
    file = part_of(data / "fraction.csv", 40, tmp_path / f"some-{via}.csv")
    first = replay(platform, file, "--via", via)
    assert first["exit"] == 0, first
    assert (first["sent"], first["acknowledged"], first["counted"], first["lost"], first["duplicated"]) == (800, 800, 800, 0, 0)
    again = replay(platform, file, "--via", via)
    assert again["exit"] == 0
    assert again["prediction"] == first["prediction"]
    assert again["skills"] == first["skills"]


def test_predictions_made_before_each_answer_are_good_for_the_second_half_of_the_learners(platform: Platform, data: Path) -> None:
    report = replay(platform, data / "fraction.csv", "--via", "events")
    assert report["exit"] == 0, report
    assert report["counted"] == 10_720
    assert report["prediction"]["second_half"]["auc"] >= 0.87


def test_bad_rows_are_reported_by_line_and_the_rest_goes(platform: Platform, tmp_path: Path) -> None:
    file = tmp_path / "broken.csv"
    file.write_bytes(
        b"learner,position,item,skills,correct\nann,1,q,s,1\nann,2,q,s,yes\nann,1,q,s,0\n\xff\xfe,1,q,s,1\nann,3,q,s,0\n"
    )
    report = replay(platform, file)
    assert report["exit"] == 3
    assert [each["line"] for each in report["bad_rows"]] == [3, 4, 5]
    assert (report["sent"], report["counted"], report["lost"]) == (2, 2, 0)


def test_a_file_that_is_no_log_is_refused_in_one_sentence(platform: Platform, tmp_path: Path) -> None:
    file = tmp_path / "no.csv"
    file.write_text("a,b\n1,2\n")
    done = platform.paideia("replay", file)
    assert done.returncode == 2
    assert "no column" in done.stderr
