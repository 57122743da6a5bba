"""The use cases of people, their classes, invitations and mails, put together."""

from dataclasses import dataclass

from domain.identity.ports import NewSecret, NewUnit, PasswordHasher
from domain.identity.use_cases.accept_invitation import AcceptInvitation
from domain.identity.use_cases.add_class_members import AddClassMembers
from domain.identity.use_cases.archive_class import ArchiveClass
from domain.identity.use_cases.create_class import CreateClass
from domain.identity.use_cases.create_invitation import CreateInvitation
from domain.identity.use_cases.enrol_from_csv import EnrolFromCsv
from domain.identity.use_cases.get_class import GetClass
from domain.identity.use_cases.get_invitation import GetInvitation
from domain.identity.use_cases.get_profile import GetProfile
from domain.identity.use_cases.get_sight import GetSight
from domain.identity.use_cases.link_guardian import LinkGuardian
from domain.identity.use_cases.list_class_members import ListClassMembers
from domain.identity.use_cases.list_classes import ListClasses
from domain.identity.use_cases.list_guardians import ListGuardians
from domain.identity.use_cases.list_invitations import ListInvitations
from domain.identity.use_cases.list_mails import ListMails
from domain.identity.use_cases.remove_class_members import RemoveClassMembers
from domain.identity.use_cases.resend_invitation import ResendInvitation
from domain.identity.use_cases.retry_mail import RetryMail
from domain.identity.use_cases.revoke_invitation import RevokeInvitation
from domain.identity.use_cases.sign_up import SignUp
from domain.identity.use_cases.unlink_guardian import UnlinkGuardian
from domain.identity.use_cases.update_class import UpdateClass
from domain.identity.use_cases.update_organization import UpdateOrganization
from domain.identity.use_cases.update_profile import UpdateProfile
from domain.shared.clock import Clock
from domain.shared.ids import NewId


@dataclass(frozen=True, slots=True)
class PeopleUseCases:
    """What the rpcs of people call."""

    clock: Clock
    update_organization: UpdateOrganization
    get_profile: GetProfile
    update_profile: UpdateProfile
    create_class: CreateClass
    get_class: GetClass
    list_classes: ListClasses
    update_class: UpdateClass
    archive_class: ArchiveClass
    add_class_members: AddClassMembers
    remove_class_members: RemoveClassMembers
    list_class_members: ListClassMembers
    enrol_from_csv: EnrolFromCsv
    create_invitation: CreateInvitation
    get_invitation: GetInvitation
    list_invitations: ListInvitations
    resend_invitation: ResendInvitation
    revoke_invitation: RevokeInvitation
    accept_invitation: AcceptInvitation
    sign_up: SignUp
    link_guardian: LinkGuardian
    unlink_guardian: UnlinkGuardian
    list_guardians: ListGuardians
    list_mails: ListMails
    retry_mail: RetryMail
    get_sight: GetSight


def people_use_cases(
    *, new_unit: NewUnit, passwords: PasswordHasher, new_id: NewId, new_secret: NewSecret, clock: Clock
) -> PeopleUseCases:
    return PeopleUseCases(
        clock=clock,
        update_organization=UpdateOrganization(new_unit, clock),
        get_profile=GetProfile(new_unit),
        update_profile=UpdateProfile(new_unit),
        create_class=CreateClass(new_unit, clock),
        get_class=GetClass(new_unit),
        list_classes=ListClasses(new_unit),
        update_class=UpdateClass(new_unit),
        archive_class=ArchiveClass(new_unit, clock),
        add_class_members=AddClassMembers(new_unit, clock),
        remove_class_members=RemoveClassMembers(new_unit, clock),
        list_class_members=ListClassMembers(new_unit),
        enrol_from_csv=EnrolFromCsv(new_unit, clock),
        create_invitation=CreateInvitation(new_unit, new_id, new_secret, clock),
        get_invitation=GetInvitation(new_unit),
        list_invitations=ListInvitations(new_unit),
        resend_invitation=ResendInvitation(new_unit, new_secret, clock),
        revoke_invitation=RevokeInvitation(new_unit, clock),
        accept_invitation=AcceptInvitation(new_unit, passwords, clock),
        sign_up=SignUp(new_unit, new_id, new_secret, clock),
        link_guardian=LinkGuardian(new_unit, clock),
        unlink_guardian=UnlinkGuardian(new_unit, clock),
        list_guardians=ListGuardians(new_unit),
        list_mails=ListMails(new_unit),
        retry_mail=RetryMail(new_unit, clock),
        get_sight=GetSight(new_unit),
    )
