"""Between the messages of people and their domain."""

from collections.abc import Sequence
from datetime import datetime

from paideia.identity.v1 import identity_service_pb2, people_pb2

from domain.identity.classes import Class, Member, Part
from domain.identity.classes_enrolment import Verdict
from domain.identity.invitations import Invitation, InvitationDraft
from domain.identity.mail_queue import Mail, MailState
from domain.identity.people import Accessibility, Guardianship, Profile, ProfileChanges, Sight
from domain.identity.people_settings import OrganizationSettings, SignUpPolicy, TeachersSee
from domain.identity.use_cases.update_organization import OrganizationChanges
from domain.shared.errors import InvalidInput
from services.identity.messages import role_numbers, roles_from
from services.shared.etags import revision_in
from services.shared.names import id_in
from services.shared.times import timestamp

_SIGN_UP: dict[int, SignUpPolicy] = {
    people_pb2.SIGN_UP_POLICY_UNSPECIFIED: SignUpPolicy.CLOSED,
    people_pb2.SIGN_UP_POLICY_CLOSED: SignUpPolicy.CLOSED,
    people_pb2.SIGN_UP_POLICY_BY_DOMAIN: SignUpPolicy.BY_DOMAIN,
    people_pb2.SIGN_UP_POLICY_OPEN: SignUpPolicy.OPEN,
}
_TEACHERS_SEE: dict[int, TeachersSee] = {
    people_pb2.TEACHERS_SEE_UNSPECIFIED: TeachersSee.ALL,
    people_pb2.TEACHERS_SEE_ALL: TeachersSee.ALL,
    people_pb2.TEACHERS_SEE_CLASSES: TeachersSee.CLASSES,
}
_PARTS: dict[int, Part] = {people_pb2.CLASS_PART_TEACHER: Part.TEACHER, people_pb2.CLASS_PART_LEARNER: Part.LEARNER}
_STATES: dict[int, MailState | None] = {
    people_pb2.MAIL_STATE_UNSPECIFIED: None,
    people_pb2.MAIL_STATE_WAITING: MailState.WAITING,
    people_pb2.MAIL_STATE_SENT: MailState.SENT,
    people_pb2.MAIL_STATE_DEAD: MailState.DEAD,
}


def organization_changes(organization: identity_service_pb2.Organization, fields: frozenset[str]) -> OrganizationChanges:
    """Raises InvalidInput."""
    if organization.sign_up_policy not in _SIGN_UP:
        raise InvalidInput.of("organization.sign_up_policy", "must be CLOSED, BY_DOMAIN or OPEN")
    if organization.teachers_see not in _TEACHERS_SEE:
        raise InvalidInput.of("organization.teachers_see", "must be ALL or CLASSES")
    settings = OrganizationSettings(
        locale=organization.locale,
        time_zone=organization.time_zone,
        sign_up=_SIGN_UP[organization.sign_up_policy],
        sign_up_domains=tuple(organization.sign_up_domains),
        teachers_see=_TEACHERS_SEE[organization.teachers_see],
        allowed_origins=tuple(organization.allowed_origins),
    )
    revision = revision_in(organization.etag, "organization", "organization.etag")
    return OrganizationChanges(fields, organization.display_name, settings, revision)


def profile_message(profile: Profile) -> people_pb2.Profile:
    chosen = profile.accessibility
    return people_pb2.Profile(
        name=f"users/{profile.user}/profile",
        display_name=profile.display_name,
        locale=profile.locale,
        time_zone=profile.time_zone,
        accessibility=people_pb2.Accessibility(
            reduced_motion=chosen.reduced_motion,
            high_contrast=chosen.high_contrast,
            dyslexia_font=chosen.dyslexia_font,
            extra_time=chosen.extra_time,
        ),
        directory_withheld=profile.directory_withheld,
    )


