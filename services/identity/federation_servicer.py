"""gRPC in: the rpcs of identity providers and of signing in with them."""

from typing import Any

import grpc
from paideia.identity.v1 import federation_pb2 as pb
from paideia.identity.v1.identity_service_pb2_grpc import IdentityServiceServicer

from domain.identity.challenges import PutChallenge
from domain.identity.federated_sign_in import FederationRefused, FederationToken, PendingLinkRefused
from domain.identity.passkeys import RelyingParty
from domain.identity.sessions import TokenPair
from domain.identity.use_cases.update_provider import CHANGEABLE
from domain.shared.errors import InvalidInput
from services.identity.credentials_messages import challenge_message
from services.identity.credentials_servicer import device, signed_in
from services.identity.federation_messages import linked_message, provider_from, provider_message
from services.identity.federation_use_cases import FederationUseCases
from services.shared.call import caller
from services.shared.masks import fields_in
from services.shared.names import id_in
from services.shared.times import timestamp

Context = grpc.aio.ServicerContext[Any, Any]

_PROVIDERS = "identityProviders"


class FederationRpcs(IdentityServiceServicer):
    """A part of IdentityServicer, which sets `federation` and `relying_party`."""

    federation: FederationUseCases
    relying_party: RelyingParty

    async def CreateIdentityProvider(self, request: pb.CreateIdentityProviderRequest, context: Context) -> pb.IdentityProvider:
        given = request.identity_provider
        if given.kind == pb.PROVIDER_KIND_UNSPECIFIED:
            raise InvalidInput.of("identity_provider.kind", "must be OPENID, GOOGLE, MICROSOFT or GITHUB")
        draft = provider_from(given, request.identity_provider_id)
        me = signed_in(context)
        made = await self.federation.create(me, draft, given.client_secret)
        return provider_message(made, me.organization, self.federation.public_url)

    async def GetIdentityProvider(self, request: pb.GetIdentityProviderRequest, context: Context) -> pb.IdentityProvider:
        organization = caller(context).organization
        provider = await self.federation.get(organization, id_in(request.name, _PROVIDERS))
        return provider_message(provider, organization, self.federation.public_url)

    async def ListIdentityProviders(
        self, request: pb.ListIdentityProvidersRequest, context: Context
    ) -> pb.ListIdentityProvidersResponse:
        organization = caller(context).organization
        found = await self.federation.list(organization)
        shown = [provider_message(each, organization, self.federation.public_url) for each in found]
        return pb.ListIdentityProvidersResponse(identity_providers=shown)

    async def UpdateIdentityProvider(self, request: pb.UpdateIdentityProviderRequest, context: Context) -> pb.IdentityProvider:
        given, me = request.identity_provider, signed_in(context)
        fields = fields_in(request.update_mask, CHANGEABLE)
        draft = provider_from(given, id_in(given.name, _PROVIDERS, "identity_provider.name"))
        changed = await self.federation.update(me, draft, given.client_secret, fields)
        return provider_message(changed, me.organization, self.federation.public_url)

    async def DeleteIdentityProvider(
        self, request: pb.DeleteIdentityProviderRequest, context: Context
    ) -> pb.DeleteIdentityProviderResponse:
        await self.federation.delete(signed_in(context), id_in(request.name, _PROVIDERS))
        return pb.DeleteIdentityProviderResponse()

    async def GetSignInOptions(self, request: pb.GetSignInOptionsRequest, context: Context) -> pb.SignInOptions:
        name, slash, last = request.name.rpartition("/")
        if (slash, last) != ("/", "signInOptions"):
            raise InvalidInput.of("name", "must be a name of the form organizations/{organization}/signInOptions")
        found = await self.federation.list(id_in(name, "organizations"))
        shown = [
            pb.SignInOptions.Provider(name=f"{_PROVIDERS}/{each.id}", display_name=each.display_name)
            for each in found
            if not each.disabled
        ]
        return pb.SignInOptions(name=request.name, providers=shown)

    async def BeginFederatedSignIn(
        self, request: pb.BeginFederatedSignInRequest, context: Context
    ) -> pb.BeginFederatedSignInResponse:
        address, expires_at = await self.federation.begin(
            id_in(request.organization, "organizations", "organization"),
            id_in(request.identity_provider, _PROVIDERS, "identity_provider"),
            request.browser,
            fresh=request.fresh,
            for_linking=request.for_linking,
        )
        return pb.BeginFederatedSignInResponse(authorization_url=address, expire_time=timestamp(expires_at))

    async def CompleteFederatedSignIn(
        self, request: pb.CompleteFederatedSignInRequest, context: Context
    ) -> pb.CompleteFederatedSignInResponse:
        state = FederationToken.parse(request.state, "state", FederationRefused)
        provider, answer = await self.federation.complete(state, request.browser, request.code, request.issuer, device(context))
        done = pb.CompleteFederatedSignInResponse(
            organization=f"organizations/{state.organization}", identity_provider=f"{_PROVIDERS}/{provider}"
        )
        match answer:
            case TokenPair():
                done.access_token, done.refresh_token = answer.access_token, answer.refresh_token
            case PutChallenge():
                done.challenge.CopyFrom(challenge_message(answer, self.relying_party))
            case FederationToken():
                done.link = str(answer)
        return done

    async def LinkIdentity(self, request: pb.LinkIdentityRequest, context: Context) -> pb.LinkedIdentity:
        token = FederationToken.parse(request.link, "link", PendingLinkRefused)
        return linked_message(*await self.federation.link(signed_in(context), token))

    async def ListLinkedIdentities(
        self, request: pb.ListLinkedIdentitiesRequest, context: Context
    ) -> pb.ListLinkedIdentitiesResponse:
        found = await self.federation.list_linked(signed_in(context))
        return pb.ListLinkedIdentitiesResponse(linked_identities=[linked_message(*each) for each in found])

    async def UnlinkIdentity(self, request: pb.UnlinkIdentityRequest, context: Context) -> pb.UnlinkIdentityResponse:
        await self.federation.unlink(signed_in(context), id_in(request.identity_provider, _PROVIDERS, "identity_provider"))
        return pb.UnlinkIdentityResponse()

    async def EndFederatedSessions(
        self, request: pb.EndFederatedSessionsRequest, context: Context
    ) -> pb.EndFederatedSessionsResponse:
        await self.federation.end_sessions(
            id_in(request.organization, "organizations", "organization"),
            id_in(request.identity_provider, _PROVIDERS, "identity_provider"),
            request.logout_token,
        )
        return pb.EndFederatedSessionsResponse()
