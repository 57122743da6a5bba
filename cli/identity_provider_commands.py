"""`paideia identity-provider list | add | remove`: whom an organization lets people sign in with."""

import os
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer
from rich.console import Console
from rich.table import Table

from cli.session import WRONG, HomeOption, JsonOption, bare, fail, print_json, with_platform

_KINDS = ("openid", "google", "microsoft", "github")


def register(app: typer.Typer) -> None:
    providers = typer.Typer(no_args_is_help=True, help="Identity providers that people can sign in with.")
    providers.command("list")(list_providers)
    providers.command("add")(add_provider)
    providers.command("remove")(remove_provider)
    app.add_typer(providers, name="identity-provider", rich_help_panel="The organization")


def list_providers(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List the organization's identity providers."""
    found = with_platform(home, lambda api: api.get("/v1/identityProviders")).get("identityProviders", [])
    if as_json:
        print_json({"identityProviders": found})
        return
    if not found:
        print("no identity providers")
        return
    table = Table("id", "name", "kind", "issuer", "state", box=None, header_style="bold")
    for each in found:
        state = "disabled" if each.get("disabled") else "in use"
        kind = each["kind"].removeprefix("PROVIDER_KIND_").lower()
        table.add_row(bare(each["name"]), each["displayName"], kind, each["issuer"], state)
    Console(soft_wrap=True).print(table)


def add_provider(
    provider_id: Annotated[str, typer.Argument(help="What to call it: 1 to 63 of a-z, 0-9 and hyphen.")],
    client_id: Annotated[str, typer.Option("--client-id", help="What the provider calls this platform.")],
    kind: Annotated[str, typer.Option("--kind", help="openid, google, microsoft or github.")] = "openid",
    issuer: Annotated[str, typer.Option("--issuer", help="Its address; not for google and github.")] = "",
    name: Annotated[str, typer.Option("--name", help="What people know it by.")] = "",
    secret_file: Annotated[
        Path | None, typer.Option("--secret-file", help="File with the client secret; else PAIDEIA_CLIENT_SECRET.")
    ] = None,
    create_users: Annotated[bool, typer.Option("--create-users", help="People it knows become users.")] = False,
    domain: Annotated[list[str] | None, typer.Option("--domain", help="Only addresses at this domain; repeat for more.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add an identity provider, and say what has to be entered there."""
    if kind not in _KINDS:
        fail(f"--kind must be one of {', '.join(_KINDS)}, not {kind!r}", WRONG)
    try:
        secret = secret_file.read_text().strip() if secret_file else os.environ.get("PAIDEIA_CLIENT_SECRET", "")
    except OSError as error:
        fail(f"the client secret cannot be read: {error}", WRONG)
    body = {
        "requestId": str(uuid4()),
        "identityProviderId": provider_id,
        "identityProvider": {
            "displayName": name or provider_id,
            "kind": f"PROVIDER_KIND_{kind.upper()}",
            "issuer": issuer,
            "clientId": client_id,
            "clientSecret": secret,
            "provisioning": "PROVISIONING_CREATE" if create_users else "PROVISIONING_NONE",
            "emailDomains": domain or [],
        },
    }
    made = with_platform(home, lambda api: api.post("/v1/identityProviders", body))
    if as_json:
        print_json(made)
        return
    print(f"{bare(made['name'])} is in use. Enter at the provider:")
    print(f"  redirect address      {made['redirectUri']}")
    if made.get("logoutUri"):
        print(f"  back-channel logout   {made['logoutUri']}")


def remove_provider(
    provider_id: Annotated[str, typer.Argument(help="As `paideia identity-provider list` shows it.")],
    home: HomeOption = None,
) -> None:
    """Remove an identity provider; its people stay users, and their sessions that began with it end."""
    body = {"requestId": str(uuid4())}
    with_platform(home, lambda api: api.post(f"/v1/identityProviders/{provider_id}:remove", body))
    print(f"{provider_id} is removed")
