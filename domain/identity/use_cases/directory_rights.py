"""Who is shown whose directory information."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from domain.identity.directory import DirectoryInformation
from domain.identity.model import User
from domain.identity.people import Profile
from domain.identity.ports import IdentityUnit
from domain.shared.caller import Caller


async def withheld_among(unit: IdentityUnit, user_ids: Sequence[str]) -> frozenset[str]:
    """Those of these users whose directory information is withheld, by their choice or else the organization's."""
    usual = (await unit.retention.settings()).directory_information
    chosen = await unit.users.directory_choices(user_ids)
    return frozenset(each for each in user_ids if chosen.get(each, usual) is DirectoryInformation.WITHHELD)


async def shown_users(unit: IdentityUnit, caller: Caller, users: Iterable[User]) -> tuple[User, ...]:
    """As the caller gets them: with what counts, and, where it is withheld from a program, without name and address."""
    found = tuple(users)
    withheld = await withheld_among(unit, [each.id for each in found])
    return tuple(_shown(each, each.id in withheld, caller) for each in found)


async def shown_user(unit: IdentityUnit, caller: Caller, user: User) -> User:
    (shown,) = await shown_users(unit, caller, [user])
    return shown


async def shown_profile(unit: IdentityUnit, caller: Caller, profile: Profile) -> Profile:
    withheld = profile.user in await withheld_among(unit, [profile.user])
    name = "" if withheld and is_program(caller) else profile.display_name
    return replace(profile, display_name=name, directory_withheld=withheld)


def is_program(caller: Caller) -> bool:
    """Whether no person asks; only programs' tokens have scopes."""
    return caller.scopes is not None


def _shown(user: User, withheld: bool, caller: Caller) -> User:
    if not withheld:
        return replace(user, directory=DirectoryInformation.SHARED)
    kept = replace(user, directory=DirectoryInformation.WITHHELD)
    return replace(kept, display_name="", email=None) if is_program(caller) else kept
