"""Identity's gRPC face for organizations' settings, profiles, classes, invitations, guardians and mails."""

from typing import Any, TypeAlias

from grpc.aio import ServicerContext
from paideia.identity.v1 import identity_service_pb2, people_pb2
from paideia.identity.v1.identity_service_pb2_grpc import IdentityServiceServicer

from domain.identity.invitations import Invitation
from domain.shared.errors import InvalidInput
from services.identity import people_messages as messages
from services.identity.messages import organization_message
from services.identity.people_use_cases import PeopleUseCases
from services.shared.call import caller
from services.shared.masks import fields_in
from services.shared.names import id_in
from services.shared.paging import next_token, page_request

Call: TypeAlias = "ServicerContext[Any, Any]"

_ORGANIZATION_FIELDS = frozenset(
    {"display_name", "locale", "time_zone", "sign_up_policy", "sign_up_domains", "teachers_see", "allowed_origins"}
)
_PROFILE_FIELDS = frozenset({"display_name", "locale", "time_zone", "accessibility"})
_CLASS_FIELDS = frozenset({"display_name"})


class PeopleServicer(IdentityServiceServicer):
    """The rpcs of people, for the servicer of the whole service to inherit; it has `people`."""

    people: PeopleUseCases

    async def UpdateOrganization(
        self, request: identity_service_pb2.UpdateOrganizationRequest, context: Call
    ) -> identity_service_pb2.Organization:
        organization_id = id_in(request.organization.name, "organizations", "organization.name")
        fields = fields_in(request.update_mask, _ORGANIZATION_FIELDS)
        changes = messages.organization_changes(request.organization, fields)
        return organization_message(await self.people.update_organization(caller(context), organization_id, changes))

    async def GetMyProfile(self, request: people_pb2.GetMyProfileRequest, context: Call) -> people_pb2.Profile:
        me = caller(context)
        return messages.profile_message(await self.people.get_profile(me, me.user))

    async def GetProfile(self, request: people_pb2.GetProfileRequest, context: Call) -> people_pb2.Profile:
        name, slash, last = request.name.rpartition("/")
        if (slash, last) != ("/", "profile"):
            raise InvalidInput.of("name", "must be a name of the form users/{user}/profile")
        user_id = id_in(name, "users")
        return messages.profile_message(await self.people.get_profile(caller(context), user_id))

    async def UpdateMyProfile(self, request: people_pb2.UpdateMyProfileRequest, context: Call) -> people_pb2.Profile:
        changes = messages.profile_changes(request.profile, fields_in(request.update_mask, _PROFILE_FIELDS))
        return messages.profile_message(await self.people.update_profile(caller(context), changes))

    async def CreateClass(self, request: people_pb2.CreateClassRequest, context: Call) -> people_pb2.Class:
        made = await self.people.create_class(caller(context), request.class_id, request.school_class.display_name)
        return messages.class_message(made)

    async def GetClass(self, request: people_pb2.GetClassRequest, context: Call) -> people_pb2.Class:
        return messages.class_message(await self.people.get_class(caller(context), id_in(request.name, "classes")))

    async def ListClasses(self, request: people_pb2.ListClassesRequest, context: Call) -> people_pb2.ListClassesResponse:
        page = await self.people.list_classes(caller(context), page_request(request.page_size, request.page_token))
        return people_pb2.ListClassesResponse(
            classes=map(messages.class_message, page.elements), next_page_token=next_token(page)
        )

    async def UpdateClass(self, request: people_pb2.UpdateClassRequest, context: Call) -> people_pb2.Class:
        fields_in(request.update_mask, _CLASS_FIELDS)
        class_id = id_in(request.school_class.name, "classes", "school_class.name")
        changed = await self.people.update_class(caller(context), class_id, request.school_class.display_name)
        return messages.class_message(changed)

    async def ArchiveClass(self, request: people_pb2.ArchiveClassRequest, context: Call) -> people_pb2.Class:
        return messages.class_message(await self.people.archive_class(caller(context), id_in(request.name, "classes")))

    async def AddClassMembers(
        self, request: people_pb2.AddClassMembersRequest, context: Call
    ) -> people_pb2.AddClassMembersResponse:
        class_id, part = id_in(request.name, "classes"), messages.part_from(request.part)
        added = await self.people.add_class_members(caller(context), class_id, messages.user_ids(request.users), part)
        return people_pb2.AddClassMembersResponse(added=added)

    async def RemoveClassMembers(
        self, request: people_pb2.RemoveClassMembersRequest, context: Call
    ) -> people_pb2.RemoveClassMembersResponse:
        class_id = id_in(request.name, "classes")
        removed = await self.people.remove_class_members(caller(context), class_id, messages.user_ids(request.users))
        return people_pb2.RemoveClassMembersResponse(removed=removed)

    async def ListClassMembers(
        self, request: people_pb2.ListClassMembersRequest, context: Call
    ) -> people_pb2.ListClassMembersResponse:
        asked = page_request(request.page_size, request.page_token)
        page = await self.people.list_class_members(caller(context), id_in(request.parent, "classes", "parent"), asked)
        return people_pb2.ListClassMembersResponse(
            members=map(messages.member_message, page.elements), next_page_token=next_token(page)
        )

    async def EnrolFromCsv(self, request: people_pb2.EnrolFromCsvRequest, context: Call) -> people_pb2.EnrolFromCsvResponse:
        verdicts = await self.people.enrol_from_csv(
            caller(context), id_in(request.name, "classes"), request.csv, validate_only=request.validate_only
        )
        return people_pb2.EnrolFromCsvResponse(verdicts=map(messages.verdict_message, verdicts))

    async def CreateInvitation(self, request: people_pb2.CreateInvitationRequest, context: Call) -> people_pb2.Invitation:
        draft = messages.invitation_draft(request.invitation)
        return self._shown(await self.people.create_invitation(caller(context), draft))

    async def GetInvitation(self, request: people_pb2.GetInvitationRequest, context: Call) -> people_pb2.Invitation:
        return self._shown(await self.people.get_invitation(caller(context), id_in(request.name, "invitations")))

    async def ListInvitations(
        self, request: people_pb2.ListInvitationsRequest, context: Call
    ) -> people_pb2.ListInvitationsResponse:
        page = await self.people.list_invitations(caller(context), page_request(request.page_size, request.page_token))
        return people_pb2.ListInvitationsResponse(invitations=map(self._shown, page.elements), next_page_token=next_token(page))

    async def ResendInvitation(self, request: people_pb2.ResendInvitationRequest, context: Call) -> people_pb2.Invitation:
        return self._shown(await self.people.resend_invitation(caller(context), id_in(request.name, "invitations")))

    async def RevokeInvitation(self, request: people_pb2.RevokeInvitationRequest, context: Call) -> people_pb2.Invitation:
        return self._shown(await self.people.revoke_invitation(caller(context), id_in(request.name, "invitations")))

    async def AcceptInvitation(
        self, request: people_pb2.AcceptInvitationRequest, context: Call
    ) -> people_pb2.AcceptInvitationResponse:
        organization, user = await self.people.accept_invitation(
            request.token, request.user_id, request.display_name, request.password
        )
        return people_pb2.AcceptInvitationResponse(user=f"users/{user.id}", organization=f"organizations/{organization}")

    async def SignUp(self, request: people_pb2.SignUpRequest, context: Call) -> people_pb2.SignUpResponse:
        await self.people.sign_up(id_in(request.organization, "organizations", "organization"), request.email)
        return people_pb2.SignUpResponse()

    async def LinkGuardian(self, request: people_pb2.LinkGuardianRequest, context: Call) -> people_pb2.Guardian:
        learner, guardian = id_in(request.learner, "learners", "learner"), id_in(request.guardian, "users", "guardian")
        return messages.guardian_message(await self.people.link_guardian(caller(context), learner, guardian))

    async def UnlinkGuardian(self, request: people_pb2.UnlinkGuardianRequest, context: Call) -> people_pb2.UnlinkGuardianResponse:
        learner, guardian = id_in(request.learner, "learners", "learner"), id_in(request.guardian, "users", "guardian")
        await self.people.unlink_guardian(caller(context), learner, guardian)
        return people_pb2.UnlinkGuardianResponse()

    async def ListGuardians(self, request: people_pb2.ListGuardiansRequest, context: Call) -> people_pb2.ListGuardiansResponse:
        found = await self.people.list_guardians(caller(context), id_in(request.parent, "learners", "parent"))
        return people_pb2.ListGuardiansResponse(guardians=map(messages.guardian_message, found))

    async def ListMails(self, request: people_pb2.ListMailsRequest, context: Call) -> people_pb2.ListMailsResponse:
        asked = page_request(request.page_size, request.page_token)
        page = await self.people.list_mails(caller(context), asked, messages.mail_state_from(request.state))
        return people_pb2.ListMailsResponse(mails=map(messages.mail_message, page.elements), next_page_token=next_token(page))

    async def RetryMail(self, request: people_pb2.RetryMailRequest, context: Call) -> people_pb2.Mail:
        return messages.mail_message(await self.people.retry_mail(caller(context), id_in(request.name, "mails")))

    async def GetSight(self, request: people_pb2.GetSightRequest, context: Call) -> people_pb2.GetSightResponse:
        return messages.sight_message(await self.people.get_sight(caller(context), id_in(request.user, "users", "user")))

    def _shown(self, invitation: Invitation) -> people_pb2.Invitation:
        return messages.invitation_message(invitation, self.people.clock())
