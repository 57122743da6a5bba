"""What mails lead to, and what asks for a mail. A link's token comes after the `#`: a script puts it into the form."""

from paideia.identity.v1 import credentials_pb2 as credentials
from paideia.identity.v1 import people_pb2 as people
from starlette.responses import Response

from integrations.shared.handling import Call, status_of, told
from integrations.shared.identity import Refusal
from integrations.shared.rendering import go


async def show_sign_up(call: Call) -> Response:
    organization = call.request.query_params.get("organization", call.visit.state.organization)
    return call.show("sign_up.html", error="", organization=organization, sent=False)


async def sign_up(call: Call) -> Response:
    organization = call.form.get("organization", "").strip()
    request = people.SignUpRequest(organization=f"organizations/{organization}", email=call.form.get("email", ""))
    try:
        await call.ask("SignUp", request)
    except Refusal as refusal:
        return call.show("sign_up.html", status_of(refusal), error=told(refusal), organization=organization, sent=False)
    return call.show("sign_up.html", error="", organization=organization, sent=True)


async def show_accept_invitation(call: Call) -> Response:
    return call.show("accept_invitation.html", error="", form={})


async def accept_invitation(call: Call) -> Response:
    form = call.form
    request = people.AcceptInvitationRequest(
        token=form.get("token", "").strip(),
        user_id=form.get("user_id", "").strip(),
        display_name=form.get("display_name", ""),
        password=form.get("password", ""),
    )
    try:
        done = await call.ask("AcceptInvitation", request)
    except Refusal as refusal:
        return call.show("accept_invitation.html", status_of(refusal), error=told(refusal), form=form)
    organization, user = done.organization.rpartition("/")[2], done.user.rpartition("/")[2]
    call.visit.begin_anew(organization=organization, notice=f"Welcome, {user}. Sign in with your new password.")
    return go("/sign-in")


async def show_verify_email(call: Call) -> Response:
    return call.show("verify_email.html", error="", done=False)


async def verify_email(call: Call) -> Response:
    try:
        await call.ask("VerifyEmail", credentials.VerifyEmailRequest(token=call.form.get("token", "").strip()))
    except Refusal as refusal:
        return call.show("verify_email.html", status_of(refusal), error=told(refusal), done=False)
    return call.show("verify_email.html", error="", done=True)


async def show_forgotten_password(call: Call) -> Response:
    organization = call.request.query_params.get("organization", call.visit.state.organization)
    return call.show("forgotten_password.html", error="", organization=organization, sent=False)


async def forgotten_password(call: Call) -> Response:
    organization = call.form.get("organization", "").strip()
    request = credentials.RequestPasswordResetRequest(
        organization=f"organizations/{organization}", login=call.form.get("login", "").strip()
    )
    try:
        await call.ask("RequestPasswordReset", request)
    except Refusal as refusal:
        shown = {"error": told(refusal), "organization": organization, "sent": False}
        return call.show("forgotten_password.html", status_of(refusal), **shown)
    return call.show("forgotten_password.html", error="", organization=organization, sent=True)


async def show_reset_password(call: Call) -> Response:
    return call.show("reset_password.html", error="", form={})


async def reset_password(call: Call) -> Response:
    form = call.form
    request = credentials.ResetPasswordRequest(token=form.get("token", "").strip(), new_password=form.get("password", ""))
    try:
        await call.ask("ResetPassword", request)
    except Refusal as refusal:
        return call.show("reset_password.html", status_of(refusal), error=told(refusal), form=form)
    organization = form.get("token", "").partition(".")[0]
    call.visit.begin_anew(organization=organization, notice="Your password is changed. Sign in with the new one.")
    return go("/sign-in")
