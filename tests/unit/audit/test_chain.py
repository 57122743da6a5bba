"""The law of the audit log: whatever is done to it afterwards is found."""

import asyncio
import dataclasses
import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.audit.ed25519 import Ed25519HeadSigner
from adapters.audit.memory import MemoryAuditStore, MemoryChain, MemoryState
from domain.audit.model import PLATFORM, Fault, FaultKind, Head, Link, Outcome, SignedEnd, chained
from domain.audit.use_cases.verify_acts import VerifyActs
from domain.shared.errors import Forbidden, InvalidInput
from tests.unit.audit.chains import ADMIN, NOW, OPERATOR, SIGNER, act, recorded, stranger, verified

SIZES = st.lists(st.integers(1, 4), min_size=1, max_size=5)


async def chain_of(sizes: list[int]) -> tuple[MemoryAuditStore, MemoryState, str]:
    """A log with batches of these sizes, its state, and the signature that somebody kept of its end."""
    store = MemoryAuditStore()
    numbers = iter(range(100))
    await recorded(store, [[act(next(numbers)) for _ in range(size)] for size in sizes])
    state = store.states["north"]
    return store, state, state.heads[-1].signature


def faults(store: MemoryAuditStore, known_head: str = "") -> list[Fault]:
    return [fault for verdict in asyncio.run(verified(store, known_head)) for fault in verdict.faults]


@given(SIZES, st.integers(1, 6))
def test_a_chain_that_nobody_touched_is_whole(sizes: list[int], at_once: int) -> None:
    async def check() -> None:
        store, state, kept = await chain_of(sizes)
        verdicts = await verified(store, kept, at_once)
        assert [each.faults for each in verdicts] == [()] * len(verdicts)
        assert sum(each.acts for each in verdicts) == len(state.links) == sum(sizes)
        assert sum(each.heads for each in verdicts) == len(state.heads) == len(sizes)

    asyncio.run(check())


def _changed(link: Link, field: str) -> Link:
    given = link.act
    acts = {
        "occurred_at": dataclasses.replace(given, occurred_at=given.occurred_at.replace(microsecond=1)),
        "actor": dataclasses.replace(given, actor="users/mallory"),
        "act": dataclasses.replace(given, act="identity.GetMe"),
        "target": dataclasses.replace(given, target=given.target + "0"),
        "outcome": dataclasses.replace(given, outcome=Outcome.REFUSED),
        "reason": dataclasses.replace(given, reason="X"),
        "address": dataclasses.replace(given, address="192.0.2.0/24"),
        "trace_id": dataclasses.replace(given, trace_id="0" * 32),
        "count": dataclasses.replace(given, count=2),
        "event_id": dataclasses.replace(given, event_id=given.event_id[::-1]),
    }
    if field in acts:
        return dataclasses.replace(link, act=acts[field])
    others = {"organization": "south", "recorded_at": NOW.replace(microsecond=7), "previous": bytes(31) + b"x", "hash": b"y" * 32}
    return dataclasses.replace(link, **{field: others[field]})


FIELDS = [
    "occurred_at",
    "actor",
    "act",
    "target",
    "outcome",
    "reason",
    "address",
    "trace_id",
    "count",
    "event_id",
    "organization",
    "recorded_at",
    "previous",
    "hash",
]


@given(SIZES, st.data())
@settings(max_examples=200)
def test_any_single_mutation_of_the_chain_is_found(sizes: list[int], data: st.DataObject) -> None:
    store, state, kept = asyncio.run(chain_of(sizes))
    at = data.draw(st.integers(0, len(state.links) - 1))
    kind = data.draw(st.sampled_from(["change", "rehash", "remove", "swap", "repeat", "cut off", "cut off with heads", "head"]))
    link = state.links[at]
    if kind == "change":
        state.links[at] = _changed(link, data.draw(st.sampled_from(FIELDS)))
    elif kind == "rehash":  # by somebody who can compute
        changed = _changed(link, data.draw(st.sampled_from(FIELDS[:-2])))
        state.links[at] = dataclasses.replace(changed, hash=changed.computed_hash())
    elif kind == "remove":
        del state.links[at]
    elif kind == "swap":
        other = data.draw(st.integers(0, len(state.links) - 1).filter(lambda each: each != at)) if len(state.links) > 1 else at
        first, second = state.links[at], state.links[other]
        state.links[at] = dataclasses.replace(second, sequence=first.sequence)
        state.links[other] = dataclasses.replace(first, sequence=second.sequence)
        if at == other:
            return
    elif kind == "repeat":
        again = dataclasses.replace(link, sequence=len(state.links) + 1, previous=state.links[-1].hash)
        state.links.append(dataclasses.replace(again, hash=again.computed_hash()))
    elif kind == "cut off":
        del state.links[at:]
    elif kind == "cut off with heads":
        del state.links[at:]
        state.heads = [each for each in state.heads if each.sequence <= at]
    else:
        head = state.heads[data.draw(st.integers(0, len(state.heads) - 1))]
        place = data.draw(st.integers(0, len(head.signature) - 20))
        letter = "A" if head.signature[place] != "A" else "B"
        forged = head.signature[:place] + letter + head.signature[place + 1 :]
        state.heads[state.heads.index(head)] = dataclasses.replace(head, signature=forged)
    assert faults(store, kept)


