from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from domain.audit.model import BEGINNING, MOST_FAULTS, Fault, FaultKind, Head, SignedEnd, faults_in
from domain.audit.ports import HeadSigner, NewAuditUnit
from domain.audit.use_cases.chain_of import chain_of
from domain.shared.caller import Caller
from domain.shared.errors import InvalidInput

_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """On a part of a chain. `last` is the number and hash of its last act; `done` when there is no more."""

    acts: int
    heads: int
    last: tuple[int, bytes]
    done: bool
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class VerifyActs:
    """Computes a part of a chain anew and compares it with what was signed."""

    new_unit: NewAuditUnit
    signer: HeadSigner
    at_once: int = _AT_ONCE

    async def __call__(
        self, caller: Caller, after: tuple[int, bytes] = (0, BEGINNING), known_head: str = "", platform: bool = False
    ) -> Verdict:
        """`known_head` is a signature that somebody kept. Raises InvalidInput naming it if it is not of this chain."""
        organization = chain_of(caller, platform)
        async with self.new_unit(organization) as unit:
            await unit.chain.hold()  # so that acts and heads are of one moment
            links = await unit.chain.links(after[0], self.at_once)
            done = len(links) < self.at_once
            last = (links[-1].sequence, links[-1].hash) if links else after
            # Behind the last act there should be no head.
            heads = await unit.chain.heads(after[0], None if done else last[0])
            newest = await unit.chain.newest_head()
        hashes = {each.sequence: each.hash for each in links} | ({after[0]: after[1]} if after[0] else {})
        faults = [*faults_in(after, links), *self._faults_of_heads(organization, hashes, heads, last[0])]
        if done and last[0] > (signed := newest.sequence if newest else 0):
            faults.append(Fault(FaultKind.UNSIGNED, signed + 1, f"acts {signed + 1} to {last[0]} were never signed"))
        if known_head:
            faults += self._against_known(organization, known_head, hashes, done, after[0])
        return Verdict(len(links), len(heads), last, done, tuple(faults[:MOST_FAULTS]))

    def _faults_of_heads(self, organization: str, hashes: dict[int, bytes], heads: Sequence[Head], last: int) -> Iterator[Fault]:
        for head in heads:
            end = self.signer.read(head.signature)
            if end is None or (end.organization, end.sequence) != (organization, head.sequence):
                yield Fault(FaultKind.FORGED_HEAD, head.sequence, f"the signature of head {head.sequence} is not good")
            elif head.sequence > last:
                yield Fault(FaultKind.CUT_OFF, head.sequence, f"there were {head.sequence} acts; the last one now is {last}")
            else:
                yield from _compared(end, hashes)

    def _against_known(
        self, organization: str, signature: str, hashes: dict[int, bytes], done: bool, after: int
    ) -> Iterator[Fault]:
        end = self.signer.read(signature)
        if end is None or end.organization != organization:
            raise InvalidInput.of("known_head", "must be the signature of a head of this chain, unchanged")
        if end.sequence > after and end.sequence in hashes:
            yield from _compared(end, hashes)
        elif end.sequence > after and done:
            yield Fault(FaultKind.CUT_OFF, end.sequence, f"act {end.sequence}, which was signed, is not there any more")


def _compared(end: SignedEnd, hashes: dict[int, bytes]) -> Iterator[Fault]:
    if (there := hashes.get(end.sequence)) is not None and there != end.hash:
        yield Fault(FaultKind.OTHER_ACT, end.sequence, f"act {end.sequence} is another one than was signed")
