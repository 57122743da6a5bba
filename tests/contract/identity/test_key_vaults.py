"""One suite for whoever may wrap an organization's keys. Transit answers from a local implementation of its interface; KMS is stubbed."""

import base64
import json
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.identity.key_vaults import check_key_vaults, key_vaults
from adapters.identity.kms import AwsKms
from adapters.identity.vault import AesVault, SecretKeyVault
from adapters.identity.vault_transit import TransitVault
from adapters.shared.resources import MissingSecret, Settings
from domain.identity.credential_ports import UnreadableSecret
from domain.identity.sealing import KeyVault
from domain.shared.errors import Unavailable

TOKEN = "s.local"
KEY = b"d" * 32


class Transit(BaseHTTPRequestHandler):
    """The parts of the transit engine's interface that are used, with a derived key: versions, encryption, decryption, its errors."""

    versions: list[bytes]

    def log_message(self, *args: Any) -> None:
        """A test's output is no access log."""

    def do_GET(self) -> None:
        if self._admitted():
            self._answer(200, {"latest_version": len(self.versions), "derived": self.path != "/v1/transit/keys/plain"})

    def do_POST(self) -> None:
        if not self._admitted():
            return
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        context = base64.b64decode(body["context"])
        if self.path == "/v1/transit/encrypt/paideia":
            nonce, number = secrets.token_bytes(12), len(self.versions)
            sealed = nonce + self._cipher(number, context).encrypt(nonce, base64.b64decode(body["plaintext"]), b"")
            self._answer(200, {"ciphertext": f"vault:v{number}:{base64.b64encode(sealed).decode()}"})
            return
        try:
            _, version, text = body["ciphertext"].split(":")
            sealed = base64.b64decode(text)
            opened = self._cipher(int(version[1:]), context).decrypt(sealed[:12], sealed[12:], b"")
        except (InvalidTag, ValueError, IndexError):
            self._answer(400, None)
            return
        self._answer(200, {"plaintext": base64.b64encode(opened).decode()})

    def _admitted(self) -> bool:
        admitted = self.headers["X-Vault-Token"] == TOKEN
        if not admitted:
            self._answer(403, None)
        return admitted

    def _cipher(self, version: int, context: bytes) -> AESGCM:
        return AESGCM(sha256(self.versions[version - 1] + context).digest())

    def _answer(self, status: int, data: Any) -> None:
        body = json.dumps({"data": data} if data is not None else {"errors": ["no"]}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def transit() -> Iterator[tuple[str, Callable[[], None]]]:
    """Its address, and what makes a new version of its key."""
    handler = type("OneTransit", (Transit,), {"versions": [secrets.token_bytes(32)]})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", lambda: handler.versions.append(secrets.token_bytes(32))
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(params=["secret", "transit"])
def vault(request: pytest.FixtureRequest) -> KeyVault:
    if request.param == "secret":
        return SecretKeyVault(AesVault(b"k" * 32))
    address, _ = request.getfixturevalue("transit")
    return TransitVault(address, lambda: TOKEN)


async def test_a_wrapped_key_opens_for_its_own_context_only(vault: KeyVault) -> None:
    wrapped = await vault.wrap(KEY, "organization north")
    assert KEY not in wrapped
    assert await vault.unwrap(wrapped, "organization north") == KEY
    for changed, context in ((wrapped, "organization south"), (wrapped[:-5] + b"AAAA=", "organization north"), (b"", "x")):
        with pytest.raises(UnreadableSecret):
            await vault.unwrap(changed, context)


async def test_one_key_is_wrapped_differently_each_time_under_a_key_with_a_name(vault: KeyVault) -> None:
    assert await vault.wrap(KEY, "x") != await vault.wrap(KEY, "x")
    assert await vault.current() == await vault.current()


async def test_a_new_version_of_the_transit_key_has_a_name_of_its_own_and_old_ones_open(transit: Any) -> None:
    address, renew = transit
    vault = TransitVault(f"{address}/", lambda: TOKEN)
    wrapped, name = await vault.wrap(KEY, "x"), await vault.current()
    renew()
    assert await vault.current() != name
    assert await vault.unwrap(wrapped, "x") == KEY
    await vault.close()


async def test_a_vault_that_does_not_answer_or_refuses_the_token_is_away(transit: Any) -> None:
    address, _ = transit
    for vault in (TransitVault("http://127.0.0.1:1", lambda: TOKEN), TransitVault(address, lambda: "wrong")):
        with pytest.raises(Unavailable) as refusal:
            await vault.wrap(KEY, "x")
        assert TOKEN not in refusal.value.message
        await vault.close()


async def test_kms_gets_the_context_and_its_refusals_are_told_apart() -> None:
    client = boto3.client("kms", region_name="eu-central-1", aws_access_key_id="a", aws_secret_access_key="b")
    vault = AwsKms(client, "alias/paideia")
    context = {"paideia": "organization north"}
    with Stubber(client) as stub:
        stub.add_response(
            "encrypt",
            {"CiphertextBlob": b"wrapped", "KeyId": "k"},
            {"KeyId": "alias/paideia", "Plaintext": KEY, "EncryptionContext": context},
        )
        stub.add_response("decrypt", {"Plaintext": KEY}, {"CiphertextBlob": b"wrapped", "EncryptionContext": context})
        stub.add_client_error(
            "decrypt", "InvalidCiphertextException", expected_params={"CiphertextBlob": ANY, "EncryptionContext": ANY}
        )
        stub.add_client_error("decrypt", "ThrottlingException")
        assert await vault.wrap(KEY, "organization north") == b"wrapped"
        assert await vault.unwrap(b"wrapped", "organization north") == KEY
        with pytest.raises(UnreadableSecret):
            await vault.unwrap(b"other", "organization north")
        with pytest.raises(Unavailable):
            await vault.unwrap(b"other", "organization north")
    assert await vault.current() == "kms/alias/paideia"


@pytest.fixture
def settings(tmp_path: Path, transit: Any) -> Settings:
    """Of a platform whose keys transit wraps."""
    (tmp_path / "transit_token").write_text(TOKEN + "\n")
    return Settings("", tmp_path, "", "", key_vaults=("transit", "secret"), transit_address=transit[0])


async def test_the_vault_that_is_named_first_wraps_and_the_others_still_open(settings: Settings) -> None:
    secret = AesVault(b"k" * 32)
    before, after = (key_vaults(replace(settings, key_vaults=each), secret) for each in (("secret",), ("transit", "secret")))
    wrapped = await before.wrap(KEY, "x")
    assert await after.unwrap(wrapped, "x") == KEY
    moved = await after.wrap(KEY, "x")
    assert moved.startswith(b"vault:v1:")
    assert (await before.current(), await after.current()) == (f"secret/{secret.head.hex()}", "transit/transit/paideia/v1")
    with pytest.raises(UnreadableSecret):
        await before.unwrap(moved, "x")
    await after.close()


async def test_a_start_finds_out_that_the_vault_refuses(settings: Settings, tmp_path: Path) -> None:
    vaults = key_vaults(settings, AesVault(b"k" * 32))
    await check_key_vaults(settings, vaults)
    (tmp_path / "transit_token").write_text("revoked")
    with pytest.raises(ValueError, match=r"PAIDEIA_KEY_VAULT is transit.*403.*transit_token") as refusal:
        await check_key_vaults(settings, vaults)
    assert "revoked" not in str(refusal.value)
    await vaults.close()


async def test_a_start_refuses_a_transit_key_that_binds_nothing_to_its_context(settings: Settings) -> None:
    plain = replace(settings, transit_key="plain")
    vaults = key_vaults(plain, AesVault(b"k" * 32))
    with pytest.raises(ValueError, match="derived=true"):
        await check_key_vaults(plain, vaults)
    await vaults.close()


async def test_a_start_does_not_wait_for_a_vault_that_is_away(settings: Settings) -> None:
    away = replace(settings, transit_address="http://127.0.0.1:1")
    vaults = key_vaults(away, AesVault(b"k" * 32))
    await check_key_vaults(away, vaults)
    await vaults.close()


def test_a_transit_vault_without_a_token_names_the_secret(tmp_path: Path) -> None:
    with pytest.raises(MissingSecret, match="transit_token"):
        key_vaults(Settings("", tmp_path, "", "", key_vaults=("transit",)), AesVault(b"k" * 32))
