"""Chains for tests: acts, a signer, and a log in memory with some acts in it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from adapters.audit.ed25519 import Ed25519HeadSigner
from adapters.audit.memory import MemoryAuditStore
from domain.audit.model import Act, Outcome
from domain.audit.use_cases.record_acts import RecordActs
from domain.audit.use_cases.verify_acts import Verdict, VerifyActs
from domain.shared.caller import Caller, Role

NOW = datetime(2026, 6, 12, 8, 30, 0, 250_000, tzinfo=UTC)
KEY = bytes(range(32))
SIGNER = Ed25519HeadSigner(KEY)
ADMIN = Caller("north", "ann", frozenset({Role.ADMIN}))
OPERATOR = Caller("north", "olga", frozenset({Role.OPERATOR}))


def act(number: int, **fields: object) -> Act:
    values = {
        "event_id": str(UUID(int=number + 1)),
        "occurred_at": NOW + timedelta(seconds=number),
        "actor": "users/ann",
        "act": "identity.UpdateUser",
        "target": f"users/u{number}",
    }
    return Act(**(values | fields))  # type: ignore[arg-type]


def stranger(number: int, **fields: object) -> Act:
    return act(number, **({"actor": "claims/0a1b", "act": "identity.SignIn", "target": "", "outcome": Outcome.REFUSED} | fields))


async def recorded(store: MemoryAuditStore, batches: Sequence[Sequence[Act]], organization: str = "north") -> None:
    record = RecordActs(store.unit, SIGNER, lambda: NOW)
    for batch in batches:
        await record(organization, batch)


async def verified(store: MemoryAuditStore, known_head: str = "", at_once: int = 3, caller: Caller = ADMIN) -> list[Verdict]:
    """The verdicts on all parts of the caller's chain, in small parts."""
    verify = VerifyActs(store.unit, SIGNER, at_once)
    verdicts = [await verify(caller, known_head=known_head)]
    while not verdicts[-1].done:
        verdicts.append(await verify(caller, verdicts[-1].last, known_head))
    return verdicts
