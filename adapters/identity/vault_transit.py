"""Keys wrapped by HashiCorp Vault's transit engine (or OpenBao's), over HTTP."""

import base64
import binascii
from collections.abc import Callable
from typing import Any

import httpx

from adapters.identity.vault import KeyVaultRefuses
from domain.identity.credential_ports import UnreadableSecret
from domain.identity.sealing import KeyVault
from domain.shared.errors import Unavailable

_SECONDS = 5.0


class TransitVault(KeyVault):
    """`address` is the server's URL, `mount` and `key` name the transit key, which must have been created with `derived: true`.

    `token` is asked for at each call, so that one that an agent renews in its file is taken up without a restart. The context goes in as the
    derivation context: a wrapped key opens for its own context only.
    """

    def __init__(self, address: str, token: Callable[[], str], *, mount: str = "transit", key: str = "paideia") -> None:
        self._token = token
        self._mount, self._key = mount, key
        self._client = httpx.AsyncClient(base_url=f"{address.rstrip('/')}/v1/", timeout=_SECONDS, trust_env=False)

    async def current(self) -> str:
        found = await self._call("GET", f"keys/{self._key}")
        if found.get("derived") is not True:
            raise KeyVaultRefuses(f"the transit key {self._key} must be one that was created with derived=true")
        return f"transit/{self._mount}/{self._key}/v{found['latest_version']}"

    async def wrap(self, key: bytes, context: str) -> bytes:
        answer = await self._call("POST", f"encrypt/{self._key}", plaintext=_text(key), context=_text(context.encode()))
        return str(answer["ciphertext"]).encode()

    async def unwrap(self, wrapped: bytes, context: str) -> bytes:
        ciphertext = wrapped.decode("ascii", "replace")
        answer = await self._call("POST", f"decrypt/{self._key}", ciphertext=ciphertext, context=_text(context.encode()))
        try:
            return base64.b64decode(answer["plaintext"], validate=True)
        except (binascii.Error, TypeError) as error:
            raise Unavailable("the key vault answered with something else than a key") from error

    async def close(self) -> None:
        await self._client.aclose()

    async def _call(self, method: str, path: str, **body: str) -> Any:
        try:
            answer = await self._client.request(
                method, f"{self._mount}/{path}", json=body or None, headers={"X-Vault-Token": self._token()}
            )
            if answer.status_code == httpx.codes.BAD_REQUEST:
                raise UnreadableSecret
            if answer.is_client_error and answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
                raise KeyVaultRefuses(f"the key vault answers {answer.status_code} for the transit key {self._key}")
            answer.raise_for_status()
            return answer.json()["data"]
        except (httpx.HTTPError, ValueError, KeyError, OSError) as error:
            # The error of the library names the address; the token is in neither.
            raise Unavailable(f"the key vault does not answer: {type(error).__name__}") from error


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
