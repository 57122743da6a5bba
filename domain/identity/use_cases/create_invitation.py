from dataclasses import dataclass

from domain.identity.invitations import Invitation, InvitationDraft
from domain.identity.links import LinkToken
from domain.identity.mail import Template
from domain.identity.model import EmailTaken, check_operator_change
from domain.identity.ports import NewSecret, NewUnit
from domain.shared.caller import Caller
from domain.shared.clock import Clock
from domain.shared.ids import NewId


@dataclass(frozen=True, slots=True)
class CreateInvitation:
    """The newest invitation of an address is the one that is good."""

    new_unit: NewUnit
    new_id: NewId
    new_secret: NewSecret
    clock: Clock

    async def __call__(self, caller: Caller, draft: InvitationDraft) -> Invitation:
        now = self.clock()
        token = LinkToken(caller.organization, self.new_secret())
        invitation = draft.invitation(self.new_id(), token, caller.user, now)
        check_operator_change(caller.roles, frozenset(), invitation.roles)
        async with self.new_unit(caller.organization) as unit:
            if invitation.class_id:
                (await unit.classes.get(invitation.class_id)).check_open()
            if await unit.users.with_emails([invitation.email]):
                raise EmailTaken("a user has this e-mail address")
            for older in await unit.invitations.open_for(invitation.email, now):
                await unit.invitations.save(older.revoke(now))
            await unit.invitations.add(invitation)
            await unit.mails.send(invitation.email, Template.INVITATION, {"token": str(token)})
            await unit.commit()
        return invitation
