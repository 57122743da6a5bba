from collections.abc import Sequence
from dataclasses import dataclass

from domain.identity.ports import IdentityUnit, NewUnit, TokenSigner
from domain.identity.programs import (
    ASSERTION_LEEWAY,
    ClientId,
    ClientRefused,
    Credential,
    CredentialKind,
    Grant,
    IssuedToken,
    Program,
    SponsorGone,
)
from domain.identity.programs_ports import ClientKeys
from domain.identity.use_cases.current_signing_key import CurrentSigningKey
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class ClientProof:
    """What a program presents: its id, and a secret or an assertion, which names the id itself."""

    client_id: str = ""
    secret: str = ""
    assertion: str = ""


@dataclass(frozen=True, slots=True)
class IssueProgramToken:
    """`audiences` are the names of ours that an assertion may be meant for."""

    new_unit: NewUnit
    current_signing_key: CurrentSigningKey
    signer: TokenSigner
    keys: ClientKeys
    audiences: frozenset[str]
    clock: Clock

    async def __call__(self, proof: ClientProof, scopes: Sequence[str]) -> IssuedToken:
        """Raises ClientRefused, ScopeRefused, SponsorGone, TooManyTokens."""
        client = ClientId.parse(proof.client_id or self.keys.client_of(proof.assertion))
        key = await self.current_signing_key()
        now = self.clock()
        async with self.new_unit(client.organization) as unit:
            found = await unit.programs.find(client.program)
            if found is None:
                raise ClientRefused
            # Proved before it is locked: a stranger must not keep a partner waiting.
            proved = await self._proved(unit, client, found, proof)
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
            await unit.commit()
        grant = Grant(str(client), granted)
        access = self.signer.sign(key, client.organization, program.user, roles, credential.id, now, grant=grant)
        return IssuedToken(access, granted)

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
