"""What credentials are made of: recovery codes, proofs, passkeys, links, the vault."""

import asyncio
import random
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.identity.vault import AesVault
from adapters.identity.webauthn import WebAuthnRelyingParty
from adapters.identity.zxcvbn import score
from domain.identity import links
from domain.identity.challenges import ChallengeToken, FactorRefused, Factors, Way
from domain.identity.credential_ports import UnreadableSecret
from domain.identity.devices import device_of
from domain.identity.links import LinkRefused, LinkToken, Purpose, taking_at_least
from domain.identity.passkeys import Passkey
from domain.identity.recovery import ALPHABET, RecoveryCode, checked_code, new_codes
from domain.identity.step_up import Authentication, Method, SignedIn, StepUpRequired, combined
from domain.identity.totp import TotpFactor
from domain.shared.errors import InvalidInput
from services.shared.revocations import RevokedSessions

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
KEY = Passkey("id", "ada", b"credential", b"key", 7, "laptop", NOW)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605 (KHTML, like Gecko) Version/19.0 Mobile Safari/604.1"
)
EDGE = "Mozilla/5.0 (Windows NT 10.0; Win64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36 Edg/142.0"


@given(st.integers())
def test_ten_different_recovery_codes_are_made_and_read_back(seed: int) -> None:
    codes = new_codes(random.Random(seed).randrange)
    assert len({checked_code(code, "code") for code in codes}) == 10
    assert all(set(code) <= {*ALPHABET, "-"} and len(code) == 14 for code in codes)


def test_a_recovery_code_is_read_as_people_write_it() -> None:
    assert checked_code(" O1lI-abcd 0K7M", "code") == "0111abcd0k7m"


@given(st.text(max_size=60))
def test_no_text_makes_reading_a_recovery_code_fail_otherwise(text: str) -> None:
    with suppress(InvalidInput):
        assert len(checked_code(text, "code")) == 12


def test_what_counts_as_more_than_one_factor() -> None:
    p, o, k, u, m = Method.PASSWORD, Method.ONE_TIME_CODE, Method.KEY, Method.USER_VERIFIED, Method.MULTIPLE
    many = [{p, o}, {p, k}, {k, u}, {p, o, k}, {p, k, u}, {o, k, u}]
    one = [set(), {p}, {o}, {k}, {o, k}]
    assert all(m in combined(each) for each in many)
    assert not any(m in combined(each) for each in one)
    assert combined({p, m}) == {p}  # it is concluded, never believed


@given(st.lists(st.frozensets(st.sampled_from(Method)), max_size=4))
def test_proofs_add_up_whatever_their_order(proofs: list[frozenset[Method]]) -> None:
    whole = combined(*proofs)
    assert whole == combined(*reversed(proofs)) == combined(whole)
    for fewer in combinations(proofs, max(0, len(proofs) - 1)):
        assert combined(*fewer) <= whole


@pytest.mark.parametrize(
    ("age", "methods", "second_factor", "enough"),
    [
        (timedelta(0), {"pwd"}, False, True),
        (timedelta(minutes=9, seconds=59), {"pwd"}, False, True),
        (timedelta(minutes=10), {"pwd"}, False, False),
        (timedelta(0), {"pwd"}, True, False),
        (timedelta(0), {"pwd", "otp", "mfa"}, True, True),
        (timedelta(minutes=10), {"pwd", "otp", "mfa"}, True, False),
    ],
)
def test_a_proof_is_enough_while_it_is_fresh_and_strong(
    age: timedelta, methods: set[str], second_factor: bool, enough: bool
) -> None:
    me = SignedIn("north", "ada", "session", Authentication(NOW - age, frozenset(map(Method, methods))))
    if enough:
        me.check_stepped_up(NOW, second_factor=second_factor)
    else:
        with pytest.raises(StepUpRequired):
            me.check_stepped_up(NOW, second_factor=second_factor)


def test_a_caller_without_a_session_has_proved_nothing_here() -> None:
    with pytest.raises(StepUpRequired):
        SignedIn("north", "ada").check_stepped_up(NOW, second_factor=False)
    with pytest.raises(StepUpRequired):
        SignedIn("north", "ada").session_id()


@pytest.mark.parametrize(("stored", "signed", "good"), [(7, 8, True), (7, 7, False), (7, 6, False), (7, 0, False), (0, 0, True)])
def test_a_counter_only_grows_unless_there_is_none(stored: int, signed: int, good: bool) -> None:
    assert Passkey("id", "ada", b"c", b"k", stored, "laptop", NOW).counts_on(signed) is good


def test_the_ways_to_answer_are_what_the_account_has() -> None:
    enrolled = TotpFactor("ada", b"sealed", NOW)
    confirmed, codes = enrolled.used(1, NOW), [RecoveryCode(b"one")]
    assert Factors(enrolled, (), codes).ways() == ()
    assert Factors(confirmed).ways() == (Way.TOTP,)
    assert Factors(confirmed, [KEY], codes).ways() == (Way.TOTP, Way.PASSKEY, Way.RECOVERY_CODE)
    assert Factors(None, [KEY], [RecoveryCode(b"one", NOW)]).ways() == (Way.PASSKEY,)


