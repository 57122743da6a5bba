import string
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.identity.passwords import LONGEST, SHORTEST, check_strength
from domain.shared.errors import InvalidInput

GOOD = ["lantern orbit 42 velvet", "Tr4verse-the-delta", "пароль из четырёх слов", "🦉 owls eat 3 mice"]
WEAK = {
    "password12345": "common",
    "P@ssw0rd12345": "common",
    "123Password!!!": "common",
    "p-a-s-s-w-o-r-d": "common",
    "iloveyou2026": "common",
    "CorrectHorseBatteryStaple": "common",
    "aaaaaaaaaaaaaaaa": "different characters",
    "abababababab": "different characters",
    "abcdeabcdeabcde": "repeated",
    "qwertyuiopas": "neighbouring",
    "123456789012": "neighbouring",
    "987654321098": "neighbouring",
    "1qaz2wsx3edc": "neighbouring",
    "абвгдежзийкл": "neighbouring",
    "short": "12 to 256",
    "x" * 11: "12 to 256",
    "lantern velvet " * 18: "12 to 256",
    "ada.lovelace rocks on": "name or address",
    "we at NorthSchool learn": "name or address",
}
PERSONAL = ("ada.lovelace", "ada.lovelace@example.org", "northschool", "al")


@pytest.mark.parametrize("password", GOOD)
def test_a_good_password_passes(password: str) -> None:
    check_strength(password, "password", *PERSONAL)


@pytest.mark.parametrize("password", WEAK)
def test_a_weak_password_is_refused_with_the_reason(password: str) -> None:
    with pytest.raises(InvalidInput, match=WEAK[password]) as refusal:
        check_strength(password, "new_password", *PERSONAL)
    assert refusal.value.violations[0].field == "new_password"
    assert password not in refusal.value.message


def test_two_letter_names_do_not_forbid_half_the_language() -> None:
    check_strength("also a totally calm alpaca", "password", "al", "a")


@given(st.text(string.printable, min_size=1, max_size=6), st.integers(2, 200))
def test_a_unit_repeated_is_always_refused(unit: str, times: int) -> None:
    with pytest.raises(InvalidInput):
        check_strength((unit * times)[:LONGEST], "password")


@given(st.text(max_size=SHORTEST - 1))
def test_what_is_too_short_is_always_refused(password: str) -> None:
    with pytest.raises(InvalidInput):
        check_strength(password, "password")


@given(st.text(min_size=SHORTEST, max_size=LONGEST), st.text(min_size=4, max_size=20))
def test_what_contains_the_login_is_always_refused(password: str, login: str) -> None:
    with pytest.raises(InvalidInput):
        check_strength(password[: LONGEST - len(login)] + login, "password", login)


@given(st.text(), st.text())
def test_no_text_makes_the_check_fail_otherwise(password: str, login: str) -> None:
    with suppress(InvalidInput):
        check_strength(password, "password", login)
