from dataclasses import dataclass
from datetime import datetime

from domain.identity.classes import MOST_MEMBERS, ClassFull, Member, Part
from domain.identity.classes_enrolment import Outcome, Row, Verdict, rows_of
from domain.identity.events import UserCreated
from domain.identity.model import User
from domain.identity.ports import IdentityUnit, NewUnit
from domain.identity.use_cases.room import Room, room_for
from domain.identity.use_cases.teaching import tell_of_sight
from domain.shared.caller import Caller, Role
from domain.shared.clock import Clock
from domain.shared.plans import Quota


@dataclass(frozen=True, slots=True)
class EnrolFromCsv:
    """A verdict for every row. A row that is refused keeps no other from being done; more new people than the plan allows refuse them all."""

    new_unit: NewUnit
    clock: Clock

    async def __call__(self, caller: Caller, class_id: str, text: str, *, validate_only: bool) -> tuple[Verdict, ...]:
        now = self.clock()
        rows = rows_of(text, now)
        wanted = [row.user for row in rows if row.user is not None]
        async with self.new_unit(caller.organization) as unit:
            room = await room_for(unit, Quota.PEOPLE)
            (await unit.classes.get(class_id)).check_open()
            known = {user.id: user for user in await unit.users.find([user.id for user in wanted])}
            taken = await unit.users.with_emails([user.email for user in wanted if user.email and user.id not in known])
            faults = {row.line: _fault(row, known, taken) for row in rows}
            good = [row.user for row in rows if row.user is not None and not faults[row.line]]
            enrolled = await self._enrol(unit, room, class_id, good, known, now)
            if not validate_only:
                await unit.commit()
        return tuple(_verdict(row, faults[row.line], known, enrolled) for row in rows)

    async def _enrol(
        self, unit: IdentityUnit, room: Room, class_id: str, users: list[User], known: dict[str, User], now: datetime
    ) -> frozenset[str]:
        """Returns the ids of those who were not in the class."""
        new = [user for user in users if user.id not in known]
        if new:
            room.check(len(await unit.users.add(new)))
            await unit.events.add([UserCreated(user.id, now) for user in new])
        enrolled = await unit.classes.enrol(class_id, [Member(user.id, Part.LEARNER, now) for user in users])
        if await unit.classes.size(class_id) > MOST_MEMBERS:
            raise ClassFull(class_id)
        if enrolled:
            await tell_of_sight(unit, await unit.classes.teachers(class_id), now)
        return enrolled


def _fault(row: Row, known: dict[str, User], taken: frozenset[str]) -> str:
    """Why the row is refused; empty if it is not."""
    if row.user is None:
        return row.fault
    there = known.get(row.user.id)
    if there is None:
        return "another user has this e-mail address" if row.user.email in taken else ""
    if not there.active:
        return f"user {there.id} is deactivated"
    return "" if Role.LEARNER in there.roles else f"user {there.id} needs the role LEARNER"


def _verdict(row: Row, fault: str, known: dict[str, User], enrolled: frozenset[str]) -> Verdict:
    if fault:
        return Verdict(row.line, row.user_id, Outcome.REFUSED, fault)
    if row.user_id not in enrolled:
        return Verdict(row.line, row.user_id, Outcome.ALREADY_ENROLLED)
    return Verdict(row.line, row.user_id, Outcome.ENROLLED if row.user_id in known else Outcome.CREATED)
