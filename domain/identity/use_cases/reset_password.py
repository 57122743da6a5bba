from dataclasses import dataclass

from domain.identity.events import Notice, SecurityNoticed, revocations
from domain.identity.links import Link, LinkRefused, LinkToken, Purpose
from domain.identity.mail import Template, tell
from domain.identity.model import User
from domain.identity.passwords import check_strength
from domain.identity.ports import IdentityUnit, NewUnit, PasswordHasher
from domain.identity.use_cases.hash_new_password import hash_new_password
from domain.identity.use_cases.user_of_link import user_of_link
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class ResetPassword:
    """Sets a new password by a link from a mail, ends every session and tells the owner. Second factors stay."""

    new_unit: NewUnit
    passwords: PasswordHasher
    clock: Clock

    async def __call__(self, token: LinkToken, new: str) -> None:
        check_strength(new, "new_password", token.organization)
        async with self.new_unit(token.organization) as unit:  # before the slow hash; what the second unit finds decides
            user, link = await self._opened(unit, token)
        personal = (user.id, user.display_name, link.email, token.organization)
        password_hash = await hash_new_password(self.passwords, new, "new_password", *personal)
        async with self.new_unit(token.organization) as unit:
            user, link = await self._opened(unit, token)
            now = self.clock()
            await unit.links.use(user.id, Purpose.RESET_PASSWORD, now)
            await unit.links.verify_email(user.id, link.email, now)
            await unit.accounts.set_password(user.id, password_hash, now)
            ended = await unit.sessions.end_all(user.id)
            await unit.events.add([SecurityNoticed(user.id, now, Notice.PASSWORD_RESET), *revocations(user.id, ended, now)])
            await tell(unit.mails, user, Template.PASSWORD_CHANGED)
            await unit.commit()

    async def _opened(self, unit: IdentityUnit, token: LinkToken) -> tuple[User, Link]:
        """Raises LinkRefused; the second use of a link is on record."""
        now = self.clock()
        user, link = await user_of_link(unit, token)
        if link.used_at is not None:
            await unit.events.add([SecurityNoticed(user.id, now, Notice.RESET_LINK_REUSED)])
            await unit.commit()
        if not link.good(Purpose.RESET_PASSWORD, now) or not user.active or user.email != link.email:
            raise LinkRefused
        return user, link
