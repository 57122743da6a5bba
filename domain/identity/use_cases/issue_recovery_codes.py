from collections.abc import Callable
from dataclasses import dataclass

from domain.identity.credential_ports import Vault
from domain.identity.ports import IdentityUnit
from domain.identity.recovery import checked_code, new_codes


@dataclass(frozen=True, slots=True)
class IssueRecoveryCodes:
    """Replaces a user's recovery codes inside a unit, and returns them for the only time. `random_below(n)` draws from 0 to n - 1."""

    vault: Vault
    random_below: Callable[[int], int]

    async def __call__(self, unit: IdentityUnit, organization: str, user_id: str) -> tuple[str, ...]:
        codes = new_codes(self.random_below)
        context = f"recovery {organization}/{user_id}"
        digests = [self.vault.fingerprint(checked_code(code, "code"), context) for code in codes]
        await unit.factors.replace_recovery_codes(user_id, digests)
        return codes
