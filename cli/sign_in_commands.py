"""`paideia sign-in | sign-out`: a session that later commands go on with, for accounts with a second factor above all."""

import asyncio
import os
import sys
from getpass import getpass
from pathlib import Path
from typing import Annotated

import typer

from cli.api import Access, Api, CannotReach, Json, Refused, credentials, find_access, kept_session
from cli.kept_session import KeptSession, SessionFile, kept_in, signed_in
from cli.session import WRONG, HomeOption, JsonOption, fail, print_json
from cli.trust import authorities_of
from stack.home import find_home

_WAYS = {"CHALLENGE_WAY_TOTP": "totpCode", "CHALLENGE_WAY_RECOVERY_CODE": "recoveryCode"}


def register(app: typer.Typer) -> None:
    app.command("sign-in", rich_help_panel="Account")(sign_in)
    app.command("sign-out", rich_help_panel="Account")(sign_out)


def sign_in(
    login: Annotated[str, typer.Option("--login", help="The account (PAIDEIA_LOGIN; else admin).", show_default=False)] = "",
    organization: Annotated[
        str, typer.Option("--organization", help="Its organization (PAIDEIA_ORGANIZATION; else demo).", show_default=False)
    ] = "",
    url: Annotated[str, typer.Option("--url", help="The platform (PAIDEIA_URL; else the stack here).", show_default=False)] = "",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign in once; commands after this one use the session until it ends or you sign out.

    The password is asked for, or read from PAIDEIA_PASSWORD; then, if the account has a second factor, the code of the authenticator app
    or a recovery code. Both are read line by line from standard input if that is no terminal. Passkeys work in a browser only.
    """
    folder = find_home(home).path
    file = signed_in(folder)
    named = {
        "PAIDEIA_LOGIN": login or os.environ.get("PAIDEIA_LOGIN", "admin"),
        "PAIDEIA_ORGANIZATION": organization,
        "PAIDEIA_URL": url,
    }
    os.environ.update({name: value for name, value in named.items() if value})
    try:
        access = _access(folder, ask=bool(login))
        pair = asyncio.run(_signed_in(access))
    except (CannotReach, Refused) as error:
        fail(str(error))
    file.write(kept_session(access, pair))
    told = {"login": access.login, "organization": access.organization, "until": pair["sessionExpireTime"]}
    if as_json:
        print_json(told)
    else:
        print(f"signed in as {access.login} of {access.organization} until {told['until']}")


def sign_out(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """End the session of `paideia sign-in`, and those that commands have opened since, here and at the platform."""
    folder = find_home(home).path
    ended = [kept for kept in map(_forgotten, kept_in(folder)) if kept]
    try:
        for kept in ended:
            access = Access(kept.url, kept.organization, kept.login, "", authorities=authorities_of(folder))
            asyncio.run(_ask(access, "/v1/sessions:signOut", {"refreshToken": kept.refresh_token}))
    except (CannotReach, Refused) as error:
        fail(f"forgotten here, but it goes on at the platform until it expires: {error}")
    if as_json:
        print_json({"signedOut": bool(ended)})
    else:
        print(f"signed out {', '.join(dict.fromkeys(each.login for each in ended))}" if ended else "nobody was signed in")


def _forgotten(file: SessionFile) -> KeptSession | None:
    with file.locked():
        kept = file.read()
        file.delete()
    return kept


def _access(folder: Path, ask: bool) -> Access:
    """Who signs in; the password of the stack's own administrator is known, any other's is asked for."""
    if ask and "PAIDEIA_PASSWORD" not in os.environ:
        os.environ["PAIDEIA_PASSWORD"] = _asked("Password: ")
    return find_access(folder)


async def _signed_in(access: Access) -> Json:
    pair = await _ask(access, "/v1/sessions:signIn", credentials(access))
    if not (challenge := pair.get("challenge")):
        return pair
    ways = [_WAYS[each] for each in challenge["ways"] if each in _WAYS]
    if not ways:
        fail(f"{access.login} signs in with a passkey only, which works in a browser: {access.url}/sign-in", WRONG)
    code = await asyncio.to_thread(_asked, "Code of the authenticator app, or a recovery code: ")
    way = "totpCode" if code.isdigit() and "totpCode" in ways else "recoveryCode"
    return await _ask(access, "/v1/sessions:completeSignIn", {"challenge": challenge["challenge"], "answer": {way: code}})


async def _ask(access: Access, path: str, body: Json) -> Json:
    async with Api(access, patience=10.0) as api:
        return await api.request("POST", path, body, public=True)


def _asked(prompt: str) -> str:
    if sys.stdin.isatty():
        return getpass(prompt).strip()
    return sys.stdin.readline().strip()
