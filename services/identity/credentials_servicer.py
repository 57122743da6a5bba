"""gRPC in: the rpcs of credentials and sessions."""

from datetime import UTC, datetime
from typing import Any

import grpc
from paideia.identity.v1 import credentials_pb2 as pb
from paideia.identity.v1 import identity_service_pb2 as identity
from paideia.identity.v1.identity_service_pb2_grpc import IdentityServiceServicer

from domain.identity import totp
from domain.identity.challenges import ChallengeToken
from domain.identity.devices import device_of
from domain.identity.links import LinkToken
from domain.identity.passkeys import checked_credential
from domain.identity.sessions import ACCESS_TOKEN_LIFE, checked_login
from domain.identity.step_up import Authentication, Method, SignedIn
from domain.shared.ids import canonical_uuid
from services.identity.credentials_messages import (
    challenge_message,
    credentials_message,
    passkey_message,
    proof_from,
    second_proof_from,
    session_message,
)
from services.identity.credentials_use_cases import CredentialUseCases
from services.identity.messages import pair_message
from services.shared.call import caller
from services.shared.masks import fields_in
from services.shared.names import id_in
from services.shared.paging import next_token, page_request
from services.shared.times import duration, timestamp
from services.shared.tokens import authentication_in, session_in

Context = grpc.aio.ServicerContext[Any, Any]

_METHODS = frozenset(Method)


