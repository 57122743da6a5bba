from dataclasses import dataclass

from domain.identity.links import LinkToken, Purpose
from domain.identity.mail import Template
from domain.identity.model import normalised_email
from domain.identity.ports import NewSecret, NewUnit
from domain.identity.sessions import throttle_key
from domain.identity.step_up import SignedIn
from domain.identity.use_cases.count_attempt import CountAttempt
from domain.shared.clock import Clock
from domain.shared.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class RequestEmailVerification:
    """Mails a link to the caller's address, or to the one it is to be changed to, which takes a fresh proof.

    Nothing is said of whether another user has the new address: only who reads its mail learns that.
    """

    new_unit: NewUnit
    count_attempt: CountAttempt
    new_secret: NewSecret
    clock: Clock

    async def __call__(self, me: SignedIn, new_email: str | None) -> None:
        wanted = None if new_email is None else normalised_email(new_email, "email")
        await self.count_attempt(throttle_key(me.organization, f"\0verification\0{me.user}"))
        now = self.clock()
        async with self.new_unit(me.organization) as unit:
            user = await unit.users.get(me.user)
            email = wanted or user.email
            if email is None:
                raise InvalidInput.of("email", "must be given: the account has no address yet")
            if email != user.email:
                me.check_stepped_up(now, second_factor=(await unit.factors.of(me.user)).second)
            token = LinkToken(me.organization, self.new_secret())
            await unit.links.add(token.link(Purpose.VERIFY_EMAIL, me.user, email, now), now)
            await unit.mails.send(email, Template.VERIFY_EMAIL, {"user": user.id, "token": str(token)})
            await unit.commit()
