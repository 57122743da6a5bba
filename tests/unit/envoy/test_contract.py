"""Reading the contract: REST paths, parameters, comments, faults."""

import re
from pathlib import Path

import pytest
from edge.contract import Contract, ContractFault, Http, Variable, read_contract
from google.protobuf import descriptor_pb2
from hypothesis import given
from hypothesis import strategies as st

DESCRIPTORS = Path(__file__).resolve().parents[3] / "gen" / "paideia.binpb"
CONTRACT = read_contract(DESCRIPTORS)
ID = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,20}", fullmatch=True)
REST = [rpc for rpc in CONTRACT.edge_rpcs if rpc.http]


def spelled(http: Http, ids: list[str]) -> str:
    """A path of the template with the ids in the places of its stars."""
    path = re.sub(r"\{[a-z0-9_.]+(?:=([^}]+))?\}", lambda match: match[1] or "*", http.template)
    parts = iter(ids)
    return re.sub(r"\*", lambda _: next(parts), path)


@given(st.sampled_from(REST), st.lists(ID, min_size=3, max_size=3))
def test_a_path_of_a_template_matches_it_and_no_other_of_its_method(rpc: object, ids: list[str]) -> None:
    http = rpc.http  # type: ignore[attr-defined]
    path = spelled(http, ids)
    matching = [each.name for each in REST if each.http.method == http.method and re.fullmatch(each.http.regex, path)]  # type: ignore[union-attr]
    assert matching == [rpc.name]  # type: ignore[attr-defined]


@given(st.sampled_from(REST), st.lists(st.sampled_from(["a/b", "", "a:b", "a:publish", "/"]), min_size=3, max_size=3))
def test_an_id_holds_neither_a_slash_nor_a_colon(rpc: object, ids: list[str]) -> None:
    http = rpc.http  # type: ignore[attr-defined]
    if http.variables:
        assert not re.fullmatch(http.regex, spelled(http, ids))


@pytest.mark.parametrize(
    ("field", "pattern", "names"),
    [
        ("name", "courses/*", ("course",)),
        ("name", "learners/*/items/*", ("learner", "item")),
        ("x", "categories/*", ("category",)),
        ("skill.id", "*", ("id",)),
    ],
)
def test_a_parameter_is_named_after_its_collection(field: str, pattern: str, names: tuple[str, ...]) -> None:
    assert Variable(field, pattern).parameters == names


def test_every_rpc_message_and_field_that_the_outside_sees_has_its_comment() -> None:
    named = [f"{rpc.service}.{rpc.name}" for rpc in CONTRACT.edge_rpcs]
    for name, message in CONTRACT.messages.items():
        if name.startswith("paideia.") and not message.options.map_entry:
            named += [name, *(f"{name}.{field.name}" for field in message.field)]
    assert [name for name in named if not CONTRACT.comments.get(name)] == []


def test_a_comment_of_several_lines_is_one_paragraph() -> None:
    assert "\n" not in CONTRACT.comments["paideia.identity.v1.IdentityService.SignIn"]


def test_details_of_refusals_are_known_to_the_transcoder() -> None:
    assert "google.rpc.BadRequest" in CONTRACT.messages
    assert len({file.name for file in CONTRACT.files.file}) == len(CONTRACT.files.file)


def changed(tmp_path: Path, rpc: str, change: object) -> Contract:
    files = descriptor_pb2.FileDescriptorSet.FromString(DESCRIPTORS.read_bytes())
    for file in files.file:
        for service in file.service:
            for method in service.method:
                if method.name == rpc:
                    change(method.options)  # type: ignore[operator]
    path = tmp_path / "changed.binpb"
    path.write_bytes(files.SerializeToString())
    return read_contract(path)


def test_an_rpc_without_a_rule_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ContractFault, match="GetMe has no authorization rule"):
        changed(tmp_path, "GetMe", lambda options: options.Clear())


def test_an_rpc_for_people_without_a_path_is_a_fault(tmp_path: Path) -> None:
    from google.api import annotations_pb2

    with pytest.raises(ContractFault, match=r"GetMe .* no google.api.http"):
        changed(tmp_path, "GetMe", lambda options: options.ClearExtension(annotations_pb2.http))


def test_an_rpc_for_contexts_with_a_path_is_a_fault(tmp_path: Path) -> None:
    from google.api import annotations_pb2

    def expose(options: descriptor_pb2.MethodOptions) -> None:
        options.Extensions[annotations_pb2.http].get = "/v1/secret"

    with pytest.raises(ContractFault, match="GetPublication is for other contexts"):
        changed(tmp_path, "GetPublication", expose)
