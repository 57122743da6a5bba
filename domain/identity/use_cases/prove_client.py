from dataclasses import dataclass

from domain.identity.ports import IdentityUnit
from domain.identity.programs import ASSERTION_LEEWAY, ClientId, ClientRefused, Credential, CredentialKind, Program
from domain.identity.programs_ports import ClientKeys
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class ClientProof:
    """What a program presents: its id, and a secret or an assertion, which names the id itself."""

    client_id: str = ""
    secret: str = ""
    assertion: str = ""


@dataclass(frozen=True, slots=True)
class ProveClient:
    """Finds out which program asks. `audiences` are the names of ours that an assertion may be meant for."""

    keys: ClientKeys
    audiences: frozenset[str]
    clock: Clock

    def client_of(self, proof: ClientProof) -> ClientId:
        """Whom a proof claims to be of. Raises ClientRefused."""
        return ClientId.parse(proof.client_id or self.keys.client_of(proof.assertion))

    async def __call__(self, unit: IdentityUnit, client: ClientId, proof: ClientProof) -> tuple[Program, Credential]:
        """Locks nothing; the unit's commit spends an assertion. Raises ClientRefused."""
        program = await unit.programs.find(client.program)
        if program is None:
            raise ClientRefused
        return program, await self._proved(unit, client, program, proof)

    async def _proved(self, unit: IdentityUnit, client: ClientId, program: Program, proof: ClientProof) -> Credential:
        now = self.clock()
        good = program.good_credentials(now)
        if not proof.assertion:
            digest = client.digest(proof.secret)
            matching = [each for each in good if each.opened_by(digest)]
            if not matching:
                raise ClientRefused
            return matching[0]
        holders = [each for each in good if each.kind is CredentialKind.PUBLIC_KEY]
        at, assertion = self.keys.verified(proof.assertion, [each.public_key for each in holders])
        assertion.check(client, self.audiences, now)
        until = assertion.expires_at + ASSERTION_LEEWAY
        if not await unit.programs.spend_assertion(program.id, assertion.digest, until, now):
            raise ClientRefused
        return holders[at]