def test_a_chain_computed_anew_by_somebody_without_the_key_is_found() -> None:
    """Whoever owns the database can make a whole chain that fits together: no signature fits it."""
    store, state, kept = asyncio.run(chain_of([2, 3, 1]))
    links: list[Link] = []
    for link in state.links:
        target = "users/nobody" if link.sequence == 2 else link.act.target
        fresh = dataclasses.replace(link, act=dataclasses.replace(link.act, target=target))
        fresh = dataclasses.replace(fresh, previous=links[-1].hash if links else bytes(32))
        links.append(dataclasses.replace(fresh, hash=fresh.computed_hash()))
    state.links = links
    assert {fault.kind for fault in faults(store)} == {FaultKind.OTHER_ACT}
    state.heads = []
    assert {fault.kind for fault in faults(store)} == {FaultKind.UNSIGNED}
    assert {fault.kind for fault in faults(store, kept)} == {FaultKind.UNSIGNED, FaultKind.OTHER_ACT}


def test_a_hash_is_what_the_documentation_says() -> None:
    _, state, _ = asyncio.run(chain_of([2]))
    link = state.links[1]
    text = (
        '{"act":"identity.UpdateUser","actor":"users/ann","address":"","count":1,"event_id":"00000000-0000-0000-0000-000000000002",'
        f'"occurred_at":1781253001250000,"organization":"north","outcome":"SUCCEEDED","previous":"{state.links[0].hash.hex()}","reason":"",'
        '"recorded_at":1781253000250000,"sequence":2,"target":"users/u1","trace_id":"","version":1}'
    )
    assert json.loads(text)
    assert link.hash == hashlib.sha256(text.encode()).digest()


async def test_an_event_that_comes_again_is_recorded_once() -> None:
    store = MemoryAuditStore()
    await recorded(store, [[act(1), act(1)], [act(1), act(2)], [act(2)]])
    assert [each.act.event_id for each in store.states["north"].links] == [act(1).event_id, act(2).event_id]
    assert len(store.states["north"].heads) == 2


async def test_what_strangers_claim_of_an_organization_without_a_chain_is_the_platforms() -> None:
    store = MemoryAuditStore()
    await recorded(store, [[stranger(1)]], "made-up")
    assert not store.states["made-up"].links
    assert [each.act.act for each in store.states[PLATFORM].links] == ["identity.SignIn"]
    await recorded(store, [[act(2)], [stranger(3)]])
    assert [each.act.outcome for each in store.states["north"].links] == [Outcome.SUCCEEDED, Outcome.REFUSED]


async def test_the_chain_of_the_platform_is_for_operators() -> None:
    store = MemoryAuditStore()
    await recorded(store, [[stranger(1)]], PLATFORM)
    assert (await verified(store, caller=OPERATOR))[0].acts == 0
    verify = VerifyActs(store.unit, SIGNER)
    assert (await verify(OPERATOR, platform=True)).acts == 1
    with pytest.raises(Forbidden):
        await verify(ADMIN, platform=True)


async def test_a_head_of_another_chain_or_key_is_refused() -> None:
    store = MemoryAuditStore()
    await recorded(store, [[act(1)]])
    other = Ed25519HeadSigner(bytes(32))
    for signature in (
        SIGNER.sign(SignedEnd("south", 1, bytes(32)), NOW),
        other.sign(SignedEnd("north", 1, store.states["north"].links[0].hash), NOW),
        "no.such.thing",
        "",
    ):
        if signature:
            with pytest.raises(InvalidInput, match="known_head"):
                await verified(store, signature)
        assert other.read(signature) is None or SIGNER.read(signature) is None


async def test_an_act_that_was_put_at_the_end_is_not_vouched_for_by_the_next_signature() -> None:
    store = MemoryAuditStore()
    await recorded(store, [[act(1)]])
    state = store.states["north"]
    slipped = chained("north", state.links[-1], [act(2, actor="users/mallory")], NOW)
    state.links += slipped
    await recorded(store, [[act(3)], [act(4)]])
    assert len(store.states["north"].links) == 4, "what really happened is recorded all the same"
    (fault,) = [each for verdict in await verified(store) for each in verdict.faults]
    assert (fault.kind, fault.sequence) == (FaultKind.UNSIGNED, slipped[0].sequence)


async def test_after_the_end_was_cut_off_acts_are_recorded_and_the_loss_stays_known() -> None:
    store = MemoryAuditStore()
    await recorded(store, [[act(1)], [act(2)]])
    del store.states["north"].links[-1]
    await recorded(store, [[act(3)], [act(4)]])
    assert [each.act.event_id for each in store.states["north"].links] == [act(each).event_id for each in (1, 3, 4)]
    kinds = {each.kind for verdict in await verified(store) for each in verdict.faults}
    assert kinds == {FaultKind.OTHER_ACT, FaultKind.UNSIGNED}


async def test_a_part_of_a_chain_is_compared_with_its_own_heads_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryAuditStore()
    await recorded(store, [[act(number)] for number in range(7)])
    read: list[int] = []
    heads = MemoryChain.heads

    async def counted(self: MemoryChain, after: int, through: int | None) -> list[Head]:
        found = await heads(self, after, through)
        read.append(len(found))
        return found

    monkeypatch.setattr(MemoryChain, "heads", counted)
    await verified(store, at_once=3)
    assert read == [3, 3, 1]
