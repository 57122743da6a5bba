"""PATCH of SCIM in the dialects of identity providers."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.identity.provisioning_attributes import GROUP, USER, InvalidValue, ReadOnlyAttribute, Tree, canonical
from domain.identity.provisioning_patch import InvalidPath, NoTarget, Operation, patched
from domain.shared.errors import InvalidInput

ADA: Tree = {
    "id": "u1",
    "userName": "ada",
    "displayName": "Ada",
    "name": {"givenName": "Ada", "familyName": "Lovelace"},
    "active": True,
    "emails": [{"value": "ada@example.org", "type": "work", "primary": True}, {"value": "ada@home.example", "type": "home"}],
    "roles": [{"value": "LEARNER"}],
}
CLASS: Tree = {"id": "c1", "displayName": "7b", "members": [{"value": "a", "type": "User"}, {"value": "b", "type": "User"}]}


def after(op: str, path: str = "", value: Any = None, tree: Tree = ADA, among: Any = USER) -> Tree:
    return patched(tree, [Operation(op, path, value)], among)


def members(tree: Tree) -> list[str]:
    return [each["value"] for each in tree.get("members", [])]


def test_entra_id_deactivates_by_a_text_and_in_upper_case() -> None:
    assert after("Replace", "active", "False")["active"] is False
    assert after("Add", "", {"active": "True", "name.givenName": "Augusta"})["name"]["givenName"] == "Augusta"


def test_okta_replaces_without_a_path() -> None:
    changed = after("replace", "", {"active": False, "displayName": "A. L."})
    assert (changed["active"], changed["displayName"]) == (False, "A. L.")


def test_a_part_of_a_complex_attribute_changes_alone() -> None:
    assert after("replace", "name.givenName", "Augusta")["name"] == {"familyName": "Lovelace", "givenName": "Augusta"}
    assert after("add", "name", {"middleName": "King"})["name"]["familyName"] == "Lovelace"
    assert after("remove", "name.givenName")["name"] == {"familyName": "Lovelace"}


def test_a_filter_chooses_the_entry() -> None:
    changed = after("replace", 'emails[type eq "home"].value', "new@home.example")
    assert [each["value"] for each in changed["emails"]] == ["ada@example.org", "new@home.example"]
    assert [each["type"] for each in after("remove", 'emails[type eq "work"]')["emails"]] == ["home"]
    assert "primary" not in after("remove", 'emails[type eq "work"].primary')["emails"][0]


def test_an_entry_that_the_path_describes_is_made() -> None:
    changed = after("Add", 'emails[type eq "other"].value', "ada@club.example")
    assert changed["emails"][-1] == {"type": "other", "value": "ada@club.example"}
    changed = after("Replace", 'roles[primary eq "True"].value', "TEACHER")
    assert changed["roles"][-1] == {"primary": True, "value": "TEACHER"}
    again = after("Replace", 'roles[primary eq "True"].value', "AUTHOR", changed)
    assert [each["value"] for each in again["roles"]] == ["LEARNER", "AUTHOR"]


def test_one_entry_is_primary() -> None:
    changed = after("add", "emails", [{"value": "x@y.example", "primary": True}])
    assert [each.get("primary", False) for each in changed["emails"]] == [False, False, True]


def test_members_are_added_once_and_removed_in_either_dialect() -> None:
    def group(op: str, path: str = "", value: Any = None) -> list[str]:
        return members(after(op, path, value, CLASS, GROUP))

    assert group("add", "members", [{"value": "b"}, {"value": "c"}]) == ["a", "b", "c"]
    assert group("Add", "", {"members": [{"value": "c"}]}) == ["a", "b", "c"]
    assert group("remove", 'members[value eq "a"]') == ["b"]
    assert group("Remove", "members", [{"value": "a"}]) == ["b"]
    assert group("remove", "members") == []
    assert group("replace", "members", [{"value": "z"}]) == ["z"]
    assert group("replace", "members", []) == []


def test_what_is_not_kept_is_passed_over() -> None:
    for path in (
        "title",
        'addresses[type eq "work"].locality',
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
    ):
        assert after("Add", path, "x") == ADA


@pytest.mark.parametrize(
    ("op", "path", "value", "error"),
    [
        ("move", "active", True, InvalidValue),
        ("remove", "", None, NoTarget),
        ("add", "", "x", InvalidValue),
        ("replace", "id", "x", ReadOnlyAttribute),
        ("add", "groups", [{"value": "x"}], ReadOnlyAttribute),
        ("replace", "meta.created", "x", ReadOnlyAttribute),
        ("replace", "unknown", "x", InvalidPath),
        ("replace", "name.unknown", "x", InvalidPath),
        ("replace", "emails[", "x", InvalidPath),
        ("replace", "emails[type eq", "x", InvalidPath),
        ("replace", 'emails[type eq "x"].unknown', "x", InvalidPath),
        ("replace", 'userName[value eq "x"]', "x", InvalidPath),
        ("replace", "userName or active", "x", InvalidPath),
        ("replace", "x" * 2_000, "x", InvalidPath),
        ("replace", 'emails[type co "x"].value', "x", NoTarget),
        ("replace", "active", "perhaps", InvalidValue),
        ("replace", "userName", 7, InvalidValue),
        ("replace", "userName", None, InvalidValue),
        ("remove", "userName", None, InvalidValue),
        ("remove", "active", None, InvalidValue),
        ("replace", "displayName", "a\nb", InvalidValue),
        ("replace", "displayName", "x" * 300, InvalidValue),
        ("add", "emails", [{"value": f"{at}@x.example"} for at in range(30)], InvalidValue),
        ("replace", "name", "Ada", InvalidValue),
    ],
)
def test_refusals_say_of_which_kind_they_are(op: str, path: str, value: Any, error: type[InvalidInput]) -> None:
    with pytest.raises(error):
        after(op, path, value)


def test_all_operations_are_done_or_none() -> None:
    before = {**ADA}
    with pytest.raises(InvalidPath):
        patched(before, [Operation("replace", "displayName", "x"), Operation("add", "no", 1)], USER)
    assert before == ADA
    with pytest.raises(InvalidValue):
        patched(ADA, [], USER)
    with pytest.raises(InvalidValue):
        patched(ADA, [Operation("replace", "displayName", "x")] * 101, USER)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["value", "type", "primary", "emails", "x"]), inner)
    ),
    max_leaves=8,
)
paths = st.sampled_from(
    [
        "",
        "active",
        "emails",
        "emails.value",
        'emails[type eq "work"]',
        'emails[type eq "new"].value',
        "name",
        "name.givenName",
        "roles",
    ]
)


@given(st.sampled_from(["add", "replace", "remove"]), paths, json_values)
def test_whatever_is_written_the_tree_stays_one_that_can_be_kept(op: str, path: str, value: Any) -> None:
    try:
        changed = after(op, path, value)
    except InvalidInput:
        return
    writable = {name: kept for name, kept in changed.items() if name != "id"}
    assert canonical(changed, USER) == writable
    assert after("replace", "displayName", changed.get("displayName") or "x", changed)["userName"] == "ada"
