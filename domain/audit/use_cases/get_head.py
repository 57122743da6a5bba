from dataclasses import dataclass

from domain.audit.model import Head, NoHeadYet
from domain.audit.ports import NewAuditUnit
from domain.audit.use_cases.chain_of import chain_of
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class GetHead:
    """The newest signed end of a chain."""

    new_unit: NewAuditUnit

    async def __call__(self, caller: Caller, platform: bool = False) -> Head:
        async with self.new_unit(chain_of(caller, platform)) as unit:
            head = await unit.chain.newest_head()
        if head is None:
            raise NoHeadYet("nothing has been recorded yet")
        return head
