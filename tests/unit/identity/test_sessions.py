from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.identity.sessions import (
    ACCESS_TOKEN_LIFE,
    FREE_FAILURES,
    KEY_NOTICE,
    LONGEST_LOCK,
    SESSION_IDLE_LIFE,
    SESSION_LONGEST_LIFE,
    Credentials,
    PublicKey,
    RefreshToken,
    Session,
    SessionRefused,
    SigningKey,
    SignInThrottle,
    TooManyFailures,
    signing_key_at,
    throttle_key,
)
from domain.shared.errors import InvalidInput

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SESSION = "8f14e45f-ceea-467f-a8c5-8a3f6b1d2c3e"


def failed(times: int, every: timedelta = timedelta()) -> SignInThrottle:
    throttle = SignInThrottle("key")
    for number in range(times):
        throttle = throttle.failed(NOW + number * every)
    return throttle


@given(st.integers(0, FREE_FAILURES - 1))
def test_the_first_failures_cost_nothing(times: int) -> None:
    failed(times).refuse_while_locked(NOW)


@pytest.mark.parametrize(("times", "seconds"), [(10, 30), (11, 60), (12, 120), (16, 1920), (17, 3600), (5000, 3600)])
def test_every_further_failure_doubles_the_wait_up_to_an_hour(times: int, seconds: int) -> None:
    with pytest.raises(TooManyFailures) as refusal:
        failed(times).refuse_while_locked(NOW)
    assert refusal.value.retry_after == timedelta(seconds=seconds)


@given(st.integers(FREE_FAILURES, 200))
def test_a_lock_ends(times: int) -> None:
    failed(times).refuse_while_locked(NOW + LONGEST_LOCK)


@given(st.integers(1, 100))
def test_waits_never_grow_shorter(times: int) -> None:
    first, second = failed(times).locked_until, failed(times + 1).locked_until
    assert first is None or (second is not None and second >= first)


def test_failures_are_forgotten_after_a_day() -> None:
    assert failed(9).failed(NOW + timedelta(days=1)).failures == 1
    assert failed(30, every=timedelta(hours=25)).failures == 1


def test_a_login_has_one_throttle_whatever_its_case_and_organizations_do_not_share_it() -> None:
    assert throttle_key("north", "Ada") == throttle_key("north", "ada")
    assert throttle_key("north", "ada") != throttle_key("south", "ada")
    assert "ada" not in throttle_key("north", "ada")


@given(st.lists(st.integers(0, 20 * 24), max_size=40))
def test_a_session_never_outlives_its_longest_life(hours: list[int]) -> None:
    session, at = Session.start(SESSION, "ada", NOW), NOW
    for each in hours:
        at += timedelta(hours=each)
        if not session.lives(at):
            break
        session = session.renewed(at)
        assert session.expires_at <= NOW + SESSION_LONGEST_LIFE
        assert session.expires_at <= at + SESSION_IDLE_LIFE


def test_a_refresh_token_reads_back_as_written() -> None:
    token = RefreshToken("north", SESSION, "s3cret_-")
    assert RefreshToken.parse(str(token)) == token
    assert token.digest != RefreshToken("south", SESSION, "s3cret_-").digest


@pytest.mark.parametrize(
    "bad",
    [
        "x",
        "north",
        f"north.{SESSION}",
        f"north.{SESSION}.",
        f"-.{SESSION}.s",
        f"North.{SESSION}.s",
        "north.1.s",
        f"north.{SESSION.upper()}.s",
        f"north.{SESSION}.s.s",
        f"north\0.{SESSION}.s",
    ],
)
def test_what_is_no_refresh_token_opens_nothing(bad: str) -> None:
    with pytest.raises(SessionRefused):
        RefreshToken.parse(bad)


@pytest.mark.parametrize("bad", ["", "x" * 257])
def test_a_refresh_token_has_a_length(bad: str) -> None:
    with pytest.raises(InvalidInput, match="refresh_token"):
        RefreshToken.parse(bad)


@given(st.text(max_size=300))
def test_no_text_makes_parsing_fail_otherwise(text: str) -> None:
    with pytest.raises((SessionRefused, InvalidInput)):
        RefreshToken.parse(text)


@pytest.mark.parametrize(
    ("login", "password", "field"),
    [
        ("", "p", "login"),
        ("x" * 255, "p", "login"),
        ("a\0", "p", "login"),
        ("ada", "", "password"),
        ("ada", "p" * 257, "password"),
    ],
)
def test_credentials_nobody_can_have_are_refused(login: str, password: str, field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        Credentials("north", login, password)
    assert refusal.value.violations[0].field == field


def key(kid: str, not_before: datetime, retire_at: datetime | None = None) -> SigningKey:
    return SigningKey(kid, PublicKey("x", "y"), b"", not_before, retire_at)


def test_the_newest_key_that_has_begun_signs() -> None:
    old, new = key("old", NOW - timedelta(days=30)), key("new", NOW + KEY_NOTICE)
    keys = [old.superseded_by(new), new]
    assert signing_key_at(keys, NOW) == keys[0]
    assert signing_key_at(keys, NOW + KEY_NOTICE) == new
    assert signing_key_at([], NOW) is None
    assert signing_key_at([new], NOW) is None


def test_a_key_is_listed_until_the_last_token_it_signed_has_expired() -> None:
    old, new = key("old", NOW), key("new", NOW + KEY_NOTICE)
    superseded = old.superseded_by(new)
    assert superseded.listed(NOW + KEY_NOTICE + ACCESS_TOKEN_LIFE)
    assert not superseded.listed(NOW + KEY_NOTICE + ACCESS_TOKEN_LIFE + timedelta(minutes=1))
    assert superseded.superseded_by(key("newer", NOW + timedelta(days=60))) == superseded