def profile_changes(profile: people_pb2.Profile, fields: frozenset[str]) -> ProfileChanges:
    given = profile.accessibility
    extra_time = given.extra_time if given.HasField("extra_time") else 1.0
    accessibility = Accessibility(given.reduced_motion, given.high_contrast, given.dyslexia_font, extra_time)
    return ProfileChanges(fields, profile.display_name, profile.locale, profile.time_zone, accessibility)


def class_message(school_class: Class) -> people_pb2.Class:
    return people_pb2.Class(
        name=f"classes/{school_class.id}",
        display_name=school_class.display_name,
        create_time=timestamp(school_class.created_at),
        archive_time=None if school_class.archived_at is None else timestamp(school_class.archived_at),
    )


def member_message(member: Member) -> people_pb2.ClassMember:
    return people_pb2.ClassMember(
        user=f"users/{member.user}",
        part=f"CLASS_PART_{member.part}",
        join_time=timestamp(member.since),
        directory_withheld=member.directory_withheld,
    )


def part_from(number: int) -> Part:
    try:
        return _PARTS[number]
    except KeyError:
        raise InvalidInput.of("part", "must be TEACHER or LEARNER") from None


def user_ids(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(id_in(each, "users", f"users[{at}]") for at, each in enumerate(names))


def verdict_message(verdict: Verdict) -> people_pb2.EnrolmentVerdict:
    return people_pb2.EnrolmentVerdict(
        line=verdict.line, user_id=verdict.user_id, outcome=f"OUTCOME_{verdict.outcome}", reason=verdict.reason
    )


def invitation_draft(invitation: people_pb2.Invitation) -> InvitationDraft:
    class_id = id_in(invitation.school_class, "classes", "invitation.school_class") if invitation.school_class else ""
    return InvitationDraft(invitation.email, roles_from(invitation.roles, "invitation.roles"), class_id)


def invitation_message(invitation: Invitation, now: datetime) -> people_pb2.Invitation:
    """Whether one has expired is a matter of when it is asked."""
    state = people_pb2.INVITATION_STATE_OPEN if invitation.good(now) else people_pb2.INVITATION_STATE_EXPIRED
    if invitation.accepted_at is not None:
        state = people_pb2.INVITATION_STATE_ACCEPTED
    elif invitation.revoked_at is not None:
        state = people_pb2.INVITATION_STATE_REVOKED
    return people_pb2.Invitation(
        name=f"invitations/{invitation.id}",
        email=invitation.email,
        roles=role_numbers(invitation.roles),
        school_class=f"classes/{invitation.class_id}" if invitation.class_id else "",
        state=state,
        inviter=f"users/{invitation.invited_by}" if invitation.invited_by else "",
        create_time=timestamp(invitation.created_at),
        expire_time=timestamp(invitation.expires_at),
    )


def guardian_message(guardianship: Guardianship) -> people_pb2.Guardian:
    return people_pb2.Guardian(
        user=f"users/{guardianship.guardian}",
        learner=f"learners/{guardianship.learner}",
        link_time=timestamp(guardianship.since),
    )


def mail_message(mail: Mail) -> people_pb2.Mail:
    return people_pb2.Mail(
        name=f"mails/{mail.id}",
        recipient=mail.to,
        template=mail.template,
        state=f"MAIL_STATE_{mail.state}",
        attempts=mail.attempts,
        error=mail.error,
        create_time=timestamp(mail.created_at),
        next_attempt_time=timestamp(mail.next_attempt_at) if mail.state is MailState.WAITING else None,
    )


def mail_state_from(number: int) -> MailState | None:
    try:
        return _STATES[number]
    except KeyError:
        raise InvalidInput.of("state", "must be WAITING, SENT or DEAD") from None


def sight_message(sight: Sight) -> people_pb2.GetSightResponse:
    return people_pb2.GetSightResponse(
        everyone=sight.taught is None, taught=sorted(sight.taught or ()), wards=sorted(sight.wards)
    )
