from dataclasses import dataclass

from domain.identity.consents import MOST_PURPOSES, Purpose, TooManyPurposes
from domain.identity.ports import NewUnit
from domain.shared.caller import Caller
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class PublishPurpose:
    """The same text again makes no version."""

    new_unit: NewUnit
    clock: Clock

    async def __call__(self, caller: Caller, purpose_id: str, text: str) -> Purpose:
        async with self.new_unit(caller.organization) as unit:
            before = await unit.consents.newest(purpose_id)
            purpose = Purpose.publish(purpose_id, text, before, self.clock())
            if before is not None and before.text == purpose.text:
                return before
            if before is None and len(await unit.consents.purposes()) >= MOST_PURPOSES:
                raise TooManyPurposes(f"an organization has at most {MOST_PURPOSES} purposes")
            await unit.consents.publish(purpose)
            await unit.commit()
        return purpose