@given(st.text(max_size=300))
def test_no_text_makes_reading_a_token_fail_otherwise(text: str) -> None:
    for parse, refusal in ((ChallengeToken.parse, FactorRefused), (LinkToken.parse, LinkRefused)):
        with suppress(InvalidInput, refusal):
            assert str(parse(text)) == text


def test_a_link_is_for_one_purpose_and_an_hour_or_a_day() -> None:
    token = LinkToken("north", "secret")
    reset = token.link(Purpose.RESET_PASSWORD, "ada", "ada@example.org", NOW)
    verify = token.link(Purpose.VERIFY_EMAIL, "ada", "ada@example.org", NOW)
    assert reset.good(Purpose.RESET_PASSWORD, NOW + timedelta(minutes=59))
    assert not reset.good(Purpose.RESET_PASSWORD, NOW + timedelta(hours=1))
    assert not reset.good(Purpose.VERIFY_EMAIL, NOW)
    assert verify.good(Purpose.VERIFY_EMAIL, NOW + timedelta(hours=23))
    assert b"secret" not in reset.digest


async def test_answers_are_held_back_refused_or_not_and_for_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def note(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(links.asyncio, "sleep", note)
    async with taking_at_least(1_000.0):
        pass
    with pytest.raises(LinkRefused):
        async with taking_at_least(1_000.0):
            raise LinkRefused
    assert len(pauses) == 2
    assert all(900.0 < each <= 1_000.0 for each in pauses)
    monkeypatch.undo()
    async with taking_at_least(0.0):
        await asyncio.sleep(0)


@given(st.binary(max_size=100), st.text(max_size=20))
def test_what_is_sealed_opens_in_its_context_under_its_key_only(plain: bytes, context: str) -> None:
    vault, other = AesVault(b"k" * 32), AesVault(b"n" * 32)
    sealed = vault.seal(plain, context)
    assert vault.open(sealed, context) == plain
    for opener, given_, where in (
        (other, sealed, context),
        (vault, sealed, context + "x"),
        (vault, sealed[:-1], context),
        (vault, b"", context),
        (vault, bytes([sealed[0] ^ 1]) + sealed[1:], context),
    ):
        with pytest.raises(UnreadableSecret):
            opener.open(given_, where)


def test_a_fingerprint_depends_on_text_context_and_key() -> None:
    vault = AesVault(b"k" * 32)
    first = vault.fingerprint("code", "a")
    assert first == AesVault(b"k" * 32).fingerprint("code", "a")
    others = {vault.fingerprint("code", "b"), vault.fingerprint("cod", "a"), AesVault(b"n" * 32).fingerprint("code", "a")}
    assert len({first, *others}) == 4
    with pytest.raises(ValueError, match="32 bytes"):
        AesVault(b"short")


@pytest.mark.parametrize("url", ["", "learn.example.org", "ftp://learn.example.org", "https://"])
def test_a_public_url_that_no_browser_opens_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="public URL"):
        WebAuthnRelyingParty(url)


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        (FIREFOX, "Firefox on Linux"),
        (SAFARI, "Safari on iPhone"),
        (EDGE, "Edge on Windows"),
        (EDGE.partition(" Edg/")[0], "Chrome on Windows"),
        (EDGE.partition(" Edg/")[0].replace("Chrome/", "HeadlessChrome/"), "headless Chrome on Windows"),
        (SAFARI.replace("Version/", "CriOS/"), "Chrome on iPhone"),
        ("paideia", "the command line"),
        ("curl/8.5.0", "a program"),
        ("", ""),
        ("something new", ""),
        ("x" * 10_000 + " Firefox/1", ""),
    ],
)
def test_a_device_is_told_by_kind(agent: str, device: str) -> None:
    assert device_of(agent) == device


@given(st.text(max_size=600))
def test_a_device_is_one_of_a_few_whatever_the_header_says(agent: str) -> None:
    assert len(device_of(agent)) < 40


def test_words_of_the_user_make_a_password_easier_to_guess() -> None:
    assert score("EsmeraldaWhitcombe", ["esmeralda.whitcombe@example.org"]) < 3 <= score("EsmeraldaWhitcombe", [])
    assert score("lantern orbit 42 velvet", ["ada"]) == 4
    assert score("monkeydragon12", []) < 3


def test_a_password_as_long_as_may_be_is_judged_by_its_ends() -> None:
    assert score("a" * 232 + "lantern orbit 42 velvet!", []) == 4
    assert score("a" * 256, []) == 0


def test_a_revoked_session_is_remembered_until_its_last_token_has_expired() -> None:
    now = NOW

    def clock() -> datetime:
        return now

    revoked = RevokedSessions(clock)
    revoked.add("long ago", NOW - timedelta(minutes=11))
    revoked.add("", NOW)
    assert len(revoked) == 0
    revoked.add("early", NOW - timedelta(minutes=5))
    revoked.add("late", NOW)
    assert "early" in revoked
    assert "late" in revoked
    assert None not in revoked
    now += timedelta(minutes=6)
    revoked.add("later", now)
    assert "early" not in revoked
    assert "late" in revoked
