"""Between identity's messages and its domain."""

from collections.abc import Iterable

from paideia.auth.v1 import rule_pb2 as auth
from paideia.identity.v1 import identity_service_pb2 as pb

from domain.identity.directory import DirectoryInformation
from domain.identity.model import Organization, User, UserChanges, UserDraft
from domain.identity.sessions import ACCESS_TOKEN_LIFE, SigningKey, TokenPair
from domain.shared.caller import Role
from domain.shared.errors import InvalidInput
from services.shared.times import duration, timestamp

_NUMBERS = {
    Role.LEARNER: auth.ROLE_LEARNER,
    Role.TEACHER: auth.ROLE_TEACHER,
    Role.AUTHOR: auth.ROLE_AUTHOR,
    Role.ADMIN: auth.ROLE_ADMIN,
    Role.OPERATOR: auth.ROLE_OPERATOR,
}
_ROLES: dict[int, Role] = {number: role for role, number in _NUMBERS.items()}


def organization_message(organization: Organization) -> pb.Organization:
    settings = organization.settings
    return pb.Organization(
        name=f"organizations/{organization.id}",
        display_name=organization.display_name,
        create_time=timestamp(organization.founded_at),
        locale=settings.locale,
        time_zone=settings.time_zone,
        sign_up_policy=f"SIGN_UP_POLICY_{settings.sign_up}",
        sign_up_domains=settings.sign_up_domains,
        teachers_see=f"TEACHERS_SEE_{settings.teachers_see}",
        allowed_origins=settings.allowed_origins,
        etag=str(organization.revision),
        plan=f"plans/{organization.plan}",
    )


def user_message(user: User) -> pb.User:
    return pb.User(
        name=f"users/{user.id}",
        display_name=user.display_name,
        email=user.email,
        roles=role_numbers(user.roles),
        create_time=timestamp(user.created_at),
        deactivate_time=None if user.deactivated_at is None else timestamp(user.deactivated_at),
        directory_withheld=user.directory is DirectoryInformation.WITHHELD,
    )


def role_numbers(roles: Iterable[Role]) -> list[auth.Role]:
    """In the order of the enum. SERVICE is nobody's role here, so it has no number."""
    return sorted(_NUMBERS[role] for role in roles)


def draft_from(request: pb.CreateUserRequest, field: str = "") -> UserDraft:
    """`field` leads to the request inside a batch."""
    user = request.user
    prefix = f"{field}." if field else ""
    return UserDraft(
        id=request.user_id,
        display_name=user.display_name,
        email=user.email if user.HasField("email") else None,
        roles=roles_from(user.roles, f"{prefix}user.roles"),
        field=field,
    )


def changes_from(user: pb.User, fields: frozenset[str]) -> UserChanges:
    """An e-mail address that is absent or empty is removed."""
    return UserChanges(
        fields=fields,
        display_name=user.display_name,
        email=user.email or None,
        roles=roles_from(user.roles, "user.roles") if "roles" in fields else frozenset(),
    )


def roles_from(numbers: Iterable[int], field: str) -> frozenset[Role]:
    """Raises InvalidInput for what no user can be: UNSPECIFIED, PUBLIC, SERVICE and numbers without a name."""
    try:
        return frozenset(_ROLES[number] for number in numbers)
    except KeyError:
        raise InvalidInput.of(field, "must be of LEARNER, TEACHER, AUTHOR and ADMIN") from None


def pair_message(pair: TokenPair) -> pb.TokenPair:
    return pb.TokenPair(
        access_token=pair.access_token,
        expires_in=duration(ACCESS_TOKEN_LIFE),
        refresh_token=pair.refresh_token,
        session_expire_time=timestamp(pair.session.expires_at),
    )


def jwk_message(key: SigningKey) -> pb.Jwk:
    return pb.Jwk(kty="EC", crv="P-256", x=key.public.x, y=key.public.y, kid=key.kid, use="sig", alg="ES256")
