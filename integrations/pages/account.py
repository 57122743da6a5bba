"""The account: profile, password, second factors, passkeys, providers, sessions."""

import asyncio
import io
from datetime import UTC
from typing import Any

import segno
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from markupsafe import Markup
from paideia.identity.v1 import credentials_pb2 as credentials
from paideia.identity.v1 import federation_pb2 as federation
from paideia.identity.v1 import identity_service_pb2 as pb
from paideia.identity.v1 import people_pb2 as people
from starlette.responses import Response

from integrations.pages.sign_in import answer_from, ways_shown
from integrations.shared.handling import Call, status_of, told
from integrations.shared.identity import Refusal
from integrations.shared.rendering import go

_PROFILE_FIELDS = ("display_name", "locale", "time_zone")
_MOST_SESSIONS = 50


async def show_account(call: Call) -> Response:
    return await _account(call)


async def update_profile(call: Call) -> Response:
    name, locale, zone = (call.form.get(each, "").strip() for each in _PROFILE_FIELDS)
    profile = people.Profile(display_name=name, locale=locale, time_zone=zone)
    request = people.UpdateMyProfileRequest(profile=profile, update_mask=FieldMask(paths=_PROFILE_FIELDS))
    return await _done(call, "UpdateMyProfile", request, "Your profile is changed.")


async def change_password(call: Call) -> Response:
    request = pb.ChangePasswordRequest(
        current_password=call.form.get("current_password", ""), new_password=call.form.get("new_password", "")
    )
    return await _done(call, "ChangePassword", request, "Your password is changed. You are signed out everywhere else.")


async def verify_email(call: Call) -> Response:
    request = credentials.RequestEmailVerificationRequest()
    if email := call.form.get("email", "").strip():
        request.email = email
    return await _done(call, "RequestEmailVerification", request, "A mail is on its way. Open the link in it.")


async def enrol_totp(call: Call) -> Response:
    return _totp(call, await call.ask_as_me("EnrolTotp", credentials.EnrolTotpRequest()))


async def confirm_totp(call: Call) -> Response:
    code = call.form.get("code", "").replace(" ", "")
    try:
        done = await call.ask_as_me("ConfirmTotp", credentials.ConfirmTotpRequest(code=code))
    except Refusal as refusal:
        if "code" not in refusal.fields:
            raise
        # The secret is shown once; the app has it, so the code can be typed again.
        return call.show("totp.html", 400, error=told(refusal), picture="", secret="")
    return _codes(call, done.recovery_codes, "Your authenticator app is in use.")


async def disable_totp(call: Call) -> Response:
    return await _done(call, "DisableTotp", credentials.DisableTotpRequest(), "Your authenticator app is out of use.")


async def renew_recovery_codes(call: Call) -> Response:
    done = await call.ask_as_me("RenewRecoveryCodes", credentials.RenewRecoveryCodesRequest())
    return _codes(call, done.recovery_codes, "The old recovery codes are good no more.")


async def begin_passkey(call: Call) -> Response:
    begun = await call.ask_as_me("BeginPasskeyRegistration", credentials.BeginPasskeyRegistrationRequest())
    call.visit.state.registration = {"challenge": begun.challenge}
    return call.show("passkey.html", error="", options=begun.passkey_options)


async def register_passkey(call: Call) -> Response:
    waiting, call.visit.state.registration = call.visit.state.registration, {}
    request = credentials.RegisterPasskeyRequest(
        challenge=waiting.get("challenge", ""),
        credential=call.form.get("passkey", ""),
        display_name=call.form.get("display_name", "").strip() or "Passkey",
    )
    try:
        done = await call.ask_as_me("RegisterPasskey", request)
    except Refusal as refusal:
        return await _refused(call, refusal)
    return _codes(call, done.recovery_codes, f"The passkey {done.passkey.display_name} is added.")


async def rename_passkey(call: Call) -> Response:
    passkey = credentials.Passkey(name=_named(call, "passkeys"), display_name=call.form.get("display_name", "").strip())
    request = credentials.UpdatePasskeyRequest(passkey=passkey, update_mask=FieldMask(paths=["display_name"]))
    return await _done(call, "UpdatePasskey", request, "The passkey has a new name.")


async def remove_passkey(call: Call) -> Response:
    request = credentials.RevokePasskeyRequest(name=_named(call, "passkeys"))
    return await _done(call, "RevokePasskey", request, "The passkey is removed.")


async def end_session(call: Call) -> Response:
    request = credentials.RevokeSessionRequest(name=_named(call, "sessions"))
    return await _done(call, "RevokeSession", request, "The session has ended.")


async def sign_out_everywhere(call: Call) -> Response:
    request = credentials.SignOutEverywhereRequest(keep_current=True)
    return await _done(call, "SignOutEverywhere", request, "You are signed out everywhere else.")


async def unlink(call: Call) -> Response:
    request = federation.UnlinkIdentityRequest(identity_provider=f"identityProviders/{call.form.get('provider', '')}")
    return await _done(call, "UnlinkIdentity", request, "The connection is removed.")


async def show_connect(call: Call) -> Response:
    """Asks before a person at a provider becomes this user."""
    return call.show("connect.html", error="") if call.visit.state.link else go("/account")


