from dataclasses import dataclass
from datetime import datetime

from domain.identity.classes import Member, Part
from domain.identity.events import UserCreated
from domain.identity.invitations import Invitation, InvitationRefused
from domain.identity.links import LinkRefused, LinkToken
from domain.identity.model import User, UserAlreadyExists, checked_name, checked_user_id
from domain.identity.ports import IdentityUnit, NewUnit, PasswordHasher
from domain.identity.use_cases.hash_new_password import hash_new_password
from domain.identity.use_cases.room import room_for
from domain.identity.use_cases.teaching import tell_of_sight
from domain.shared.caller import Role
from domain.shared.clock import Clock
from domain.shared.plans import Quota


@dataclass(frozen=True, slots=True)
class AcceptInvitation:
    """Makes the reader of the link a user, who has shown that the address is theirs. Returns the organization and the user."""

    new_unit: NewUnit
    passwords: PasswordHasher
    clock: Clock

    async def __call__(self, link: str, user_id: str, display_name: str, password: str) -> tuple[str, User]:
        """Raises InvitationRefused, UserAlreadyExists, EmailTaken, QuotaReached."""
        try:
            token = LinkToken.parse(link)
        except LinkRefused:
            raise InvitationRefused from None
        checked_user_id(user_id, "user_id")
        name = checked_name(display_name, "display_name", required=False)
        now = self.clock()
        async with self.new_unit(token.organization) as unit:  # before the slow hash; the second look decides a race
            invitation = await _good(unit, token, now)
        personal = (user_id, invitation.email, name, token.organization)
        password_hash = await hash_new_password(self.passwords, password, "password", *personal)
        async with self.new_unit(token.organization) as unit:
            room = await room_for(unit, Quota.PEOPLE)
            invitation = (await _good(unit, token, now)).accept(now)
            room.check()
            user = User(user_id, name, invitation.email, invitation.roles, now)
            if not await unit.users.add([user]):
                raise UserAlreadyExists(f"there is a user {user_id} already: choose another id")
            await unit.accounts.set_password(user_id, password_hash, now)
            await unit.links.verify_email(user_id, invitation.email, now)
            await unit.invitations.save(invitation)
            await unit.events.add([UserCreated(user_id, now)])
            await _enrol(unit, invitation, user_id, now)
            await unit.commit()
        return token.organization, user


async def _good(unit: IdentityUnit, token: LinkToken, now: datetime) -> Invitation:
    invitation = await unit.invitations.find(token.digest)
    if invitation is None or not invitation.good(now):
        raise InvitationRefused
    return invitation


async def _enrol(unit: IdentityUnit, invitation: Invitation, user_id: str, now: datetime) -> None:
    """Into the class that the invitation leads into, unless that has been archived since."""
    parts = [part for part in (Part.TEACHER, Part.LEARNER) if Role(part) in invitation.roles]
    if not invitation.class_id or not parts or (await unit.classes.get(invitation.class_id)).archived_at is not None:
        return
    await unit.classes.enrol(invitation.class_id, [Member(user_id, parts[0], now)])
    await tell_of_sight(unit, await unit.classes.teachers(invitation.class_id), now)
