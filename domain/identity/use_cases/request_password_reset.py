from dataclasses import dataclass

from domain.identity.links import EVEN_SECONDS, LinkToken, Purpose, taking_at_least
from domain.identity.mail import Template
from domain.identity.ports import NewSecret, NewUnit
from domain.identity.sessions import throttle_key
from domain.identity.use_cases.count_attempt import CountAttempt
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class RequestPasswordReset:
    """Mails a link to an account's address. Whoever asks learns nothing, neither by the answer nor by its time.

    Only an account that a password opens can have it reset: managed users stay managed.
    """

    new_unit: NewUnit
    count_attempt: CountAttempt
    new_secret: NewSecret
    clock: Clock
    even_seconds: float = EVEN_SECONDS

    async def __call__(self, organization: str, login: str) -> None:
        async with taking_at_least(self.even_seconds):
            await self.count_attempt(throttle_key(organization, f"\0reset\0{login}"))
            now = self.clock()
            async with self.new_unit(organization) as unit:
                account = await unit.accounts.find(login)
                if account is None or account.usable_hash is None or account.user.email is None:
                    return
                user, email = account.user, account.user.email
                token = LinkToken(organization, self.new_secret())
                await unit.links.add(token.link(Purpose.RESET_PASSWORD, user.id, email, now), now)
                await unit.mails.send(email, Template.RESET_PASSWORD, {"user": user.id, "token": str(token)})
                await unit.commit()
