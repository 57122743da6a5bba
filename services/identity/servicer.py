"""gRPC in: messages to use cases and back. Who may call is settled before; errors are mapped after."""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from paideia.identity.v1 import identity_service_pb2 as pb

from domain.identity.challenges import PutChallenge
from domain.identity.sessions import Credentials
from domain.identity.use_cases.change_password import ChangePassword
from domain.identity.use_cases.create_user import CreateUser
from domain.identity.use_cases.create_users import CreateUsers
from domain.identity.use_cases.deactivate_user import DeactivateUser
from domain.identity.use_cases.found_organization import FoundOrganization
from domain.identity.use_cases.get_organization import GetOrganization
from domain.identity.use_cases.get_usage import GetUsage
from domain.identity.use_cases.get_user import GetUser
from domain.identity.use_cases.list_origin_organizations import ListOriginOrganizations
from domain.identity.use_cases.list_public_keys import ListPublicKeys
from domain.identity.use_cases.list_users import ListUsers
from domain.identity.use_cases.refresh_session import RefreshSession
from domain.identity.use_cases.set_plan import SetPlan
from domain.identity.use_cases.sign_in import SignIn
from domain.identity.use_cases.sign_out import SignOut
from domain.identity.use_cases.update_user import UpdateUser
from domain.shared.caller import Role
from domain.shared.errors import FieldViolation, InvalidInput
from services.identity.credentials_messages import challenge_message
from services.identity.credentials_servicer import CredentialsRpcs, device, signed_in
from services.identity.credentials_use_cases import CredentialUseCases
from services.identity.federation_servicer import FederationRpcs
from services.identity.federation_use_cases import FederationUseCases
from services.identity.messages import (
    changes_from,
    draft_from,
    jwk_message,
    organization_message,
    pair_message,
    role_numbers,
    user_message,
)
from services.identity.people_servicer import PeopleServicer
from services.identity.people_use_cases import PeopleUseCases
from services.identity.privacy_servicer import PrivacyRpcs
from services.identity.privacy_use_cases import PrivacyUseCases
from services.identity.programs_servicer import ProgramsRpcs
from services.identity.programs_use_cases import ProgramUseCases
from services.identity.provisioning_servicer import ProvisioningRpcs
from services.identity.quotas_servicer import QuotasRpcs
from services.shared.call import caller
from services.shared.idempotency import slow_first
from services.shared.masks import fields_in
from services.shared.names import id_in
from services.shared.paging import next_token, page_request

Context = grpc.aio.ServicerContext[Any, Any]

_CHANGEABLE = frozenset({"display_name", "email", "roles"})