async def connect(call: Call) -> Response:
    link, call.visit.state.link = call.visit.state.link, ""
    if not link or call.form.get("answer") != "yes":
        return go("/account")
    try:
        done = await call.ask_as_me("LinkIdentity", federation.LinkIdentityRequest(link=link))
    except Refusal as refusal:
        if refusal.reason == "STEP_UP_REQUIRED":
            call.visit.state.link, call.visit.state.return_to = link, "/account/connect"
            return go("/account/prove")
        return await _refused(call, refusal)
    call.visit.state.notice = f"You can sign in with {done.display_name} now."
    return go("/account")


async def show_prove(call: Call) -> Response:
    challenge = await call.ask_as_me("BeginStepUp", credentials.BeginStepUpRequest())
    call.visit.state.proof = {
        "challenge": challenge.challenge,
        "ways": list(challenge.ways),
        "options": challenge.passkey_options,
    }
    return await _prove(call)


async def prove(call: Call) -> Response:
    waiting = call.visit.state.proof
    if not waiting:
        return go("/account/prove")
    request = credentials.CompleteStepUpRequest(challenge=waiting["challenge"], answer=answer_from(call.form))
    try:
        done = await call.ask_as_me("CompleteStepUp", request)
    except Refusal as refusal:
        return await _prove(call, status_of(refusal), told(refusal))
    await call.steps_up(done.access_token)
    path, call.visit.state.return_to, call.visit.state.proof = call.visit.state.return_to or "/account", "", {}
    call.visit.state.notice = "Thank you. Now do once more what you wanted to do."
    return go(path)


async def _prove(call: Call, status: int = 200, error: str = "") -> Response:
    waiting, shown = call.visit.state.proof, ways_shown(call.visit.state.proof["ways"])
    providers: list[tuple[str, str]] = []
    if shown["by_password"]:
        shown_credentials = await call.ask_as_me("GetCredentials", credentials.GetCredentialsRequest())
        shown["by_password"] = shown_credentials.has_password
        linked = await call.ask_as_me("ListLinkedIdentities", federation.ListLinkedIdentitiesRequest())
        providers = [(each.identity_provider.rpartition("/")[2], each.display_name) for each in linked.linked_identities]
    return call.show(
        "prove.html",
        status,
        error=error,
        options=waiting["options"],
        action="/account/prove",
        organization=call.visit.tokens.organization,
        providers=providers,
        **shown,
    )


async def _account(call: Call, status: int = 200, error: str = "") -> Response:
    organization = call.visit.tokens.organization
    me, profile, found, linked, sessions, options = await asyncio.gather(
        call.ask_as_me("GetMe", pb.GetMeRequest()),
        call.ask_as_me("GetMyProfile", people.GetMyProfileRequest()),
        call.ask_as_me("GetCredentials", credentials.GetCredentialsRequest()),
        call.ask_as_me("ListLinkedIdentities", federation.ListLinkedIdentitiesRequest()),
        call.ask_as_me("ListSessions", credentials.ListSessionsRequest(page_size=_MOST_SESSIONS)),
        call.ask("GetSignInOptions", federation.GetSignInOptionsRequest(name=f"organizations/{organization}/signInOptions")),
    )
    connected = {each.identity_provider for each in linked.linked_identities}
    return call.show(
        "account.html",
        status,
        error=error,
        organization=organization,
        user=me.user.rpartition("/")[2],
        profile=profile,
        credentials=found,
        passkeys=[(each.name.rpartition("/")[2], each.display_name, _day(each.create_time)) for each in found.passkeys],
        linked=[(each.identity_provider.rpartition("/")[2], each.display_name) for each in linked.linked_identities],
        connectable=[
            (each.name.rpartition("/")[2], each.display_name) for each in options.providers if each.name not in connected
        ],
        sessions=[
            {
                "id": each.name.rpartition("/")[2],
                "device": each.device or "Unknown device",
                "began": _day(each.create_time),
                "used": _day(each.last_use_time),
                "current": each.current,
            }
            for each in sessions.sessions
        ],
    )


async def _done(call: Call, rpc: str, request: Message, notice: str) -> Response:
    """Acts, then shows the account with a word on it: changed, or why not."""
    try:
        await call.ask_as_me(rpc, request)
    except Refusal as refusal:
        return await _refused(call, refusal)
    call.visit.state.notice = notice
    return go("/account")


async def _refused(call: Call, refusal: Refusal) -> Response:
    if refusal.reason == "STEP_UP_REQUIRED":
        raise refusal
    return await _account(call, status_of(refusal), told(refusal))


def _totp(call: Call, enrolled: Any) -> Response:
    drawn = io.BytesIO()
    segno.make(enrolled.uri, error="m").save(drawn, kind="svg", xmldecl=False, svgns=False, border=4, omitsize=True, light="#fff")
    # Drawn by us from nothing but black and white squares: the address in it is not text of the page.
    return call.show("totp.html", error="", picture=Markup(drawn.getvalue().decode()), secret=enrolled.secret)  # noqa: S704


def _codes(call: Call, codes: Any, sentence: str) -> Response:
    """Shown once; without codes there is nothing to show."""
    if codes:
        return call.show("recovery_codes.html", codes=list(codes), sentence=sentence)
    call.visit.state.notice = sentence
    return go("/account")


def _named(call: Call, collection: str) -> str:
    return f"{collection}/{call.request.path_params['id']}"


def _day(moment: Any) -> str:
    return f"{moment.ToDatetime(UTC):%Y-%m-%d %H:%M} UTC"
