"""Keys wrapped by AWS KMS."""

import asyncio
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from adapters.identity.vault import KeyVaultRefuses
from domain.identity.credential_ports import UnreadableSecret
from domain.identity.sealing import KeyVault
from domain.shared.errors import Unavailable

_UNREADABLE = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})
_PASSING = frozenset({"ThrottlingException", "KMSInternalException", "DependencyTimeoutException", "KeyUnavailableException"})


class AwsKms(KeyVault):
    """`client` is boto3's; its calls block, so each has a thread. `key` is an id, an ARN or an alias of a symmetric key.

    The context goes in as KMS's encryption context, which CloudTrail shows. KMS keeps the versions of a key apart by itself and opens old ones
    for ever, so its name is that of the key.
    """

    def __init__(self, client: Any, key: str) -> None:
        self._client = client
        self._key = key

    async def current(self) -> str:
        return f"kms/{self._key}"

    async def wrap(self, key: bytes, context: str) -> bytes:
        answer = await self._call(self._client.encrypt, KeyId=self._key, Plaintext=key, EncryptionContext=_context(context))
        return bytes(answer["CiphertextBlob"])

    async def unwrap(self, wrapped: bytes, context: str) -> bytes:
        answer = await self._call(self._client.decrypt, CiphertextBlob=wrapped, EncryptionContext=_context(context))
        return bytes(answer["Plaintext"])

    async def _call(self, act: Callable[..., Any], **options: Any) -> Any:
        try:
            return await asyncio.to_thread(act, **options)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "unknown")
            if code in _UNREADABLE:
                raise UnreadableSecret from error
            raise (Unavailable if code in _PASSING else KeyVaultRefuses)(f"KMS refuses: {code}") from error
        except BotoCoreError as error:
            raise Unavailable(f"KMS does not answer: {type(error).__name__}") from error


def _context(context: str) -> dict[str, str]:
    return {"paideia": context}
