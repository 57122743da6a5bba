from dataclasses import dataclass, replace

from domain.identity.events import Notice, SecurityNoticed
from domain.identity.links import LinkRefused, LinkToken, Purpose
from domain.identity.mail import Template, tell
from domain.identity.ports import NewUnit
from domain.identity.use_cases.user_of_link import user_of_link
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class VerifyEmail:
    """Takes the link's address for the user's: whoever has the link reads its mail."""

    new_unit: NewUnit
    clock: Clock

    async def __call__(self, token: LinkToken) -> None:
        """Raises LinkRefused, or EmailTaken if another user has got the address meanwhile."""
        now = self.clock()
        async with self.new_unit(token.organization) as unit:
            user, link = await user_of_link(unit, token)
            if not link.good(Purpose.VERIFY_EMAIL, now) or not user.active:
                raise LinkRefused
            await unit.links.use(user.id, Purpose.VERIFY_EMAIL, now)
            notice = Notice.EMAIL_VERIFIED if link.email == user.email else Notice.EMAIL_CHANGED
            if notice is Notice.EMAIL_CHANGED:
                await unit.users.save(replace(user, email=link.email))
                await tell(unit.mails, user, Template.EMAIL_CHANGED)  # to the old address
                await unit.links.use(user.id, Purpose.RESET_PASSWORD, now)
            await unit.links.verify_email(user.id, link.email, now)
            await unit.events.add([SecurityNoticed(user.id, now, notice)])
            await unit.commit()
