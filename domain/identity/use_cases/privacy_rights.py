"""Who may ask for whose privacy."""

from domain.identity.model import UserNotFound
from domain.identity.ports import IdentityUnit
from domain.shared.caller import Caller, Role


async def check_may_see(unit: IdentityUnit, caller: Caller, user_id: str) -> None:
    """Raises UserNotFound unless the caller is the person, a guardian of theirs or an administrator."""
    if caller.user == user_id or Role.ADMIN in caller.roles:
        return
    if user_id not in await unit.guardians.wards_of(caller.user):
        raise UserNotFound(f"no user {user_id}")


def check_may_erase(caller: Caller, user_id: str) -> None:
    """Raises UserNotFound unless the caller is the person or an administrator."""
    if caller.user != user_id and Role.ADMIN not in caller.roles:
        raise UserNotFound(f"no user {user_id}")
