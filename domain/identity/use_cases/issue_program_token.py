from collections.abc import Sequence
from dataclasses import dataclass

from domain.identity.ports import NewUnit, TokenSigner
from domain.identity.programs import ClientRefused, Grant, IssuedToken, SponsorGone
from domain.identity.use_cases.current_signing_key import CurrentSigningKey
from domain.identity.use_cases.prove_client import ClientProof, ProveClient
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class IssueProgramToken:
    new_unit: NewUnit
    current_signing_key: CurrentSigningKey
    signer: TokenSigner
    prove: ProveClient
    clock: Clock

    async def __call__(self, proof: ClientProof, scopes: Sequence[str]) -> IssuedToken:
        """Raises ClientRefused, ScopeRefused, SponsorGone, TooManyTokens."""
        client = self.prove.client_of(proof)
        key = await self.current_signing_key()
        now = self.clock()
        async with self.new_unit(client.organization) as unit:
            # Proved before it is locked: a stranger must not keep a partner waiting.
            _, proved = await self.prove(unit, client, proof)
            program = await unit.programs.get(client.program)
            credential = next((each for each in program.good_credentials(now) if each.id == proved.id), None)
            if credential is None:
                raise ClientRefused
            granted = program.granted(scopes)
            sponsor = next(iter(await unit.users.find([program.sponsor])), None)
            roles = program.roles & sponsor.roles if sponsor is not None and sponsor.active else frozenset()
            if not roles:
                raise SponsorGone
            await unit.programs.save(program.used(credential, now))
            plan = await unit.quotas.plan()
            await unit.commit()
        grant = Grant(str(client), granted)
        access = self.signer.sign(key, client.organization, program.user, roles, credential.id, now, grant=grant, plan=plan)
        return IssuedToken(access, granted)