class CredentialsRpcs(IdentityServiceServicer):
    """A part of IdentityServicer."""

    def __init__(self, credentials: CredentialUseCases) -> None:
        self._use = credentials

    async def CompleteSignIn(self, request: pb.CompleteSignInRequest, context: Context) -> identity.TokenPair:
        token = ChallengeToken.parse(request.challenge)
        return pair_message(await self._use.complete_sign_in(token, second_proof_from(request.answer), device(context)))

    async def BeginPasskeySignIn(self, request: pb.BeginPasskeySignInRequest, context: Context) -> pb.Challenge:
        organization = id_in(request.organization, "organizations", field="organization")
        return challenge_message(await self._use.begin_passkey_sign_in(organization), self._use.relying_party)

    async def BeginStepUp(self, request: pb.BeginStepUpRequest, context: Context) -> pb.Challenge:
        return challenge_message(await self._use.begin_step_up(signed_in(context)), self._use.relying_party)

    async def CompleteStepUp(self, request: pb.CompleteStepUpRequest, context: Context) -> pb.CompleteStepUpResponse:
        token = ChallengeToken.parse(request.challenge)
        access = await self._use.complete_step_up(signed_in(context), token, proof_from(request.answer))
        return pb.CompleteStepUpResponse(access_token=access, expires_in=duration(ACCESS_TOKEN_LIFE))

    async def GetCredentials(self, request: pb.GetCredentialsRequest, context: Context) -> pb.Credentials:
        return credentials_message(await self._use.get_credentials(signed_in(context)))

    async def EnrolTotp(self, request: pb.EnrolTotpRequest, context: Context) -> pb.EnrolTotpResponse:
        me = signed_in(context)
        secret = await self._use.enrol_totp(me)
        uri = totp.provisioning_uri(secret, me.organization, me.user)
        return pb.EnrolTotpResponse(uri=uri, secret=totp.secret_text(secret))

    async def ConfirmTotp(self, request: pb.ConfirmTotpRequest, context: Context) -> pb.ConfirmTotpResponse:
        codes = await self._use.confirm_totp(signed_in(context), totp.checked_code(request.code, "code"))
        return pb.ConfirmTotpResponse(recovery_codes=codes)

    async def DisableTotp(self, request: pb.DisableTotpRequest, context: Context) -> pb.DisableTotpResponse:
        await self._use.disable_totp(signed_in(context))
        return pb.DisableTotpResponse()

    async def RenewRecoveryCodes(self, request: pb.RenewRecoveryCodesRequest, context: Context) -> pb.RenewRecoveryCodesResponse:
        return pb.RenewRecoveryCodesResponse(recovery_codes=await self._use.renew_recovery_codes(signed_in(context)))

    async def BeginPasskeyRegistration(
        self, request: pb.BeginPasskeyRegistrationRequest, context: Context
    ) -> pb.BeginPasskeyRegistrationResponse:
        me = signed_in(context)
        put = await self._use.begin_passkey_registration(me)
        # Nobody who reads a device's list of passkeys learns an organization's user ids from it.
        handle = self._use.vault.fingerprint(f"{me.organization}/{me.user}", "passkey user handle")
        options = self._use.relying_party.registration_options(me.user, handle, put.token.digest, put.credentials)
        return pb.BeginPasskeyRegistrationResponse(
            challenge=str(put.token), passkey_options=options, expire_time=timestamp(put.expires_at)
        )

    async def RegisterPasskey(self, request: pb.RegisterPasskeyRequest, context: Context) -> pb.RegisterPasskeyResponse:
        token = ChallengeToken.parse(request.challenge)
        credential = checked_credential(request.credential, "credential")
        passkey, codes = await self._use.register_passkey(signed_in(context), token, credential, request.display_name)
        return pb.RegisterPasskeyResponse(passkey=passkey_message(passkey), recovery_codes=codes)

    async def UpdatePasskey(self, request: pb.UpdatePasskeyRequest, context: Context) -> pb.Passkey:
        passkey_id = id_in(request.passkey.name, "passkeys", field="passkey.name")
        fields_in(request.update_mask, frozenset({"display_name"}))
        return passkey_message(await self._use.rename_passkey(signed_in(context), passkey_id, request.passkey.display_name))

    async def RevokePasskey(self, request: pb.RevokePasskeyRequest, context: Context) -> pb.RevokePasskeyResponse:
        await self._use.revoke_passkey(signed_in(context), id_in(request.name, "passkeys"))
        return pb.RevokePasskeyResponse()

    async def ResetSecondFactors(self, request: pb.ResetSecondFactorsRequest, context: Context) -> pb.ResetSecondFactorsResponse:
        user_id = id_in(request.name, "users")
        await self._use.reset_second_factors(signed_in(context), caller(context).roles, user_id)
        return pb.ResetSecondFactorsResponse()

    async def ListSessions(self, request: pb.ListSessionsRequest, context: Context) -> pb.ListSessionsResponse:
        me = signed_in(context)
        page = await self._use.list_sessions(me, page_request(request.page_size, request.page_token))
        sessions = [session_message(each, me.session) for each in page.elements]
        return pb.ListSessionsResponse(sessions=sessions, next_page_token=next_token(page))

    async def RevokeSession(self, request: pb.RevokeSessionRequest, context: Context) -> pb.RevokeSessionResponse:
        session_id = canonical_uuid(id_in(request.name, "sessions"), "name")
        await self._use.revoke_session(signed_in(context), session_id)
        return pb.RevokeSessionResponse()

    async def SignOutEverywhere(self, request: pb.SignOutEverywhereRequest, context: Context) -> pb.SignOutEverywhereResponse:
        ended = await self._use.sign_out_everywhere(signed_in(context), keep_this=request.keep_current)
        return pb.SignOutEverywhereResponse(ended_sessions=ended)

    async def RequestEmailVerification(
        self, request: pb.RequestEmailVerificationRequest, context: Context
    ) -> pb.RequestEmailVerificationResponse:
        email = request.email if request.HasField("email") else None
        await self._use.request_email_verification(signed_in(context), email)
        return pb.RequestEmailVerificationResponse()

    async def VerifyEmail(self, request: pb.VerifyEmailRequest, context: Context) -> pb.VerifyEmailResponse:
        await self._use.verify_email(LinkToken.parse(request.token))
        return pb.VerifyEmailResponse()

    async def RequestPasswordReset(
        self, request: pb.RequestPasswordResetRequest, context: Context
    ) -> pb.RequestPasswordResetResponse:
        organization = id_in(request.organization, "organizations", field="organization")
        await self._use.request_password_reset(organization, checked_login(request.login, "login"))
        return pb.RequestPasswordResetResponse()

    async def ResetPassword(self, request: pb.ResetPasswordRequest, context: Context) -> pb.ResetPasswordResponse:
        await self._use.reset_password(LinkToken.parse(request.token), request.new_password)
        return pb.ResetPasswordResponse()


def signed_in(context: Context) -> SignedIn:
    """The caller with the session and the proof of the token that the call was let in with."""
    me = caller(context)
    tokens = [str(value) for key, value in context.invocation_metadata() or () if key == "authorization"]
    token = tokens[-1][len("Bearer ") :] if tokens else ""
    proof = authentication_in(token)
    if proof is None:
        return SignedIn(me.organization, me.user, session_in(token))
    at, names = proof
    methods = frozenset(method for method in _METHODS if method.value in names)
    return SignedIn(me.organization, me.user, session_in(token), Authentication(datetime.fromtimestamp(at, UTC), methods))


def device(context: Context) -> str:
    """What the call comes from, coarsely. Our pages call for a browser, whose name they pass on."""
    found = {key: str(value) for key, value in context.invocation_metadata() or ()}
    return device_of(found.get("paideia-user-agent") or found.get("user-agent", ""))
