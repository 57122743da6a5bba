from dataclasses import dataclass

from domain.identity.ports import NewSecret
from domain.identity.programs import ClientId, Credential, CredentialKind
from domain.identity.programs_ports import ClientKeys
from domain.shared.clock import Clock
from domain.shared.ids import NewId

_PREFIX = "pdia_"
"""What a secret begins with, so that a scanner of repositories knows one when it sees it."""


@dataclass(frozen=True, slots=True)
class NewCredential:
    """A program's next credential: the public key it brings, or else a secret, which is returned with it and kept by nobody."""

    keys: ClientKeys
    new_id: NewId
    new_secret: NewSecret
    clock: Clock

    def __call__(self, client: ClientId, public_key: str) -> tuple[Credential, str]:
        now = self.clock()
        if public_key:
            key = self.keys.checked(public_key)
            return Credential(self.new_id(), CredentialKind.PUBLIC_KEY, now, public_key=key), ""
        secret = _PREFIX + self.new_secret()
        return Credential(self.new_id(), CredentialKind.SECRET, now, digest=client.digest(secret)), secret
