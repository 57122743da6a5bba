from dataclasses import dataclass

from domain.identity.challenges import Factors
from domain.identity.model import Account, UserNotFound
from domain.identity.ports import NewUnit
from domain.identity.step_up import SignedIn


@dataclass(frozen=True, slots=True)
class CredentialsShown:
    """What an account signs in with, without any of its secrets."""

    account: Account
    email_verified: bool
    factors: Factors


@dataclass(frozen=True, slots=True)
class GetCredentials:
    new_unit: NewUnit

    async def __call__(self, me: SignedIn) -> CredentialsShown:
        async with self.new_unit(me.organization) as unit:
            account = await unit.accounts.find(me.user)
            if account is None:
                raise UserNotFound(f"no user {me.user}")
            email = account.user.email
            verified = email is not None and await unit.links.is_verified(me.user, email)
            return CredentialsShown(account, verified, await unit.factors.of(me.user))
