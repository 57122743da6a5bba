"""Invitations: a link by mail that makes its reader a user. Who signs up has invited themselves, as a learner."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from domain.identity.links import LinkToken
from domain.identity.model import checked_roles, normalised_email
from domain.shared.caller import Role
from domain.shared.errors import LimitReached, NotAllowedNow, NotFound
from domain.shared.ids import chosen_id

INVITATION_LIFE = timedelta(days=7)
SIGN_UP_LIFE = timedelta(hours=24)
MAIL_PAUSE = timedelta(minutes=1)
"""Between two mails to one address about one invitation: a mailbox must not be flooded through us."""


class InvitationNotFound(NotFound):
    reason = "INVITATION_NOT_FOUND"


class InvitationRefused(NotAllowedNow):
    """One text for every cause: used, revoked, sent anew, expired or made up."""

    reason = "INVITATION_REFUSED"

    def __init__(self) -> None:
        super().__init__("the invitation was used, withdrawn or replaced, or has expired: ask for a new one")


class InvitationClosed(NotAllowedNow):
    reason = "INVITATION_CLOSED"


class InvitationJustSent(LimitReached):
    reason = "INVITATION_JUST_SENT"

    def __init__(self, retry_after: timedelta) -> None:
        super().__init__("the invitation was sent a moment ago", retry_after)


@dataclass(frozen=True, slots=True)
class Invitation:
    """`digest` is all that is kept of its link. `invited_by` is empty for a sign-up, `class_id` if it leads into no class."""

    id: str
    email: str
    roles: frozenset[Role]
    class_id: str
    invited_by: str
    digest: bytes
    created_at: datetime
    sent_at: datetime
    expires_at: datetime
    accepted_at: datetime | None = None
    revoked_at: datetime | None = None

    def good(self, now: datetime) -> bool:
        return self.accepted_at is None and self.revoked_at is None and now < self.expires_at

    def sent_again(self, token: LinkToken, now: datetime) -> "Invitation":
        """With a new link, which ends the old one. Raises InvitationClosed, InvitationJustSent."""
        self._check_unsettled()
        if (wait := self.sent_at + MAIL_PAUSE - now) > timedelta():
            raise InvitationJustSent(wait)
        life = INVITATION_LIFE if self.invited_by else SIGN_UP_LIFE
        return replace(self, digest=token.digest, sent_at=now, expires_at=now + life)

    def revoke(self, now: datetime) -> "Invitation":
        self._check_unsettled()
        return replace(self, revoked_at=now)

    def accept(self, now: datetime) -> "Invitation":
        """Raises InvitationRefused."""
        if not self.good(now):
            raise InvitationRefused
        return replace(self, accepted_at=now)

    def _check_unsettled(self) -> None:
        if self.accepted_at is not None:
            raise InvitationClosed(f"invitation {self.id} was accepted")
        if self.revoked_at is not None:
            raise InvitationClosed(f"invitation {self.id} was revoked")


@dataclass(frozen=True, slots=True)
class InvitationDraft:
    """What is asked for. An empty `class_id` leads into no class."""

    email: str
    roles: frozenset[Role]
    class_id: str = ""

    def invitation(self, invitation_id: str, token: LinkToken, invited_by: str, now: datetime) -> Invitation:
        """Raises InvalidInput naming the field at fault."""
        return Invitation(
            id=invitation_id,
            email=normalised_email(self.email, "invitation.email"),
            roles=checked_roles(self.roles, "invitation.roles"),
            class_id=self.class_id and chosen_id(self.class_id, "invitation.class"),
            invited_by=invited_by,
            digest=token.digest,
            created_at=now,
            sent_at=now,
            expires_at=now + INVITATION_LIFE,
        )


def self_invitation(invitation_id: str, email: str, token: LinkToken, now: datetime) -> Invitation:
    """Of somebody who signs up."""
    roles = frozenset({Role.LEARNER})
    return Invitation(invitation_id, email, roles, "", "", token.digest, now, now, now + SIGN_UP_LIFE)
