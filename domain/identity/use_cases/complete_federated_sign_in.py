from dataclasses import dataclass

from domain.identity.challenges import Kind, PutChallenge
from domain.identity.credential_ports import UnreadableSecret, Vault
from domain.identity.federated_sign_in import (
    PENDING_LINK_LIFE,
    FederatedSession,
    FederationRefused,
    FederationToken,
    Flow,
    PendingLink,
    browser_digest,
)
from domain.identity.federation import FederatedPerson, IdentityProvider, secret_context
from domain.identity.federation_ports import ProviderClient
from domain.identity.model import User
from domain.identity.ports import IdentityUnit, NewSecret, NewUnit
from domain.identity.sessions import SigningKey, TokenPair
from domain.identity.step_up import Method
from domain.identity.use_cases.current_signing_key import CurrentSigningKey
from domain.identity.use_cases.put_challenge import PutNewChallenge
from domain.identity.use_cases.recognise_person import RecognisePerson
from domain.identity.use_cases.request_authorization import RequestAuthorization
from domain.identity.use_cases.start_session import StartSession
from domain.shared.clock import Clock
from domain.shared.errors import NotAllowedNow
from domain.shared.ids import NewId

_BY_PROVIDER = frozenset({Method.FEDERATED})
Answer = TokenPair | PutChallenge | FederationToken


@dataclass(frozen=True, slots=True)
class CompleteFederatedSignIn:
    """Takes back a browser from a provider: a session, a challenge for the account's second factor, or a link still to be made.

    The flow is spent before the provider is asked, so that no code is exchanged twice for one state.
    """

    new_unit: NewUnit
    client: ProviderClient
    request: RequestAuthorization
    recognise: RecognisePerson
    vault: Vault
    current_signing_key: CurrentSigningKey
    start: StartSession
    put: PutNewChallenge
    new_id: NewId
    new_secret: NewSecret
    clock: Clock

    async def __call__(self, state: FederationToken, browser: str, code: str, issuer: str, device: str) -> tuple[str, Answer]:
        """Returns the provider's id, too. Raises FederationRefused, NotAdmitted, Unavailable."""
        flow, provider = await self._spend(state, browser_digest(browser))
        request = self.request(state, fresh=flow.fresh)
        secret = self._secret(state.organization, provider)
        person = await self.client.person(provider, secret, code, issuer, request, self.clock())
        key = await self.current_signing_key()
        async with self.new_unit(state.organization) as unit:
            user = None if flow.for_linking else await self.recognise(unit, provider, person)
            answer: Answer
            if user is None:
                answer = await self._pending(unit, state.organization, provider, person)
            else:
                answer = await self._signed_in(unit, key, state.organization, provider, person, user, device)
            await unit.commit()
        return provider.id, answer

    async def _spend(self, state: FederationToken, browser: bytes) -> tuple[Flow, IdentityProvider]:
        async with self.new_unit(state.organization) as unit:
            flow = await unit.federation.take(state.digest)
            provider = await unit.providers.find(flow.provider) if flow is not None else None
            await unit.commit()
        if flow is None or provider is None or provider.disabled or not flow.good(browser, self.clock()):
            raise FederationRefused
        return flow, provider

    def _secret(self, organization: str, provider: IdentityProvider) -> str:
        try:
            return self.vault.open(provider.sealed_secret, secret_context(organization, provider.id)).decode()
        except UnreadableSecret:
            raise NotAllowedNow("the provider's client secret can no longer be read: an administrator must set it anew") from None

    async def _pending(
        self, unit: IdentityUnit, organization: str, provider: IdentityProvider, person: FederatedPerson
    ) -> FederationToken:
        now = self.clock()
        token = FederationToken(organization, self.new_secret())
        await unit.federation.put_link(PendingLink(token.digest, provider.id, person.subject, now + PENDING_LINK_LIFE), now)
        return token

    async def _signed_in(
        self,
        unit: IdentityUnit,
        key: SigningKey,
        organization: str,
        provider: IdentityProvider,
        person: FederatedPerson,
        user: User,
        device: str,
    ) -> TokenPair | PutChallenge:
        session_id, now = self.new_id(), self.clock()
        await unit.federation.note_session(
            FederatedSession(session_id, provider.id, person.subject, person.session, user.id, now)
        )
        factors = await unit.factors.of(user.id)
        if ways := factors.ways():
            keys = tuple(factors.passkeys)
            return await self.put(
                unit, organization, Kind.SIGN_IN, user.id, ways, session=session_id, methods=_BY_PROVIDER, passkeys=keys
            )
        return await self.start(
            unit,
            key,
            organization,
            user,
            _BY_PROVIDER,
            device,
            session_id=session_id,
            authenticated_at=person.authenticated_at,
        )