class IdentityServicer(CredentialsRpcs, FederationRpcs, PeopleServicer, PrivacyRpcs, ProgramsRpcs, ProvisioningRpcs, QuotasRpcs):
    def __init__(
        self,
        found_organization: FoundOrganization,
        get_organization: GetOrganization,
        create_user: CreateUser,
        create_users: CreateUsers,
        get_user: GetUser,
        list_users: ListUsers,
        update_user: UpdateUser,
        deactivate_user: DeactivateUser,
        change_password: ChangePassword,
        sign_in: SignIn,
        refresh_session: RefreshSession,
        sign_out: SignOut,
        list_public_keys: ListPublicKeys,
        list_origin_organizations: ListOriginOrganizations,
        set_plan: SetPlan,
        get_usage: GetUsage,
        credentials: CredentialUseCases,
        people: PeopleUseCases,
        programs: ProgramUseCases,
        federation: FederationUseCases,
        privacy: PrivacyUseCases,
    ) -> None:
        super().__init__(credentials)
        self.people = people
        self.programs = programs
        self.federation = federation
        self.privacy = privacy
        self.relying_party = credentials.relying_party
        self._found_organization = found_organization
        self._get_organization = get_organization
        self._create_user = create_user
        self._create_users = create_users
        self._get_user = get_user
        self._list_users = list_users
        self._update_user = update_user
        self._deactivate_user = deactivate_user
        self._change_password = change_password
        self._sign_in = sign_in
        self._refresh_session = refresh_session
        self._sign_out = sign_out
        self._list_public_keys = list_public_keys
        self._list_origin_organizations = list_origin_organizations
        self.set_plan = set_plan
        self.get_usage = get_usage

    @slow_first
    async def CreateOrganization(
        self, request: pb.CreateOrganizationRequest, context: Context
    ) -> Callable[[], Awaitable[pb.Organization]]:
        found = await self._found_organization.prepare(
            request.organization_id,
            request.organization.display_name,
            request.admin_user_id,
            request.admin_password,
            frozenset({Role.ADMIN}),
        )

        async def act() -> pb.Organization:
            return organization_message(await found())

        return act

    async def GetOrganization(self, request: pb.GetOrganizationRequest, context: Context) -> pb.Organization:
        return organization_message(await self._get_organization(caller(context), id_in(request.name, "organizations")))

    @slow_first
    async def CreateUser(self, request: pb.CreateUserRequest, context: Context) -> Callable[[], Awaitable[pb.User]]:
        password = request.password if request.HasField("password") else None
        create = await self._create_user.prepare(caller(context), draft_from(request), password)

        async def act() -> pb.User:
            return user_message(await create())

        return act

    async def BatchCreateUsers(self, request: pb.BatchCreateUsersRequest, context: Context) -> pb.BatchCreateUsersResponse:
        _refuse_passwords(request)
        drafts = tuple(draft_from(each, f"requests[{at}]") for at, each in enumerate(request.requests))
        users = await self._create_users(caller(context), drafts, skip_existing=request.skip_existing)
        return pb.BatchCreateUsersResponse(users=map(user_message, users))

    async def GetUser(self, request: pb.GetUserRequest, context: Context) -> pb.User:
        return user_message(await self._get_user(caller(context), id_in(request.name, "users")))

    async def GetMe(self, request: pb.GetMeRequest, context: Context) -> pb.GetMeResponse:
        me = caller(context)
        return pb.GetMeResponse(
            user=f"users/{me.user}", organization=f"organizations/{me.organization}", roles=role_numbers(me.roles)
        )

    async def ListUsers(self, request: pb.ListUsersRequest, context: Context) -> pb.ListUsersResponse:
        page = await self._list_users(caller(context), page_request(request.page_size, request.page_token))
        return pb.ListUsersResponse(users=map(user_message, page.elements), next_page_token=next_token(page))

    async def UpdateUser(self, request: pb.UpdateUserRequest, context: Context) -> pb.User:
        user_id = id_in(request.user.name, "users", field="user.name")
        changes = changes_from(request.user, fields_in(request.update_mask, _CHANGEABLE))
        return user_message(await self._update_user(caller(context), user_id, changes))

    async def DeactivateUser(self, request: pb.DeactivateUserRequest, context: Context) -> pb.User:
        return user_message(await self._deactivate_user(caller(context), id_in(request.name, "users")))

    @slow_first
    async def ChangePassword(
        self, request: pb.ChangePasswordRequest, context: Context
    ) -> Callable[[], Awaitable[pb.ChangePasswordResponse]]:
        change = await self._change_password.prepare(signed_in(context), request.current_password, request.new_password)

        async def act() -> pb.ChangePasswordResponse:
            await change()
            return pb.ChangePasswordResponse()

        return act

    async def SignIn(self, request: pb.SignInRequest, context: Context) -> pb.TokenPair:
        organization = id_in(request.organization, "organizations", field="organization")
        given = Credentials(organization, request.login, request.password, device(context))
        answer = await self._sign_in(given)
        if isinstance(answer, PutChallenge):
            return pb.TokenPair(challenge=challenge_message(answer, self._use.relying_party))
        return pair_message(answer)

    async def RefreshSession(self, request: pb.RefreshSessionRequest, context: Context) -> pb.TokenPair:
        return pair_message(await self._refresh_session(request.refresh_token))

    async def SignOut(self, request: pb.SignOutRequest, context: Context) -> pb.SignOutResponse:
        await self._sign_out(request.refresh_token)
        return pb.SignOutResponse()

    async def ListOriginOrganizations(
        self, request: pb.ListOriginOrganizationsRequest, context: Context
    ) -> pb.ListOriginOrganizationsResponse:
        found = await self._list_origin_organizations(request.origin)
        return pb.ListOriginOrganizationsResponse(organizations=[f"organizations/{each}" for each in found])

    async def GetJwks(self, request: pb.GetJwksRequest, context: Context) -> pb.GetJwksResponse:
        return pb.GetJwksResponse(keys=map(jwk_message, await self._list_public_keys()))


def _refuse_passwords(request: pb.BatchCreateUsersRequest) -> None:
    """A thousand slow hashes would outlast any deadline."""
    with_password = [at for at, each in enumerate(request.requests) if each.HasField("password")]
    if with_password:
        raise InvalidInput(
            [FieldViolation(f"requests[{at}].password", "must be absent: a batch creates managed users") for at in with_password]
        )
