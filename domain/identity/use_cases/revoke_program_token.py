from dataclasses import dataclass

from domain.identity.events import TokenRevoked
from domain.identity.ports import NewUnit
from domain.identity.programs import TokenOfAnother
from domain.identity.programs_ports import TokenReader
from domain.identity.use_cases.list_public_keys import ListPublicKeys
from domain.identity.use_cases.prove_client import ClientProof, ProveClient
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class RevokeProgramToken:
    """Ends one access token of a program (RFC 7009), in each process when it hears of it. What is good no more needs no end."""

    new_unit: NewUnit
    public_keys: ListPublicKeys
    reader: TokenReader
    prove: ProveClient
    clock: Clock

    async def __call__(self, proof: ClientProof, token: str) -> None:
        """Raises ClientRefused, TokenOfAnother."""
        client = self.prove.client_of(proof)
        read = self.reader.read(token, await self.public_keys())
        now = self.clock()
        async with self.new_unit(client.organization) as unit:
            program, _ = await self.prove(unit, client, proof)
            if read is not None and now < read.expires_at:
                if read.client_id != str(client):
                    raise TokenOfAnother.of("token", "was not issued to this client")
                if await unit.programs.revoke_token(read.id, read.expires_at, now):
                    await unit.events.add([TokenRevoked(program.user, now, read.id)])
            await unit.commit()
