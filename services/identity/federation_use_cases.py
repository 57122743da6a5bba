"""The use cases of identity providers, put together once."""

from dataclasses import dataclass

from domain.identity.credential_ports import Vault
from domain.identity.federation_ports import ProviderClient
from domain.identity.ports import NewSecret, NewUnit, TokenSigner
from domain.identity.use_cases.begin_federated_sign_in import BeginFederatedSignIn
from domain.identity.use_cases.change_factors import ChangeFactors
from domain.identity.use_cases.change_providers import ChangeProviders
from domain.identity.use_cases.complete_federated_sign_in import CompleteFederatedSignIn
from domain.identity.use_cases.create_provider import CreateProvider
from domain.identity.use_cases.current_signing_key import CurrentSigningKey
from domain.identity.use_cases.delete_provider import DeleteProvider
from domain.identity.use_cases.end_federated_sessions import EndFederatedSessions
from domain.identity.use_cases.get_provider import GetProvider, ListProviders
from domain.identity.use_cases.link_identity import LinkIdentity
from domain.identity.use_cases.list_linked_identities import ListLinkedIdentities
from domain.identity.use_cases.put_challenge import PutNewChallenge
from domain.identity.use_cases.recognise_person import RecognisePerson
from domain.identity.use_cases.request_authorization import RequestAuthorization
from domain.identity.use_cases.start_session import StartSession
from domain.identity.use_cases.unlink_identity import UnlinkIdentity
from domain.identity.use_cases.update_provider import UpdateProvider
from domain.shared.clock import Clock
from domain.shared.ids import NewId
from services.identity.federation_messages import redirect_uri


@dataclass(frozen=True, slots=True)
class FederationUseCases:
    """What the rpcs of identity providers call."""

    public_url: str
    create: CreateProvider
    get: GetProvider
    list: ListProviders
    update: UpdateProvider
    delete: DeleteProvider
    begin: BeginFederatedSignIn
    complete: CompleteFederatedSignIn
    link: LinkIdentity
    list_linked: ListLinkedIdentities
    unlink: UnlinkIdentity
    end_sessions: EndFederatedSessions


def federation_use_cases(
    new_unit: NewUnit,
    client: ProviderClient,
    current_signing_key: CurrentSigningKey,
    signer: TokenSigner,
    vault: Vault,
    public_url: str,
    private: bool,
    new_id: NewId,
    new_secret: NewSecret,
    clock: Clock,
) -> FederationUseCases:
    """`private`: whether providers may be on this machine or on a private network."""
    change_providers = ChangeProviders(new_unit, clock)
    change_factors = ChangeFactors(new_unit, clock)
    request = RequestAuthorization(vault, redirect_uri(public_url))
    return FederationUseCases(
        public_url=public_url,
        create=CreateProvider(change_providers, vault, private),
        get=GetProvider(new_unit),
        list=ListProviders(new_unit),
        update=UpdateProvider(change_providers, vault, private),
        delete=DeleteProvider(change_providers),
        begin=BeginFederatedSignIn(new_unit, client, request, new_secret, clock),
        complete=CompleteFederatedSignIn(
            new_unit,
            client,
            request,
            RecognisePerson(new_id, clock),
            vault,
            current_signing_key,
            StartSession(signer, new_id, new_secret, clock),
            PutNewChallenge(new_id, new_secret, clock),
            new_id,
            new_secret,
            clock,
        ),
        link=LinkIdentity(change_factors),
        list_linked=ListLinkedIdentities(new_unit),
        unlink=UnlinkIdentity(change_factors),
        end_sessions=EndFederatedSessions(new_unit, client, clock),
    )
