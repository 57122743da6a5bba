"""Administrators' rpcs of identity providers, and what they refuse."""

from typing import Any
from uuid import uuid4

import pytest
from grpc import StatusCode
from paideia.identity.v1 import federation_pb2 as pb

from tests.rpc.identity.conftest import PASSWORD
from tests.rpc.identity.people import North, Person
from tests.rpc.identity.test_users import field_of, refused


def school(**changes: Any) -> pb.IdentityProvider:
    usual: dict[str, Any] = {
        "display_name": "The school",
        "kind": pb.PROVIDER_KIND_OPENID,
        "issuer": "https://login.example.org",
        "client_id": "paideia",
        "client_secret": "a secret",
    }
    return pb.IdentityProvider(**usual | changes)


async def added(ada: Person, provider_id: str = "school", **changes: Any) -> pb.IdentityProvider:
    return await ada.call("CreateIdentityProvider", identity_provider_id=provider_id, identity_provider=school(**changes))


async def administrator(north: North) -> Person:
    return await north.signs_in("ada", PASSWORD)


async def test_a_provider_is_shown_without_its_secret_and_says_what_the_other_side_needs(north: North) -> None:
    ada = await administrator(north)
    made = await added(
        ada, email_domains=["Example.ORG "], role_rules=[{"claim": "groups", "value": "x", "role": "ROLE_TEACHER"}]
    )
    assert made.client_secret == ""
    assert made.redirect_uri == "https://learn.example.org/sign-in/callback"
    assert made.logout_uri == "https://learn.example.org/sign-in/logout/north/school"
    assert list(made.email_domains) == ["example.org"]
    assert (made.provisioning, made.linking) == (pb.PROVISIONING_NONE, pb.LINKING_PROOF)
    assert await ada.call("GetIdentityProvider", name=made.name) == made
    assert list((await ada.call("ListIdentityProviders")).identity_providers) == [made]
    options = await north.stub.GetSignInOptions(pb.GetSignInOptionsRequest(name="organizations/north/signInOptions"))
    assert [each.display_name for each in options.providers] == ["The school"]
    assert north.notices() == ["IDENTITY_PROVIDER_ADDED"]
    stored = north.memory.tenants["north"].federation.providers["school"].sealed_secret
    assert b"a secret" not in stored


async def test_an_organization_that_is_not_there_looks_like_one_without_providers(north: North) -> None:
    options = await north.stub.GetSignInOptions(pb.GetSignInOptionsRequest(name="organizations/nowhere/signInOptions"))
    assert list(options.providers) == []


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("identity_provider.issuer", {"issuer": "http://login.example.org"}),
        ("identity_provider.issuer", {"issuer": "https://user:pw@login.example.org"}),
        ("identity_provider.issuer", {"issuer": "https://login.example.org?x=1"}),
        ("identity_provider.issuer", {"issuer": "file:///etc/passwd"}),
        (
            "identity_provider.issuer",
            {"issuer": "https://login.microsoftonline.com/common/v2.0", "kind": pb.PROVIDER_KIND_MICROSOFT},
        ),
        ("identity_provider.issuer", {"issuer": ""}),
        ("identity_provider.client_id", {"client_id": ""}),
        ("identity_provider.client_secret", {"client_secret": ""}),
        ("identity_provider.client_secret", {"client_secret": "a\nb"}),
        ("identity_provider.kind", {"kind": pb.PROVIDER_KIND_UNSPECIFIED}),
        ("identity_provider.scopes", {"scopes": ["two words"]}),
        ("identity_provider.email_domains", {"email_domains": ["not a domain"]}),
        ("identity_provider.default_roles", {"default_roles": ["ROLE_OPERATOR"]}),
        ("identity_provider.role_rules[0].role", {"role_rules": [{"claim": "groups", "value": "x", "role": "ROLE_OPERATOR"}]}),
        ("identity_provider.role_rules[0].claim", {"role_rules": [{"claim": "", "value": "x", "role": "ROLE_TEACHER"}]}),
        ("identity_provider.display_name", {"display_name": " "}),
    ],
)
async def test_what_cannot_be_meant_is_refused_by_the_name_of_its_field(
    north: North, field: str, changes: dict[str, Any]
) -> None:
    ada = await administrator(north)
    assert field_of(await refused(added(ada, **changes))) == field


async def test_presets_know_where_they_are(north: North) -> None:
    ada = await administrator(north)
    google = await added(ada, "google", kind=pb.PROVIDER_KIND_GOOGLE, issuer="")
    github = await added(ada, "github", kind=pb.PROVIDER_KIND_GITHUB, issuer="")
    assert (google.issuer, github.issuer) == ("https://accounts.google.com", "https://github.com")
    assert github.logout_uri == ""


