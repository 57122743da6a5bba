"""The key vaults that the settings name, as one."""

from collections.abc import Sequence

import boto3
import structlog
from botocore.config import Config

from adapters.identity.kms import AwsKms
from adapters.identity.vault import KeyVaultRefuses, SecretKeyVault
from adapters.identity.vault_transit import TransitVault
from adapters.shared.resources import Settings
from domain.identity.credential_ports import UnreadableSecret, Vault
from domain.identity.sealing import KeyVault
from domain.shared.errors import Unavailable

log = structlog.get_logger()

_PROBE = b"paideia"
_PROBED_FOR = "the start of a process"
_NEEDS = {
    "secret": "the secret identity_encryption_key",
    "transit": "PAIDEIA_TRANSIT_ADDRESS, PAIDEIA_TRANSIT_MOUNT, PAIDEIA_TRANSIT_KEY and the secret transit_token",
    "kms": "PAIDEIA_KMS_KEY, PAIDEIA_KMS_REGION and the AWS credentials",
}


class KeyVaults(KeyVault):
    """The first wraps; the others open what they wrapped before, so that organizations' keys move from one to the other while in use."""

    def __init__(self, vaults: Sequence[KeyVault]) -> None:
        self._vaults = tuple(vaults)

    async def current(self) -> str:
        return await self._vaults[0].current()

    async def wrap(self, key: bytes, context: str) -> bytes:
        return await self._vaults[0].wrap(key, context)

    async def unwrap(self, wrapped: bytes, context: str) -> bytes:
        for vault in self._vaults:
            try:
                return await vault.unwrap(wrapped, context)
            except UnreadableSecret:
                continue
        raise UnreadableSecret

    async def close(self) -> None:
        for vault in self._vaults:
            if isinstance(vault, TransitVault):
                await vault.close()


def key_vaults(settings: Settings, vault: Vault) -> KeyVaults:
    """`vault` is what is under identity's encryption key. Raises MissingSecret."""
    return KeyVaults([_opened(each, settings, vault) for each in settings.key_vaults])


async def check_key_vaults(settings: Settings, vaults: KeyVaults) -> None:
    """Has the first wrap something. Raises ValueError naming the settings if it refuses; one that is away may come back."""
    try:
        await vaults.current()
        wrapped = await vaults.wrap(_PROBE, _PROBED_FOR)
        if await vaults.unwrap(wrapped, _PROBED_FOR) != _PROBE:
            raise UnreadableSecret
    except (KeyVaultRefuses, UnreadableSecret) as error:
        name = settings.key_vaults[0]
        raise ValueError(
            f"PAIDEIA_KEY_VAULT is {name}, which refuses: {error or 'it cannot open'}; check {_NEEDS[name]}"
        ) from error
    except Unavailable as error:
        log.warning("key vault is away", vault=settings.key_vaults[0], error=error.message)


def _opened(name: str, settings: Settings, vault: Vault) -> KeyVault:
    if name == "transit":
        settings.secret("transit_token")
        return TransitVault(
            settings.transit_address,
            lambda: settings.secret("transit_token"),
            mount=settings.transit_mount,
            key=settings.transit_key,
        )
    if name == "kms":
        config = Config(connect_timeout=5, read_timeout=5, retries={"max_attempts": 3, "mode": "standard"})
        return AwsKms(boto3.client("kms", region_name=settings.kms_region, config=config), settings.kms_key)
    return SecretKeyVault(vault)
