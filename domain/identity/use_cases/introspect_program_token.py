from dataclasses import dataclass

from domain.identity.ports import NewUnit
from domain.identity.programs import ProgramToken
from domain.identity.programs_ports import TokenReader
from domain.identity.use_cases.list_public_keys import ListPublicKeys
from domain.identity.use_cases.prove_client import ClientProof, ProveClient
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class IntrospectProgramToken:
    """Tells a program of its own tokens (RFC 7662). Whoever has somebody else's learns nothing of it here."""

    new_unit: NewUnit
    public_keys: ListPublicKeys
    reader: TokenReader
    prove: ProveClient
    clock: Clock

    async def __call__(self, proof: ClientProof, token: str) -> ProgramToken | None:
        """None unless it is good now. Raises ClientRefused."""
        client = self.prove.client_of(proof)
        read = self.reader.read(token, await self.public_keys())
        async with self.new_unit(client.organization) as unit:
            program, _ = await self.prove(unit, client, proof)
            active = (
                read is not None
                and read.client_id == str(client)
                and program.stands_behind(read, self.clock())
                and not await unit.programs.is_token_revoked(read.id)
            )
            await unit.commit()
        return read if active else None