async def test_only_named_fields_change_and_never_the_issuer(north: North) -> None:
    ada = await administrator(north)
    made = await added(ada)
    changed = await ada.call(
        "UpdateIdentityProvider",
        identity_provider=pb.IdentityProvider(name=made.name, display_name="Our school", client_id="ignored"),
        update_mask={"paths": ["display_name"]},
    )
    assert (changed.display_name, changed.client_id) == ("Our school", "paideia")
    refusal = await refused(
        ada.call("UpdateIdentityProvider", identity_provider=made, update_mask={"paths": ["issuer"]}),
    )
    assert field_of(refusal) == "update_mask"


async def test_it_takes_a_fresh_proof(north: North) -> None:
    ada = await administrator(north)
    north.time.passes(minutes=9, seconds=59)
    await added(ada)
    north.time.passes(seconds=2)
    assert (await refused(added(ada, "second"))).code() is StatusCode.FAILED_PRECONDITION


async def test_another_organizations_provider_is_not_found(north: North) -> None:
    made = await added(await administrator(north))
    elsewhere = await north.signs_in("ada", PASSWORD, "south")
    for rpc, fields in (
        ("GetIdentityProvider", {"name": made.name}),
        ("DeleteIdentityProvider", {"name": made.name}),
        ("UpdateIdentityProvider", {"identity_provider": made, "update_mask": {"paths": ["display_name"]}}),
    ):
        assert (await refused(elsewhere.call(rpc, **fields))).code() is StatusCode.NOT_FOUND
    begin = pb.BeginFederatedSignInRequest(organization="organizations/south", identity_provider=made.name, browser="b" * 43)
    assert (await refused(north.stub.BeginFederatedSignIn(begin))).code() is StatusCode.NOT_FOUND


async def test_an_organization_has_at_most_twenty(north: North) -> None:
    ada = await administrator(north)
    for number in range(20):
        await added(ada, f"p{number}")
    refusal = await refused(added(ada, "one-more"))
    assert refusal.code() is StatusCode.FAILED_PRECONDITION
    assert len((await ada.call("ListIdentityProviders")).identity_providers) == 20
    assert (await refused(added(ada, "p3"))).code() is StatusCode.ALREADY_EXISTS


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("", StatusCode.INVALID_ARGUMENT),
        ("x" * 257, StatusCode.INVALID_ARGUMENT),
        ("made up", StatusCode.UNAUTHENTICATED),
        ("north.made-up", StatusCode.UNAUTHENTICATED),
        ("nowhere.made-up", StatusCode.UNAUTHENTICATED),
    ],
)
async def test_a_state_that_is_none_of_ours_is_refused(north: North, state: str, code: StatusCode) -> None:
    request = pb.CompleteFederatedSignInRequest(state=state, browser="b" * 43, code="c")
    assert (await refused(north.stub.CompleteFederatedSignIn(request))).code() is code


async def test_links_that_are_none_are_refused(north: North) -> None:
    bob = await north.signs_in()
    for link in ("north.made-up", "south.made-up", "made up"):
        assert (await refused(bob.call("LinkIdentity", link=link))).code() is StatusCode.FAILED_PRECONDITION
    assert (await refused(bob.call("UnlinkIdentity", identity_provider="identityProviders/none"))).code() is StatusCode.NOT_FOUND
    assert list((await bob.call("ListLinkedIdentities")).linked_identities) == []


async def test_an_address_inside_is_not_asked(north: North) -> None:
    """The providers of `north` may not be on private networks: neither by address nor by name."""
    ada = await administrator(north)
    for number, issuer in enumerate(
        (
            "https://169.254.169.254/latest",
            "https://10.0.0.1",
            "https://[::1]",
            "https://[::ffff:10.0.0.1]",
            "https://localhost:1",
        )
    ):
        await added(ada, f"inside{number}", issuer=issuer)
        begin = pb.BeginFederatedSignInRequest(
            organization="organizations/north", identity_provider=f"identityProviders/inside{number}", browser="b" * 43
        )
        refusal = await refused(north.stub.BeginFederatedSignIn(begin))
        assert refusal.code() is StatusCode.FAILED_PRECONDITION, issuer
        assert "public internet" in (refusal.details() or "")


async def test_a_removed_provider_is_gone(north: North) -> None:
    ada = await administrator(north)
    made = await added(ada)
    await ada.call("DeleteIdentityProvider", name=made.name, request_id=str(uuid4()))
    assert (await refused(ada.call("DeleteIdentityProvider", name=made.name))).code() is StatusCode.NOT_FOUND
    assert north.notices() == ["IDENTITY_PROVIDER_ADDED", "IDENTITY_PROVIDER_REMOVED"]
