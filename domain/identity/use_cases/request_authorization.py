import base64
from dataclasses import dataclass

from domain.identity.credential_ports import Vault
from domain.identity.federated_sign_in import AuthorizationRequest, FederationToken


@dataclass(frozen=True, slots=True)
class RequestAuthorization:
    """The secrets of a flow, made anew from its state on the way out and on the way back, so that none of them is kept anywhere.

    The state is no secret to the browser; the nonce and the verifier are 256 bits that need the vault's key.
    """

    vault: Vault
    redirect_uri: str

    def __call__(self, state: FederationToken, *, fresh: bool) -> AuthorizationRequest:
        nonce = self._derived(state, "federation nonce")
        verifier = self._derived(state, "federation code verifier")
        return AuthorizationRequest(str(state), nonce, verifier, self.redirect_uri, fresh)

    def _derived(self, state: FederationToken, use: str) -> str:
        return base64.urlsafe_b64encode(self.vault.fingerprint(str(state), use)).rstrip(b"=").decode()
