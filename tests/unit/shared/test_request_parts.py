"""Names, page tokens, masks, times, ids and trace contexts."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from domain.shared.errors import InvalidInput
from domain.shared.ids import canonical_uuid
from domain.shared.page import Page
from domain.shared.trace import continued, trace_id
from services.shared.masks import fields_in
from services.shared.names import id_in, ids_in
from services.shared.paging import next_token, page_request
from services.shared.times import duration, span, timestamp, when


def test_a_name_gives_its_ids() -> None:
    assert ids_in("learners/ada/items/half", ("learners", "items")) == ("ada", "half")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "ada",
        "learners/",
        "learners/a b",
        "users/ada",
        "learners/ada/",
        "learners/ada/items/half",
        "learners/-",
        "learners/" + "a" * 129,
    ],
)
def test_a_malformed_name_is_refused_by_its_field(name: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        id_in(name, "learners", "learner")
    assert [each.field for each in refusal.value.violations] == ["learner"]


@given(st.lists(st.text().filter(lambda text: "\0" not in text), min_size=1).map(tuple))
def test_a_page_token_comes_back_as_the_cursor_it_was_made_of(cursor: tuple[str, ...]) -> None:
    assert page_request(0, next_token(Page((), cursor))).after == cursor


def test_the_last_page_has_no_token() -> None:
    assert next_token(Page(())) == ""


@given(st.text(min_size=1))
def test_a_made_up_page_token_is_refused_or_read_but_never_breaks(token: str) -> None:
    with suppress(InvalidInput):
        assert page_request(0, token).after


def test_page_sizes_are_bounded() -> None:
    assert (page_request(0, "").size, page_request(10**6, "").size) == (50, 1000)
    with pytest.raises(InvalidInput):
        page_request(-1, "")


def test_a_mask_names_known_fields_only() -> None:
    assert fields_in(FieldMask(paths=["title"]), {"title", "skills"}) == {"title"}
    assert fields_in(FieldMask(paths=["*"]), {"title", "skills"}) == {"title", "skills"}
    for paths in ([], ["name"], ["title", "owner"]):
        with pytest.raises(InvalidInput, match="update_mask"):
            fields_in(FieldMask(paths=paths), {"title", "skills"})


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_survives_the_wire(moment: datetime) -> None:
    assert when(timestamp(moment), "t") == moment


@given(st.timedeltas(timedelta(days=-3000), timedelta(days=3000)))
def test_a_duration_survives_the_wire(span_of_time: timedelta) -> None:
    assert span(duration(span_of_time), "d") == span_of_time


def test_a_time_out_of_range_is_refused_by_its_field() -> None:
    for message in (Timestamp(seconds=10**15), Timestamp(nanos=-1)):
        with pytest.raises(InvalidInput, match="answer_time"):
            when(message, "answer_time")
    with pytest.raises(InvalidInput, match="response_time"):
        span(Duration(seconds=10**17), "response_time")


@given(st.uuids())
def test_a_uuid_has_one_form(uuid: object) -> None:
    assert canonical_uuid(str(uuid).upper(), "id") == str(uuid)


@pytest.mark.parametrize("text", ["", "x" * 36, "8f14e45fceea467fa8c58a3f6b1d2c3e", "{8f14e45f-ceea-467f-a8c5-8a3f6b1d2c3}"])
def test_what_is_no_uuid_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="request_id"):
        canonical_uuid(text, "request_id")


def test_a_trace_goes_on_under_its_id_with_a_new_span() -> None:
    first = continued("")
    second = continued(first)
    assert trace_id(first) == trace_id(second)
    assert first != second


@given(st.text())
def test_a_broken_trace_context_starts_a_new_trace(text: str) -> None:
    assert len(trace_id(continued(text))) == 32
