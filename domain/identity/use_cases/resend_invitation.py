from dataclasses import dataclass

from domain.identity.invitations import Invitation
from domain.identity.links import LinkToken
from domain.identity.mail import Template
from domain.identity.model import EmailTaken
from domain.identity.ports import NewSecret, NewUnit
from domain.shared.caller import Caller
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class ResendInvitation:
    """Writes again. Only a digest of the old link was kept, so the mail carries a new one, and the old one is good no more."""

    new_unit: NewUnit
    new_secret: NewSecret
    clock: Clock

    async def __call__(self, caller: Caller, invitation_id: str) -> Invitation:
        token = LinkToken(caller.organization, self.new_secret())
        async with self.new_unit(caller.organization) as unit:
            invitation = (await unit.invitations.get(invitation_id)).sent_again(token, self.clock())
            if await unit.users.with_emails([invitation.email]):
                raise EmailTaken("a user has this e-mail address")
            await unit.invitations.save(invitation)
            template = Template.INVITATION if invitation.invited_by else Template.SIGN_UP
            await unit.mails.send(invitation.email, template, {"token": str(token)})
            await unit.commit()
        return invitation
