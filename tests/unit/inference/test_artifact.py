"""Artifacts hold what they were made from, and a stranger's can do no harm."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.inference.artifact import LARGEST, Artifact, digest_of
from domain.inference.history import Answered
from domain.inference.model import RegisteredModel
from domain.inference.response_model import Candidate
from domain.inference.trained import TrainedModel, Unseen, version_of
from domain.shared.errors import InvalidInput
from tests.unit.inference.making import KINDS, NOW, answered, artifact, model

HISTORY: list[Answered] = [answered("easy"), answered("hard", False), answered("both", True, "adding", "halving")]
CANDIDATES = [Candidate("easy"), Candidate("hard"), Candidate("new", ("halving",))]


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_comes_back_to_the_last_digit(kind: str) -> None:
    found = TrainedModel.unpacked(artifact(kind))
    assert found.model.kind == kind
    assert found.unseen == Unseen(1, 0.2)
    assert found.evaluation == {"quality": {"auc": 0.75, "answers": 30}}
    assert found.model.predict([HISTORY], CANDIDATES, None).tolist() == model(kind).predict([HISTORY], CANDIDATES, None).tolist()
    assert found.packed() == artifact(kind), "the same model has the same bytes"
    assert version_of(kind, artifact(kind)).startswith(f"{kind}-")


def changed(kind: str, header: dict[str, Any] | None = None, **tensors: Any) -> bytes:
    """The artifact with other values."""
    held = Artifact.unpacked(artifact(kind))
    return Artifact(
        held.header | (header or {}), held.tensors | {name: np.array(each) for name, each in tensors.items()}
    ).packed()


@pytest.mark.parametrize(
    ("bytes_of", "says"),
    [
        (lambda: b"", "does not begin"),
        (lambda: b"\x80\x04pickle me", "does not begin"),
        (lambda: artifact()[:-5], "as many numbers"),
        (lambda: artifact()[:40], "cut off"),
        (lambda: artifact() + b"more", "as many numbers"),
        (lambda: artifact()[:-30] + b"\0" * 30, "artifact"),
        (lambda: artifact() + bytes(LARGEST), "at most"),
        (lambda: b"PAIDEIA1\x02\0\0\0[]", "object"),
        (lambda: b"PAIDEIA1\x05\0\0\0{'a'}", "JSON"),
        (lambda: b'PAIDEIA1\x0b\0\0\0{"a": NaN  }'[:23], "JSON"),
        (lambda: changed("logistic", {"format": "response-model-99"}), "format"),
        (lambda: changed("logistic", {"kind": "oracle"}), "kinds"),
        (lambda: changed("logistic", {"features": ["luck"]}), "other features"),
        (lambda: changed("logistic", {"items": ["easy", "easy", "both"]}), "each once"),
        (lambda: changed("logistic", {"items": ["easy", "", "both"]}), "characters"),
        (lambda: changed("logistic", {"unseen": {"seed": 1, "share": 7}}), "share"),
        (lambda: changed("logistic", scale=np.zeros(22)), "scales"),
        (lambda: changed("logistic", weights=np.zeros(3)), "weights"),
        (lambda: changed("logistic", weights=np.full(22, np.nan)), "finite"),
        (lambda: changed("logistic", table_items=[[1, 5]] * 3), "counts"),
        (lambda: changed("logistic", table_evidence=np.full((3, 5), 1e12)), "evidence"),
        (lambda: changed("logistic", table_evidence=[[1.0, 50.0, 1.0, 0.0, 0.0]] * 3), "evidence"),
        (lambda: changed("logistic", table_item_skill=[0, 0, 0, 9]), "skill"),
        (lambda: changed("logistic", table_items=[[10.0, 9.5]] * 3), "whole numbers in table_items"),
        (lambda: changed("logistic", table_item_skill_start=[0.0, 1.0, 2.0, 4.0]), "whole numbers in table_item_skill_start"),
        (lambda: changed("boosting", roots=[0.0, 3.5]), "whole numbers in roots"),
        (lambda: changed("boosting", left=[0, 0, 0, 4, 0, 0]), "later node"),
        (lambda: changed("boosting", feature=[99, -1, -1, 9, -1, -1]), "feature"),
        (lambda: changed("boosting", roots=[0, 77]), "begins outside"),
        (lambda: changed("dkt", output=np.ones(99)), "output"),
        (lambda: changed("dkt", bias=np.full(16, 1e300)), "weights"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_is_no_model_is_refused_by_its_name(bytes_of: Any, says: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        TrainedModel.unpacked(bytes_of())
    assert refusal.value.violations[0].field == "artifact"
    assert says in refusal.value.message


@given(st.data(), st.sampled_from(KINDS))
@settings(max_examples=60)
def test_damaged_bytes_are_a_refusal_or_a_model_that_predicts_inside_0_and_1(data: st.DataObject, kind: str) -> None:
    bytes_of = bytearray(artifact(kind))
    for _ in range(data.draw(st.integers(1, 4))):
        bytes_of[data.draw(st.integers(0, len(bytes_of) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = TrainedModel.unpacked(bytes(bytes_of))
    except InvalidInput:
        return
    assert (((told := found.model.predict([HISTORY], CANDIDATES, 0.0)) > 0) & (told < 1)).all()


def test_an_artifact_that_inflates_to_more_than_it_says_is_not_inflated() -> None:
    import zlib

    header = b'{"tensors":{"a":{"type":"f8","shape":[1]}}}'
    bomb = b"PAIDEIA1" + len(header).to_bytes(4, "little") + header + zlib.compress(bytes(50_000_000), 9)
    with pytest.raises(InvalidInput, match="as many numbers"):
        Artifact.unpacked(bomb)


def test_what_arrives_must_be_what_was_sent() -> None:
    with pytest.raises(InvalidInput) as refusal:
        RegisteredModel.of("next", artifact(), "0" * 64, "", NOW)
    assert refusal.value.violations[0].field == "digest"


def header_of(text: bytes, tensors: bytes = b"") -> bytes:
    return b"PAIDEIA1" + len(text).to_bytes(4, "little") + text + tensors


@pytest.mark.parametrize(
    "evaluation", [b'{"auc":1e999}', rb'{"auc":"\u0000"}', rb'{"auc":"\ud800"}', b'{"auc":"' + b"x" * 100_000 + b'"}']
)
def test_an_evaluation_that_no_database_holds_is_refused(evaluation: bytes) -> None:
    whole = changed("logistic", {"evaluation": {"put": "here"}})
    end = 12 + int.from_bytes(whole[8:12], "little")
    told = header_of(whole[12:end].replace(b'{"put":"here"}', evaluation), whole[end:])
    with pytest.raises(InvalidInput, match="finite numbers"):
        RegisteredModel.of("next", told, digest_of(told), "", NOW)


def test_an_array_without_numbers_but_larger_than_any_is_refused() -> None:
    import zlib

    text = b'{"tensors":{"a":{"type":"f8","shape":[67108864,67108864,0]}}}'
    told = header_of(text, zlib.compress(b""))
    with pytest.raises(InvalidInput):
        RegisteredModel.of("next", told, digest_of(told), "", NOW)
