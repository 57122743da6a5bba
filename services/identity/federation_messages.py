"""Between the messages of identity providers and identity's domain."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from paideia.identity.v1 import federation_pb2 as pb

from domain.identity.federated_sign_in import FederatedIdentity
from domain.identity.federation import IdentityProvider, Linking, ProviderKind, Provisioning, RoleRule
from domain.shared.caller import Role
from domain.shared.errors import InvalidInput
from services.identity.messages import role_numbers, roles_from
from services.shared.times import timestamp

_NOT_YET = datetime(1970, 1, 1, tzinfo=UTC)


def provider_message(provider: IdentityProvider, organization: str, public_url: str) -> pb.IdentityProvider:
    """Without its secret."""
    base = public_url.rstrip("/")
    logout = f"{base}/sign-in/logout/{organization}/{provider.id}"
    return pb.IdentityProvider(
        name=f"identityProviders/{provider.id}",
        display_name=provider.display_name,
        kind=f"PROVIDER_KIND_{provider.kind}",
        issuer=provider.issuer,
        client_id=provider.client_id,
        scopes=provider.scopes,
        provisioning=f"PROVISIONING_{provider.provisioning}",
        linking=f"LINKING_{provider.linking}",
        email_domains=provider.email_domains,
        default_roles=role_numbers(provider.default_roles),
        role_rules=[
            pb.RoleRule(claim=rule.claim, value=rule.value, role=role_numbers([rule.role])[0]) for rule in provider.role_rules
        ],
        roles_follow=provider.roles_follow,
        disabled=provider.disabled,
        create_time=timestamp(provider.created_at),
        redirect_uri=redirect_uri(public_url),
        logout_uri="" if provider.kind is ProviderKind.GITHUB else logout,
    )


def provider_from(message: pb.IdentityProvider, provider_id: str) -> IdentityProvider:
    """Its secret and its time are the use case's to set; a kind left out is OPENID. Raises InvalidInput."""
    at = "identity_provider"
    return IdentityProvider(
        id=provider_id,
        display_name=message.display_name,
        kind=ProviderKind(_word(pb.ProviderKind, message.kind or pb.PROVIDER_KIND_OPENID, f"{at}.kind")),
        issuer=message.issuer,
        client_id=message.client_id,
        sealed_secret=b"",
        created_at=_NOT_YET,
        scopes=tuple(message.scopes),
        provisioning=Provisioning(_word(pb.Provisioning, message.provisioning or pb.PROVISIONING_NONE, f"{at}.provisioning")),
        linking=Linking(_word(pb.Linking, message.linking or pb.LINKING_PROOF, f"{at}.linking")),
        email_domains=tuple(message.email_domains),
        default_roles=roles_from(message.default_roles, f"{at}.default_roles"),
        role_rules=tuple(
            RoleRule(rule.claim, rule.value, _one_role([rule.role], f"{at}.role_rules[{number}].role"))
            for number, rule in enumerate(message.role_rules)
        ),
        roles_follow=message.roles_follow,
        disabled=message.disabled,
    )


def linked_message(provider: IdentityProvider, identity: FederatedIdentity) -> pb.LinkedIdentity:
    return pb.LinkedIdentity(
        identity_provider=f"identityProviders/{provider.id}",
        display_name=provider.display_name,
        link_time=timestamp(identity.linked_at),
        last_use_time=timestamp(identity.last_used_at),
    )


def redirect_uri(public_url: str) -> str:
    """Where every provider sends browsers back to; the state says which sign-in it is."""
    return f"{public_url.rstrip('/')}/sign-in/callback"


def _one_role(numbers: Iterable[int], field: str) -> Role:
    return next(iter(roles_from(numbers, field)))


def _word(enum: Any, number: int, field: str) -> str:
    """The name of an enum's value without what all its names begin with, or InvalidInput for a number that has none."""
    value = enum.DESCRIPTOR.values_by_number.get(number)
    if value is None:
        raise InvalidInput.of(field, f"has no value {number}")
    return str(value.name).removeprefix(enum.DESCRIPTOR.values_by_number[0].name.removesuffix("UNSPECIFIED"))
