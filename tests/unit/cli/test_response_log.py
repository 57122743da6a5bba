"""Reading response logs: every good row becomes an answer, every bad one a line and a reason."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.replay.response_log import ResponseLog, read_response_log
from lab.responses import UnreadableLog

HEADER = "learner,position,item,skills,correct\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "log.csv"


def read(file: Path, text: str | bytes) -> ResponseLog:
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_response_log(file, "course")


def test_rows_become_answers_in_each_learners_order(file: Path) -> None:
    log = read(file, HEADER + "bob,2,x,s,1\nada,1,x,s;t,0\nbob,1,y,t,1\n")
    assert list(log.answers) == ["bob", "ada"]
    assert [each.item for each in log.answers["bob"]] == ["y", "x"]
    assert log.answers["ada"][0].skills == ("s", "t")
    assert not log.bad_rows


def test_ids_are_the_same_each_time_and_differ_between_courses(file: Path) -> None:
    file.write_text(HEADER + "ada,1,x,s,1\nada,2,x,s,1\n")
    first, again, other = (read_response_log(file, course) for course in ("a", "a", "b"))
    ids = [[each.id for each in log.answers["ada"]] for log in (first, again, other)]
    assert ids[0] == ids[1]
    assert not set(ids[0]) & set(ids[2])
    assert len(set(ids[0])) == 2


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"ada,1,x,s", b"4 columns"),
        (b"ada,1,x,s,2", b"correct must be 0 or 1"),
        (b"ada,1,x,s,", b"correct must be 0 or 1"),
        (b"ada,one,x,s,1", b"position must be a whole number"),
        (b"ada,-1,x,s,1", b"position must be a whole number"),
        (b"ada,9,x,s,1", b"repeats the position of line 2"),
        (b"ada,1,x,,1", b"skills must be"),
        (b",1,x,s,1", b"must not be empty"),
        (b"ad\xe9,1,x,s,1", b"is not UTF-8"),
        (b'ada,1,"x"y,s,1', b"is not CSV"),
    ],
)
def test_a_bad_row_is_reported_with_its_line_and_the_rest_goes_on(file: Path, row: bytes, reason: bytes) -> None:
    log = read(file, HEADER.encode() + b"ada,9,x,s,1\n" + row + b"\nbob,1,x,s,1\n")
    assert [each.line for each in log.bad_rows] == [3]
    assert reason.decode() in log.bad_rows[0].text
    assert log.size == 2


@pytest.mark.parametrize("text", ["", "learner,item,skills,correct\nada,x,s,1\n", "a;b;c\n1;2;3\n"])
def test_a_file_without_the_columns_cannot_be_read(file: Path, text: str) -> None:
    with pytest.raises(UnreadableLog):
        read(file, text)


def test_a_byte_order_mark_and_extra_columns_do_no_harm(file: Path) -> None:
    log = read(file, "\ufefflearner,extra,position,item,skills,correct\nada,?,1,x,s,1\n")
    assert log.size == 1


def test_times_order_as_positions_do(file: Path) -> None:
    log = read(
        file, "learner,occurred_at,item,skills,correct\nada,2026-02-01T10:00:00+01:00,x,s,1\nada,2026-02-01T08:00:00Z,y,s,0\n"
    )
    assert [each.item for each in log.answers["ada"]] == ["y", "x"]


def test_the_skills_of_an_item_are_those_of_all_its_rows(file: Path) -> None:
    log = read(file, HEADER + "ada,1,x,s,1\nada,2,x,t,1\n")
    assert log.skills_of == {"x": ("s", "t")}


@given(st.text(min_size=1).filter(str.strip), st.text(min_size=1).filter(str.strip))
def test_different_texts_get_different_valid_ids(first: str, second: str) -> None:
    log = ResponseLog()
    ids = log.identifier(first), log.identifier(second)
    assert (ids[0] == ids[1]) == (first == second)
    assert all(0 < len(each) <= 128 and each.isascii() for each in ids)
