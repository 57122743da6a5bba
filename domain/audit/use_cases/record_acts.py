from collections.abc import Sequence
from dataclasses import dataclass

from domain.audit.model import PLATFORM, Act, Head, Link, SignedEnd, chained
from domain.audit.ports import HeadSigner, NewAuditUnit
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class RecordActs:
    """Adds acts to an organization's chain, each event once, and signs its new end.

    Only what follows from a signed end is signed: otherwise the next signature would vouch for acts that somebody put into the tables. The
    chain goes on unsigned then, which its verification tells for good.

    A refusal of somebody who proved nothing does not begin a chain: what is claimed of an organization that has none is the platform's.
    """

    new_unit: NewAuditUnit
    signer: HeadSigner
    clock: Clock

    async def __call__(self, organization: str, acts: Sequence[Act]) -> None:
        async with self.new_unit(organization) as unit:
            await unit.chain.hold()
            tip = await unit.chain.tip()
            strangers = tip is None and organization != PLATFORM and not any(each.proven for each in acts)
            if not strangers:
                known = await unit.chain.known({each.event_id for each in acts})
                fresh = {each.event_id: each for each in acts if each.event_id not in known}
                if links := chained(organization, tip, list(fresh.values()), self.clock()):
                    await unit.chain.add(links)
                    if self._vouched_for(tip, await unit.chain.newest_head()):
                        head = self._signed(links[-1])
                        await unit.chain.add_head(head)
                        await unit.outbox.add(head)
                    await unit.commit()
        if strangers:
            await self(PLATFORM, acts)

    def _vouched_for(self, tip: Link | None, head: Head | None) -> bool:
        if tip is None or head is None:
            return tip is None and head is None
        return self.signer.read(head.signature) == SignedEnd(tip.organization, tip.sequence, tip.hash)

    def _signed(self, last: Link) -> Head:
        end = SignedEnd(last.organization, last.sequence, last.hash)
        return Head(last.sequence, self.signer.sign(end, last.recorded_at))
