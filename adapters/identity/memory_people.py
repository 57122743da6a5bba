"""Profiles, classes, guardians, invitations and mails in memory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import uuid4

from domain.identity.classes import Class, ClassAlreadyExists, ClassNotFound, Member, Part
from domain.identity.invitations import Invitation, InvitationNotFound
from domain.identity.mail_queue import CLAIM_LIFE, KEPT_AFTER_SENT, Mail, MailNotFound, MailState, mail_cursor
from domain.identity.model import Organization, User, UserNotFound
from domain.identity.people import Guardianship, Profile
from domain.identity.people_ports import (
    ClassRepository,
    GuardianRepository,
    InvitationRepository,
    MailQueue,
    MailRepository,
    ProfileRepository,
)
from domain.shared.clock import Clock
from domain.shared.page import Page, PageRequest


@dataclass
class PeopleState:
    """What one organization knows of its people; members by class and user, guardianships by learner and guardian."""

    profiles: dict[str, Profile] = field(default_factory=dict)
    classes: dict[str, Class] = field(default_factory=dict)
    members: dict[tuple[str, str], Member] = field(default_factory=dict)
    guardianships: dict[tuple[str, str], Guardianship] = field(default_factory=dict)
    invitations: dict[str, Invitation] = field(default_factory=dict)
    mails: dict[str, Mail] = field(default_factory=dict)

    def copy(self) -> "PeopleState":
        return PeopleState(
            dict(self.profiles),
            dict(self.classes),
            dict(self.members),
            dict(self.guardianships),
            dict(self.invitations),
            dict(self.mails),
        )


class MemoryProfiles(ProfileRepository):
    def __init__(self, state: PeopleState, users: dict[str, User]) -> None:
        self._state = state
        self._users = users

    async def get(self, user_id: str) -> Profile:
        if user_id not in self._users:
            raise UserNotFound(f"no user {user_id}")
        chosen = self._state.profiles.get(user_id, Profile(user_id))
        return replace(chosen, display_name=self._users[user_id].display_name)

    async def save(self, profile: Profile) -> None:
        self._state.profiles[profile.user] = profile
        self._users[profile.user] = replace(self._users[profile.user], display_name=profile.display_name)


class MemoryClasses(ClassRepository):
    def __init__(self, state: PeopleState) -> None:
        self._state = state

    async def add(self, new: Class) -> None:
        if new.id in self._state.classes:
            raise ClassAlreadyExists(f"there is a class {new.id} already")
        self._state.classes[new.id] = new

    async def get(self, class_id: str) -> Class:
        try:
            return self._state.classes[class_id]
        except KeyError:
            raise ClassNotFound(class_id) from None

    async def save(self, changed: Class) -> None:
        self._state.classes[changed.id] = changed

    async def page(self, request: PageRequest, of: str | None = None) -> Page[Class]:
        after = request.after[0] if request.after is not None else ""
        found = [
            self._state.classes[each]
            for each in sorted(self._state.classes)
            if each > after and (of is None or await self.has(each, of, Part.TEACHER))
        ]
        shown = tuple(found[: request.size])
        return Page(shown, (shown[-1].id,) if len(found) > request.size else None)

    async def enrol(self, class_id: str, members: Sequence[Member]) -> frozenset[str]:
        new = [each for each in members if (class_id, each.user) not in self._state.members]
        self._state.members.update(((class_id, each.user), each) for each in new)
        return frozenset(each.user for each in new)

    async def withdraw(self, class_id: str, user_ids: Sequence[str]) -> frozenset[str]:
        gone = frozenset(each for each in user_ids if (class_id, each) in self._state.members)
        for each in gone:
            del self._state.members[class_id, each]
        return gone

    async def size(self, class_id: str) -> int:
        return len(self._of(class_id))

    async def members(self, class_id: str, request: PageRequest) -> Page[Member]:
        after = request.after[0] if request.after is not None else ""
        found = [each for each in self._of(class_id) if each.user > after]
        shown = tuple(found[: request.size])
        return Page(shown, (shown[-1].user,) if len(found) > request.size else None)

    async def teachers(self, class_id: str) -> frozenset[str]:
        return frozenset(each.user for each in self._of(class_id) if each.part is Part.TEACHER)

    async def has(self, class_id: str, user_id: str, part: Part) -> bool:
        member = self._state.members.get((class_id, user_id))
        return member is not None and member.part is part

    async def taught_by(self, user_id: str) -> frozenset[str]:
        own = [each for each, member in self._state.members.items() if each[1] == user_id and member.part is Part.TEACHER]
        taught = [class_id for class_id, _ in own if self._state.classes[class_id].archived_at is None]
        return frozenset(member.user for each in taught for member in self._of(each) if member.part is Part.LEARNER)

    def _of(self, class_id: str) -> list[Member]:
        found = [member for (each, _), member in self._state.members.items() if each == class_id]
        return sorted(found, key=lambda member: member.user)


class MemoryGuardians(GuardianRepository):
    def __init__(self, state: PeopleState) -> None:
        self._state = state

    async def link(self, guardianship: Guardianship) -> bool:
        key = guardianship.learner, guardianship.guardian
        return self._state.guardianships.setdefault(key, guardianship) is guardianship

    async def unlink(self, guardian: str, learner: str) -> bool:
        return self._state.guardianships.pop((learner, guardian), None) is not None

    async def guardians_of(self, learner: str) -> Sequence[Guardianship]:
        return [self._state.guardianships[key] for key in sorted(self._state.guardianships) if key[0] == learner]

    async def wards_of(self, guardian: str) -> frozenset[str]:
        return frozenset(learner for learner, each in self._state.guardianships if each == guardian)


class MemoryInvitations(InvitationRepository):
    def __init__(self, state: PeopleState) -> None:
        self._state = state

    async def add(self, invitation: Invitation) -> None:
        self._state.invitations[invitation.id] = invitation

    async def get(self, invitation_id: str) -> Invitation:
        try:
            return self._state.invitations[invitation_id]
        except KeyError:
            raise InvitationNotFound(f"no invitation {invitation_id}") from None

    async def find(self, digest: bytes) -> Invitation | None:
        return next((each for each in self._state.invitations.values() if each.digest == digest), None)

    async def open_for(self, email: str, now: datetime) -> Sequence[Invitation]:
        return [each for each in self._state.invitations.values() if each.email == email and each.good(now)]

    async def save(self, invitation: Invitation) -> None:
        self._state.invitations[invitation.id] = invitation

    async def page(self, request: PageRequest) -> Page[Invitation]:
        after = request.after[0] if request.after is not None else ""
        found = [self._state.invitations[each] for each in sorted(self._state.invitations) if each > after]
        shown = tuple(found[: request.size])
        return Page(shown, (shown[-1].id,) if len(found) > request.size else None)


class MemoryMails(MailRepository):
    """`written` gets every mail as it was written: one that was sent has forgotten what filled it."""

    def __init__(self, state: PeopleState, written: list[Mail], organization: str, clock: Clock) -> None:
        self._state = state
        self._written = written
        self._organization = organization
        self._clock = clock

    async def send(self, to: str, template: str, fields: Mapping[str, str]) -> None:
        now = self._clock()
        mail = Mail(str(uuid4()), self._organization, to, str(template), dict(fields), now, now)
        self._state.mails[mail.id] = mail
        self._written.append(mail)

    async def written_since(self, to: str, template: str, moment: datetime) -> bool:
        return any(
            each.to == to and each.template == str(template) and each.created_at >= moment for each in self._state.mails.values()
        )

    async def get(self, mail_id: str) -> Mail:
        try:
            return self._state.mails[mail_id]
        except KeyError:
            raise MailNotFound(f"no mail {mail_id}") from None

    async def save(self, mail: Mail) -> None:
        self._state.mails[mail.id] = mail

    async def page(self, request: PageRequest, state: MailState | None) -> Page[Mail]:
        found = [each for each in self._state.mails.values() if state is None or each.state is state]
        found.sort(key=lambda each: (each.created_at, each.id), reverse=True)
        if request.after is not None:
            after = mail_cursor(request)
            found = [each for each in found if (each.created_at, each.id) < after]
        shown = tuple(found[: request.size])
        return Page(shown, (shown[-1].created_at.isoformat(), shown[-1].id) if len(found) > request.size else None)


class MemoryMailQueue(MailQueue):
    """`apply` makes what was changed so for everybody."""

    def __init__(self, tenants: Mapping[str, PeopleState], organization: Callable[[str], Organization | None]) -> None:
        self._tenants = tenants
        self._organization = organization
        self._changed: list[Mail] = []
        self._forgotten: list[Mail] = []

    async def claim(self, now: datetime, most: int) -> Sequence[Mail]:
        due = [
            mail
            for state in self._tenants.values()
            for mail in state.mails.values()
            if mail.state is MailState.WAITING and mail.next_attempt_at <= now
        ]
        due.sort(key=lambda mail: mail.next_attempt_at)
        claimed = [replace(mail, attempts=mail.attempts + 1, next_attempt_at=now + CLAIM_LIFE) for mail in due[:most]]
        self._changed += claimed
        return [self._addressed(mail) for mail in claimed]

    async def settle(self, mail: Mail) -> None:
        now = self._tenants[mail.organization].mails.get(mail.id)
        if now is not None and now.state is MailState.WAITING and now.attempts == mail.attempts:
            self._changed.append(mail)

    async def forget_sent(self, now: datetime) -> None:
        for state in self._tenants.values():
            self._forgotten += [
                mail
                for mail in state.mails.values()
                if mail.state is MailState.SENT and mail.settled_at is not None and mail.settled_at < now - KEPT_AFTER_SENT
            ]

    def apply(self) -> None:
        for mail in self._changed:
            self._tenants[mail.organization].mails[mail.id] = mail
        for mail in self._forgotten:
            del self._tenants[mail.organization].mails[mail.id]

    def _addressed(self, mail: Mail) -> Mail:
        organization = self._organization(mail.organization)
        if organization is None:
            return mail
        return replace(mail, locale=organization.settings.locale, sender=organization.display_name)
