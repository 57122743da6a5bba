from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.identity.totp import TotpFactor, checked_code, code_at, provisioning_uri, secret_text, step_at, step_of
from domain.shared.errors import InvalidInput

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECRETS = st.binary(min_size=16, max_size=32)
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2600, 1, 1), timezones=st.just(UTC))


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_codes_are_those_of_rfc_6238_appendix_b(seconds: int, code: str) -> None:
    assert code_at(b"12345678901234567890", seconds // 30, digits=8) == code


@given(SECRETS, MOMENTS)
def test_an_app_that_reads_the_qr_code_shows_the_same_codes(secret: bytes, now: datetime) -> None:
    app = pyotp.parse_uri(provisioning_uri(secret, "north school", "ada.b~c"))
    assert isinstance(app, pyotp.TOTP)
    assert app.at(now) == code_at(secret, step_at(now))
    assert app.issuer == "Paideia north school"
    assert app.secret == secret_text(secret)


@given(SECRETS, MOMENTS, st.integers(-4, 4))
def test_a_code_is_good_one_step_either_way(secret: bytes, now: datetime, steps: int) -> None:
    code = code_at(secret, step_at(now) + steps)
    near = {code_at(secret, step_at(now) + each) for each in (-1, 0, 1)}
    found = step_of(secret, code, now)
    assert (found is not None) == (code in near)
    if found is not None:
        assert abs(found - step_at(now)) <= 1
        assert code_at(secret, found) == code


def test_the_first_code_used_confirms_the_app_and_later_ones_only_move_on() -> None:
    enrolled = TotpFactor("ada", b"sealed", NOW)
    assert not enrolled.confirmed
    first = enrolled.used(7, NOW + timedelta(minutes=1))
    second = first.used(9, NOW + timedelta(days=1))
    assert (second.confirmed_at, second.last_step) == (NOW + timedelta(minutes=1), 9)


@given(st.text(max_size=40))
def test_what_is_typed_is_six_digits_or_refused(text: str) -> None:
    with suppress(InvalidInput):
        code = checked_code(text, "code")
        assert len(code) == 6
        assert code.isascii()
        assert code.isdigit()


def test_a_code_may_be_typed_as_it_is_shown() -> None:
    assert checked_code("123 456", "code") == "123456"
