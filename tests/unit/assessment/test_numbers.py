from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.assessment.model.numbers import NotANumber, exact, number_and_unit


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("-0.75", Fraction(-3, 4)),
        ("−0.75", Fraction(-3, 4)),
        (" + 5 ", 5),
        (".5", Fraction(1, 2)),
        ("5.", 5),
        ("3,5", Fraction(7, 2)),
        ("0,125", Fraction(1, 8)),
        ("3/4", Fraction(3, 4)),
        ("-10 / 4", Fraction(-5, 2)),
        ("1 3/4", Fraction(7, 4)),
        ("-1 3/4", Fraction(-7, 4)),
        ("¾", Fraction(3, 4)),
        ("1¾", Fraction(7, 4)),
        ("3⁄4", Fraction(3, 4)),
        ("12 345", 12345),
        ("12 345,5", Fraction(24691, 2)),
        ("12'345.5", Fraction(24691, 2)),
        ("12,345.5", Fraction(24691, 2)),
        ("1,234,567", 1234567),
        ("1.5e-3", Fraction(3, 2000)),
        ("2E3", 2000),
        ("１２", 12),
        ("٣", 3),
        ("1e300", 10**300),
    ],
)
def test_a_number_is_read_exactly_however_people_write_it(text, value):
    assert exact(text).value == value


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "x", "1/0", "0/0", "1,234", "1,23,456", "1/2/3", "3.4.5", "1 7/4", "1 2", "1-2", "--1", "1e301", "1e-999999999",
        "1e9999999999", "9" * 101, "nan", "inf", "1_000", "0x10", "½½", "1//2", "/2", "5 m", "\0", "1\0",
    ],
)  # fmt: skip
def test_what_is_not_one_clear_number_is_refused(text):
    with pytest.raises(NotANumber):
        exact(text)


def test_a_comma_that_may_be_either_is_refused_with_both_readings():
    with pytest.raises(NotANumber, match=r"1234 or 1\.234"):
        exact("1,234")


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("5 m", "m"),
        ("5m²", "m2"),
        ("3/4 km/h", "km/h"),
        ("50%", "%"),
        ("1 3/4 cm", "cm"),
        ("12 345 kg", "kg"),
        ("20 ℃", "°C"),
        ("7", ""),
    ],
)
def test_a_unit_may_follow_the_number(text, unit):
    assert number_and_unit(text)[1] == unit


def test_a_fraction_that_can_be_reduced_is_not_in_lowest_terms():
    assert [exact(each).lowest_terms for each in ("1/2", "2/4", "1 2/4", "0/5", "4/1", "0.50")] == [
        True,
        False,
        False,
        False,
        True,
        True,
    ]


@given(st.fractions(max_denominator=10**6))
def test_reading_what_python_writes_gives_the_same_fraction(value):
    assert exact(str(value)).value == value


@given(st.text(max_size=200) | st.from_regex(r"[-+ 0-9/.,eE'½]{1,60}"))
def test_any_text_is_a_number_or_refused(text):
    try:
        number, unit = number_and_unit(text)
    except NotANumber:
        return
    assert isinstance(number.value, Fraction)
    assert len(unit) <= 32
