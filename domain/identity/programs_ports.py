"""What programs need from outside."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from domain.identity.programs import Assertion, Program, ProgramToken
from domain.identity.sessions import SigningKey
from domain.shared.page import Page, PageRequest


class ProgramRepository(Protocol):
    """Programs of the unit's organization."""

    async def add(self, program: Program) -> None:
        """Raises ProgramAlreadyExists."""

    async def get(self, program_id: str) -> Program:
        """Keeps others from changing it until the unit ends. Raises ProgramNotFound."""
        ...

    async def find(self, program_id: str) -> Program | None:
        """As it stands, keeping nobody from anything."""
        ...

    async def save(self, program: Program) -> None:
        """With its credentials: one that it has no more is forgotten."""

    async def page(self, request: PageRequest) -> Page[Program]:
        """Ordered by id; the cursor is `(id,)`."""
        ...

    async def spend_assertion(self, program_id: str, digest: bytes, until: datetime, now: datetime) -> bool:
        """False if it was spent before; of two at once one waits and is told so. Also drops some that are past `until` by now."""
        ...

    async def revoke_token(self, token_id: str, until: datetime, now: datetime) -> bool:
        """False if it was revoked before. Also drops some that are past `until` by now."""
        ...

    async def is_token_revoked(self, token_id: str) -> bool: ...


class TokenReader(Protocol):
    """Reads the access tokens that we signed."""

    def read(self, token: str, keys: Sequence[SigningKey]) -> ProgramToken | None:
        """None unless one of the keys signed it, in our name, for a program. It may have expired."""
        ...


class ClientKeys(Protocol):
    """Reads public keys, and what was signed with them."""

    def checked(self, public_key: str) -> str:
        """Returns a JSON Web Key with its public part only. Raises InvalidInput unless it is a key that signatures are taken from."""
        ...

    def client_of(self, assertion: str) -> str:
        """Whom an assertion claims to be from, proving nothing. Raises ClientRefused if it is malformed."""
        ...

    def verified(self, assertion: str, public_keys: Sequence[str]) -> tuple[int, Assertion]:
        """Returns which of the keys signed it, and what it says. Raises ClientRefused."""
        ...
