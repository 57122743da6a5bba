from dataclasses import dataclass

from domain.identity.invitations import MAIL_PAUSE, self_invitation
from domain.identity.links import EVEN_SECONDS, LinkToken, taking_at_least
from domain.identity.mail import Template, tell
from domain.identity.model import OrganizationNotFound, normalised_email
from domain.identity.people_settings import SignUpClosed
from domain.identity.ports import NewSecret, NewUnit
from domain.shared.clock import Clock
from domain.shared.ids import NewId


@dataclass(frozen=True, slots=True)
class SignUp:
    """Writes to an address that the organization's policy admits: what the mail says is known to its reader only.

    Of several requests within a minute for one address, the first is answered by a mail.
    """

    new_unit: NewUnit
    new_id: NewId
    new_secret: NewSecret
    clock: Clock
    even_seconds: float = EVEN_SECONDS

    async def __call__(self, organization: str, given_email: str) -> None:
        """Raises SignUpClosed."""
        email = normalised_email(given_email, "email")
        async with taking_at_least(self.even_seconds):
            await self._write(organization, email)

    async def _write(self, organization: str, email: str) -> None:
        now = self.clock()
        async with self.new_unit(organization) as unit:
            try:
                found = await unit.organizations.get()
            except OrganizationNotFound:
                raise SignUpClosed from None
            found.settings.check_sign_up(email)
            account = await unit.accounts.find(email)
            template = Template.SIGN_UP if account is None else Template.SIGN_UP_KNOWN
            if await unit.mails.written_since(email, template, now - MAIL_PAUSE):
                return
            if account is not None:
                await tell(unit.mails, account.user, template)
            else:
                token = LinkToken(organization, self.new_secret())
                for older in await unit.invitations.open_for(email, now):
                    if not older.invited_by:
                        await unit.invitations.save(older.revoke(now))
                await unit.invitations.add(self_invitation(self.new_id(), email, token, now))
                await unit.mails.send(email, template, {"token": str(token)})
            await unit.commit()
