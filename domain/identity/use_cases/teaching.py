"""What the use cases share that show people to teachers."""

from collections.abc import Iterable
from datetime import datetime

from domain.identity.classes import ClassNotFound, Part
from domain.identity.events import SightChanged
from domain.identity.people_settings import TeachersSee
from domain.identity.ports import IdentityUnit
from domain.shared.caller import Caller, Role


async def sees_own_classes_only(unit: IdentityUnit, caller: Caller) -> bool:
    """Whether the caller is a teacher, and the organization shows teachers only the learners of their classes."""
    if Role.ADMIN in caller.roles or Role.TEACHER not in caller.roles:
        return False
    return (await unit.organizations.get()).settings.teachers_see is TeachersSee.CLASSES


async def sees_user(unit: IdentityUnit, caller: Caller, user_id: str) -> bool:
    """Whether a teacher or administrator may know of the user."""
    if user_id == caller.user or not await sees_own_classes_only(unit, caller):
        return True
    return user_id in await unit.classes.taught_by(caller.user)


async def check_class_is_shown(unit: IdentityUnit, caller: Caller, class_id: str) -> None:
    """Raises ClassNotFound."""
    if await sees_own_classes_only(unit, caller) and not await unit.classes.has(class_id, caller.user, Part.TEACHER):
        raise ClassNotFound(class_id)


async def tell_of_sight(unit: IdentityUnit, users: Iterable[str], now: datetime) -> None:
    """Has every process forget whose work these users see."""
    await unit.events.add([SightChanged(each, now) for each in sorted(users)])
