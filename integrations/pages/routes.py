"""Which pages there are."""

from pathlib import Path

from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from integrations.pages import account, links, sign_in
from integrations.shared.handling import Handler, handled


def _page(path: str, show: Handler | None = None, act: Handler | None = None, *, members: bool = False) -> list[BaseRoute]:
    """Shows by GET, acts by POST."""
    routes: list[BaseRoute] = []
    if show is not None:
        routes.append(Route(path, handled(show, members=members), methods=["GET"]))
    if act is not None:
        routes.append(Route(path, handled(act, members=members), methods=["POST"]))
    return routes


routes: list[BaseRoute] = [
    *_page("/sign-in", sign_in.show_sign_in, sign_in.sign_in),
    *_page("/sign-in/second-step", sign_in.show_second_step, sign_in.second_step),
    *_page("/sign-in/passkey", act=sign_in.begin_passkey),
    *_page("/sign-out", act=sign_in.sign_out),
    *_page("/sign-up", links.show_sign_up, links.sign_up),
    *_page("/accept-invitation", links.show_accept_invitation, links.accept_invitation),
    *_page("/verify-email", links.show_verify_email, links.verify_email),
    *_page("/reset-password", links.show_reset_password, links.reset_password),
    *_page("/reset-password/request", links.show_forgotten_password, links.forgotten_password),
    *_page("/account", account.show_account, members=True),
    *_page("/account/profile", act=account.update_profile, members=True),
    *_page("/account/password", act=account.change_password, members=True),
    *_page("/account/email", act=account.verify_email, members=True),
    *_page("/account/totp", act=account.enrol_totp, members=True),
    *_page("/account/totp/confirm", act=account.confirm_totp, members=True),
    *_page("/account/totp/disable", act=account.disable_totp, members=True),
    *_page("/account/recovery-codes", act=account.renew_recovery_codes, members=True),
    *_page("/account/passkeys/begin", act=account.begin_passkey, members=True),
    *_page("/account/passkeys", act=account.register_passkey, members=True),
    *_page("/account/passkeys/{id}/rename", act=account.rename_passkey, members=True),
    *_page("/account/passkeys/{id}/remove", act=account.remove_passkey, members=True),
    *_page("/account/sessions/{id}/end", act=account.end_session, members=True),
    *_page("/account/sign-out-everywhere", act=account.sign_out_everywhere, members=True),
    *_page("/account/identities/unlink", act=account.unlink, members=True),
    *_page("/account/connect", account.show_connect, account.connect, members=True),
    *_page("/account/prove", account.show_prove, account.prove, members=True),
    Mount("/static", StaticFiles(directory=Path(__file__).with_name("static"))),
]
