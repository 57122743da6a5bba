"""Accounts with a second factor use the command line, too."""

import json
from pathlib import Path

import pyotp
import pytest

from tests.e2e.platform import Platform

PASSWORD = "a lantern above seven rivers"


@pytest.fixture(scope="module")
def recovery_codes(platform: Platform) -> list[str]:
    """Those of vera, an administrator with an authenticator app."""
    platform.create_user("vera", PASSWORD, "ROLE_ADMIN")
    token = platform.token(login="vera", password=PASSWORD)
    enrolled = platform.call("POST", "/v1/me:enrolTotp", {}, token)
    code = pyotp.TOTP(enrolled.body["secret"]).now()
    confirmed = platform.call("POST", "/v1/me:confirmTotp", {"code": code}, token)
    assert confirmed.status == 200, confirmed
    return confirmed.body["recoveryCodes"]


def test_a_session_by_second_factor_serves_the_commands_after_it(
    platform: Platform, recovery_codes: list[str], tmp_path: Path
) -> None:
    def paideia(*arguments: str, typed: str = ""):
        return platform.paideia(*arguments, "--home", tmp_path, "--json", typed=typed)

    where = ("--login", "vera", "--url", platform.record.url)
    refused = paideia("sign-in", *where, typed=f"{PASSWORD}\nAAAA-BBBB-CCCC\n")
    assert refused.returncode == 1
    signed_in = paideia("sign-in", *where, typed=f"{PASSWORD}\n{recovery_codes[0]}\n")
    assert signed_in.returncode == 0, signed_in.stderr
    assert json.loads(signed_in.stdout)["login"] == "vera"
    assert (tmp_path / "session.json").stat().st_mode & 0o077 == 0
    kept = json.loads((tmp_path / "session.json").read_text())
    assert paideia("mail", "queue").returncode == 0

    (tmp_path / "session.json").write_text(json.dumps(kept | {"good_until": 0}))  # long ago: it is refreshed
    assert paideia("mail", "queue").returncode == 0
    assert json.loads((tmp_path / "session.json").read_text())["refresh_token"] != kept["refresh_token"]

    assert json.loads(paideia("sign-out").stdout) == {"signedOut": True}
    refused = platform.call("POST", "/v1/sessions:refresh", {"refreshToken": kept["refresh_token"]})
    assert refused.status == 401
    assert not (tmp_path / "session.json").exists()


def test_a_session_that_ended_elsewhere_is_said_so(platform: Platform, recovery_codes: list[str], tmp_path: Path) -> None:
    where = ("--login", "vera", "--url", platform.record.url, "--home", str(tmp_path))
    assert platform.paideia("sign-in", *where, typed=f"{PASSWORD}\n{recovery_codes[1]}\n").returncode == 0
    kept = json.loads((tmp_path / "session.json").read_text())
    platform.call("POST", "/v1/sessions:signOut", {"refreshToken": kept["refresh_token"]})
    (tmp_path / "session.json").write_text(json.dumps(kept | {"good_until": 0}))
    answer = platform.paideia("mail", "queue", "--home", tmp_path)
    assert answer.returncode == 1
    assert "sign in again" in answer.stderr
