"""The key that signs heads is exchanged: what was signed before stays good, and only that."""

import base64
import hmac
from pathlib import Path

import pytest

from adapters.audit.ed25519 import Ed25519HeadSigner
from adapters.audit.memory import MemoryAuditStore
from domain.audit.model import FaultKind
from domain.audit.use_cases.record_acts import RecordActs
from domain.audit.use_cases.verify_acts import VerifyActs
from stack.audit_key import rotate_audit_key
from stack.secret_files import SecretFiles
from tests.unit.audit.chains import ADMIN, NOW, act


def signer_in(files: SecretFiles) -> Ed25519HeadSigner:
    """With the keys that an audit process finds at its start."""
    earlier = files.path("audit_public_keys_previous")
    return Ed25519HeadSigner(
        base64.b64decode(files.path("audit_key").read_text()), earlier.read_text().split() if earlier.exists() else ()
    )


async def test_a_chain_is_whole_across_two_rotations_and_a_kept_head_of_the_first_key_still_counts(tmp_path: Path) -> None:
    files, store = SecretFiles(tmp_path), MemoryAuditStore()
    files.key("audit_key")
    public: list[str] = []
    for number in range(3):
        if number:
            assert rotate_audit_key(files) == signer_in(files).public_keys[0]
        signer = signer_in(files)
        public.append(signer.public_keys[0])
        await RecordActs(store.unit, signer, lambda: NOW)("north", [act(2 * number), act(2 * number + 1)])
    heads = store.states["north"].heads
    assert list(signer.public_keys) == public[::-1]
    assert [signer.key_of(each.signature) for each in heads] == public
    verdict = await VerifyActs(store.unit, signer)(ADMIN, known_head=heads[0].signature)
    assert (verdict.acts, verdict.heads, verdict.done, verdict.faults) == (6, 3, True, ())

    forgetful = Ed25519HeadSigner(base64.b64decode(files.path("audit_key").read_text()), public[1:2])
    verdict = await VerifyActs(store.unit, forgetful)(ADMIN)
    assert [(each.kind, each.sequence) for each in verdict.faults] == [(FaultKind.FORGED_HEAD, 2)]

    store.states["north"].links[1:] = []
    store.states["north"].heads[1:] = []
    verdict = await VerifyActs(store.unit, signer)(ADMIN, known_head=heads[0].signature)
    assert [each.kind for each in verdict.faults if each.sequence == 2] == [FaultKind.CUT_OFF, FaultKind.CUT_OFF]


def test_the_private_key_before_is_gone_and_files_are_for_their_owner_only(tmp_path: Path) -> None:
    files = SecretFiles(tmp_path)
    before = files.key("audit_key")
    rotate_audit_key(files)
    assert all(before not in each.read_text() for each in tmp_path.iterdir())
    assert {each.stat().st_mode & 0o777 for each in tmp_path.iterdir()} == {0o600}


def test_a_key_that_followed_from_the_meshs_is_kept_too(tmp_path: Path) -> None:
    files = SecretFiles(tmp_path)
    derived = Ed25519HeadSigner(hmac.digest(files.key("mesh_key").encode(), b"audit heads", "sha256"))
    rotate_audit_key(files)
    assert list(signer_in(files).public_keys[1:]) == list(derived.public_keys)


@pytest.mark.parametrize("wrong", ["", "short", "?" * 43, "A" * 44])
def test_an_earlier_key_that_is_none_stops_the_start(wrong: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # the container says which secret
        Ed25519HeadSigner(bytes(32), (wrong,))
