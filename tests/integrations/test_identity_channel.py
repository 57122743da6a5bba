"""The channel to identity, and what becomes of a sign-in that cannot end the session before it."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import grpc
import pytest

from integrations.shared.browser import Browsers, Tokens, Visit
from integrations.shared.handling import Call
from integrations.shared.identity import Identity, Refusal, RenewedStub

NAMES = ("ca.crt", "tls.key", "tls.crt")


def written(folder: Path, version: int) -> None:
    for name in NAMES:
        draft = folder / f".{name}"
        draft.write_text(f"{version}")
        os.utime(draft, ns=(version, version))
        draft.rename(folder / name)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bytes, ...]]:
    """The authorities, keys and certificates that channels were opened with."""
    found: list[tuple[bytes, ...]] = []
    credentials = grpc.local_channel_credentials()

    def noted(*material: bytes) -> grpc.ChannelCredentials:
        found.append(material)
        return credentials

    monkeypatch.setattr(grpc, "ssl_channel_credentials", noted)
    return found


async def test_certificates_that_are_exchanged_while_they_are_read_are_read_again(
    tmp_path: Path, shown: list[tuple[bytes, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, 1)
    read = Path.read_bytes
    exchanged: list[bool] = []

    def exchanging(self: Path) -> bytes:
        content = read(self)
        if self.name == "tls.key" and not exchanged:
            exchanged.append(True)
            written(tmp_path, 2)
        return content

    monkeypatch.setattr(Path, "read_bytes", exchanging)
    stub = RenewedStub("127.0.0.1:1", tmp_path)
    assert stub.GetMe
    assert shown == [(b"2", b"2", b"2")]
    await stub.close()


async def test_what_cannot_be_read_leaves_the_channel_as_it_is_until_it_can(
    tmp_path: Path, shown: list[tuple[bytes, ...]]
) -> None:
    written(tmp_path, 1)
    now = [10.0]
    stub = RenewedStub("127.0.0.1:1", tmp_path, lambda: now[0])
    assert stub.GetMe
    (tmp_path / "tls.key").unlink()
    (tmp_path / "tls.key").mkdir()
    now[0] += 10
    assert stub.GetMe
    (tmp_path / "tls.key").rmdir()
    written(tmp_path, 2)
    now[0] += 10
    assert stub.GetMe
    assert stub.GetMe
    assert [each[0] for each in shown] == [b"1", b"2"]
    await stub.close()


class Kept(Browsers):
    def __init__(self) -> None:
        pass

    async def keep_tokens(self, visit: Visit, tokens: Tokens) -> None:
        visit.tokens = tokens


class Away(Identity):
    def __init__(self) -> None:
        pass

    async def call(self, rpc: str, request: object, token: str = "", user_agent: str = "") -> Any:
        raise Refusal(grpc.StatusCode.UNAVAILABLE, "away")


async def test_whoever_signs_in_over_a_session_that_cannot_be_ended_now_is_signed_in() -> None:
    visit = Visit("before", tokens=Tokens("north", "old access", 0.0, "old refresh"))
    visit.state.return_to = "/account/prove"
    call = Call(cast(Any, SimpleNamespace(headers={})), Kept(), Away(), visit)
    answer = await call.signs_in(SimpleNamespace(access_token="access", refresh_token="refresh"), "north")
    assert (answer.status_code, answer.headers["location"]) == (303, "/account/prove")
    assert (visit.tokens.refresh_token, visit.left) == ("refresh", ["before"])
