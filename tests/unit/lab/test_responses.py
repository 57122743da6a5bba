"""Reading response files into arrays: CSV and Parquet alike, and every bad row with its line."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from lab.responses import ResponseLog, RowError, UnreadableLog, read_responses

HEADER = "learner,position,item,skills,correct"


def read(folder: Path, text: str, *keep: str) -> ResponseLog:
    file = folder / "log.csv"
    file.write_text(text)
    return read_responses(file, keep)


def test_answers_come_by_learner_in_the_order_they_were_given(tmp_path: Path) -> None:
    log = read(tmp_path, f"{HEADER}\nbob,2,x,s,1\nada,1,x,s;t,0\nbob,1,y,t,1\n")
    assert log.learners == ("bob", "ada")
    assert [log.items[each] for each in log.item] == ["y", "x", "x"]
    assert log.learner.tolist() == [0, 0, 1]
    assert log.order.tolist() == [0, 1, 0]
    assert log.correct.tolist() == [True, True, False]
    skills = [[log.skills[each] for each in log.skill[a:b]] for a, b in zip(log.skill_start, log.skill_start[1:], strict=False)]
    assert skills == [["t"], ["s"], ["s", "t"]]
    assert log.occurred_at is None
    assert log.rating is None
    assert log.response_time_ms is None
    assert log.size == 3


def test_times_ratings_and_response_times_are_read_where_there_are_any(tmp_path: Path) -> None:
    log = read(
        tmp_path,
        "learner,occurred_at,item,skills,correct,rating,response_time_ms\n"
        "ada,2026-02-01T10:00:00+01:00,x,s,1,4,1500.5\nada,2026-02-01T08:00:00Z,y,s,0,,\n",
    )
    assert log.occurred_at is not None
    assert log.rating is not None
    assert log.response_time_ms is not None
    assert log.occurred_at.tolist() == [datetime(2026, 2, 1, hour, tzinfo=UTC).timestamp() for hour in (8, 9)]
    assert log.rating.tolist() == [0, 4]
    assert np.isnan(log.response_time_ms[0])
    assert log.response_time_ms[1] == 1500.5


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("ada,1,x,s", "4 columns"),
        ("ada,1,x,s,0.5", "correct must be 0 or 1"),
        ("ada,1,x,s,", "correct must be 0 or 1"),
        ("ada,,x,s,1", "position must be"),
        ("ada,-1,x,s,1", "position must be"),
        ("ada,1e3,x,s,1", "position must be"),
        ("ada,²,x,s,1", "position must be"),
        ("ada,99999999999999,x,s,1", "position must be"),
        ("ada,9,y,s,1", "repeats the position of line 2"),
        ("ada,1,x,;;,1", "skills must be"),
        (f"ada,1,x,{';'.join(map(str, range(21)))},1", "skills must be"),
        ("ada,1,,s,1", "must not be empty"),
        ('ada,1,"x"y,s,1', "is not CSV"),
    ],
)
def test_a_bad_row_is_named_by_its_line_and_the_rest_goes_on(tmp_path: Path, row: str, reason: str) -> None:
    log = read(tmp_path, f"{HEADER}\nada,9,x,s,1\n{row}\nbob,1,x,s,1\n")
    assert [each.line for each in log.errors] == [3]
    assert reason in log.errors[0].text
    assert log.size == 2


@pytest.mark.parametrize(
    ("column", "value"), [("rating", "5"), ("rating", "x"), ("response_time_ms", "-1"), ("response_time_ms", "1e99")]
)
def test_bad_ratings_and_response_times_are_bad_rows(tmp_path: Path, column: str, value: str) -> None:
    log = read(tmp_path, f"{HEADER},{column}\nada,1,x,s,1,{value}\n")
    assert log.size == 0
    assert column in log.errors[0].text


@pytest.mark.parametrize("moment", ["yesterday", "1999-12-31", "2999-01-01", "0001-01-01T00:00:00+14:00", ""])
def test_times_that_cannot_be_are_bad_rows(tmp_path: Path, moment: str) -> None:
    log = read(tmp_path, f"learner,occurred_at,item,skills,correct\nada,{moment},x,s,1\n")
    assert [each.line for each in log.errors] == [2]


def test_a_file_of_bad_rows_only_is_a_log_without_answers(tmp_path: Path) -> None:
    log = read(tmp_path, f"{HEADER}\n,,,,\n")
    assert (log.size, log.learners, len(log.errors)) == (0, (), 1)


def test_other_columns_can_be_kept(tmp_path: Path) -> None:
    log = read(tmp_path, f"{HEADER},Group\nbob,2,x,s,1,north\nbob,1,y,s,1,south\n", "group")
    assert log.kept == {"group": ("south", "north")}
    with pytest.raises(UnreadableLog, match="no column school"):
        read(tmp_path, f"{HEADER}\n", "school")


def test_parquet_reads_as_csv_does(tmp_path: Path) -> None:
    moments = [datetime(2026, 2, 1, hour, tzinfo=UTC) for hour in (9, 8)]
    table = pyarrow.table(
        {
            "learner": ["ada", "ada"],
            "occurred_at": pyarrow.array(moments, pyarrow.timestamp("us", "UTC")),
            "item": ["x", "y"],
            "skills": [["s", "t"], ["s"]],
            "correct": [True, False],
            "rating": pyarrow.array([4, None], pyarrow.int8()),
            "response_time_ms": [1500.0, None],
        }
    )
    pyarrow.parquet.write_table(table, tmp_path / "log.parquet")
    from_parquet = read_responses(tmp_path / "log.parquet")
    from_csv = read(
        tmp_path,
        "learner,occurred_at,item,skills,correct,rating,response_time_ms\n"
        "ada,2026-02-01T09:00:00Z,x,s;t,1,4,1500\nada,2026-02-01T08:00:00Z,y,s,0,,\n",
    )
    assert from_parquet.learners == from_csv.learners
    assert from_parquet.items == from_csv.items
    assert from_parquet.skills == from_csv.skills
    for name in ("learner", "item", "order", "correct", "skill", "skill_start", "occurred_at", "rating", "response_time_ms"):
        np.testing.assert_array_equal(getattr(from_parquet, name), getattr(from_csv, name))


def test_a_bad_row_of_parquet_is_named_by_its_number(tmp_path: Path) -> None:
    table = pyarrow.table(
        {
            "learner": ["ada", None, "bob"],
            "position": [1, 2, 3],
            "item": ["x"] * 3,
            "skills": ["s"] * 3,
            "correct": [1.0, 1.0, float("nan")],
        }
    )
    pyarrow.parquet.write_table(table, tmp_path / "log.parquet")
    log = read_responses(tmp_path / "log.parquet")
    assert log.size == 1
    assert log.errors == (RowError(2, "learner and item must not be empty"), RowError(3, "correct must be 0 or 1, not 'nan'"))


@pytest.mark.parametrize("name", ["log.csv", "log.parquet"])
@pytest.mark.parametrize("content", [None, b"", b"a;b\n1;2\n"])
def test_a_file_that_cannot_be_used_is_refused_by_name(tmp_path: Path, name: str, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UnreadableLog, match=name):
        read_responses(tmp_path / name)
