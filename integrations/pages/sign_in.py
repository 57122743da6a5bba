"""Signing in: an organization, a password or a passkey, a second step, and out again."""

from typing import Any

from paideia.identity.v1 import credentials_pb2 as credentials
from paideia.identity.v1 import federation_pb2 as federation
from paideia.identity.v1 import identity_service_pb2 as pb
from starlette.responses import Response

from integrations.shared.handling import Call, status_of, told
from integrations.shared.identity import Refusal
from integrations.shared.rendering import go, own_path

_TOTP, _PASSKEY, _RECOVERY = (
    credentials.CHALLENGE_WAY_TOTP,
    credentials.CHALLENGE_WAY_PASSKEY,
    credentials.CHALLENGE_WAY_RECOVERY_CODE,
)


async def show_sign_in(call: Call) -> Response:
    query, state = call.request.query_params, call.visit.state
    if "return_to" in query:
        state.return_to = own_path(query["return_to"], "")
    if call.visit.signed_in and not state.link:
        return go(state.return_to or "/account")
    if "organization" in query:
        state.organization = query["organization"].strip()
    return await _form(call)


async def sign_in(call: Call) -> Response:
    organization = call.form.get("organization", "").strip()
    request = pb.SignInRequest(
        organization=f"organizations/{organization}",
        login=call.form.get("login", "").strip(),
        password=call.form.get("password", ""),
    )
    call.visit.state.organization = organization
    try:
        pair = await call.ask("SignIn", request)
    except Refusal as refusal:
        return await _form(call, status_of(refusal), told(refusal), call.form.get("login", ""))
    if pair.HasField("challenge"):
        return call.challenged(pair.challenge, organization)
    return await call.signs_in(pair, organization)


async def begin_passkey(call: Call) -> Response:
    organization = call.form.get("organization", "").strip()
    request = credentials.BeginPasskeySignInRequest(organization=f"organizations/{organization}")
    return call.challenged(await call.ask("BeginPasskeySignIn", request), organization)


async def show_second_step(call: Call) -> Response:
    return _second_step(call) if call.visit.state.challenge else go("/sign-in")


async def second_step(call: Call) -> Response:
    waiting = call.visit.state.challenge
    if not waiting:
        return go("/sign-in")
    try:
        answer = answer_from(call.form)
        request = credentials.CompleteSignInRequest(challenge=waiting["challenge"], answer=answer)
        pair = await call.ask("CompleteSignIn", request)
    except Refusal as refusal:
        return _second_step(call, status_of(refusal), told(refusal))
    return await call.signs_in(pair, waiting["organization"])


async def sign_out(call: Call) -> Response:
    tokens = call.visit.tokens
    if tokens.refresh_token:
        await call.ask("SignOut", pb.SignOutRequest(refresh_token=tokens.refresh_token))
    call.visit.begin_anew(organization=tokens.organization, notice="You are signed out.")
    return go("/sign-in")


def answer_from(form: Any) -> credentials.ChallengeAnswer:
    """The way that the form was filled in; empty if none was, which identity refuses."""
    for name in ("passkey", "totp_code", "recovery_code", "password"):
        if value := form.get(name, "").strip() if name != "password" else form.get(name, ""):
            return credentials.ChallengeAnswer(**{name: value.replace(" ", "") if name == "totp_code" else value})
    return credentials.ChallengeAnswer()


def ways_shown(ways: list[int]) -> dict[str, bool]:
    return {
        "by_totp": _TOTP in ways,
        "by_passkey": _PASSKEY in ways,
        "by_recovery": _RECOVERY in ways,
        "by_password": credentials.CHALLENGE_WAY_PASSWORD in ways,
    }


def _second_step(call: Call, status: int = 200, error: str = "") -> Response:
    waiting = call.visit.state.challenge
    shown = ways_shown(waiting["ways"])
    return call.show("second_step.html", status, error=error, options=waiting["options"], action="/sign-in/second-step", **shown)


async def _form(call: Call, status: int = 200, error: str = "", login: str = "") -> Response:
    organization = call.visit.state.organization
    providers: list[tuple[str, str]] = []
    if organization:
        request = federation.GetSignInOptionsRequest(name=f"organizations/{organization}/signInOptions")
        try:
            options = await call.ask("GetSignInOptions", request)
        except Refusal as refusal:
            call.visit.state.organization = organization = ""
            status, error = status_of(refusal), told(refusal)
        else:
            providers = [(each.name.rpartition("/")[2], each.display_name) for each in options.providers]
    return call.show(
        "sign_in.html",
        status,
        error=error,
        organization=organization,
        login=login,
        providers=providers,
        linking=bool(call.visit.state.link),
    )
