from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.identity.model import (
    LastAdministrator,
    OperatorRoleReserved,
    User,
    UserAlreadyDeactivated,
    UserChanges,
    UserDraft,
    check_administrator_remains,
    check_operator_change,
    checked_name,
    checked_organization_id,
    checked_roles,
    normalised_email,
    users_from,
)
from domain.shared.caller import Role
from domain.shared.errors import InvalidInput

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LEARNER = frozenset({Role.LEARNER})
ADA = User("ada", "Ada", "ada@example.org", LEARNER, NOW)


def draft(user_id: str, email: str | None = None, at: int = 0) -> UserDraft:
    return UserDraft(user_id, "", email, LEARNER, f"requests[{at}]")


@pytest.mark.parametrize("good", ["a", "north", "n-0", "a" * 63])
def test_an_organization_id_is_short_and_plain(good: str) -> None:
    assert checked_organization_id(good, "organization_id") == good


@pytest.mark.parametrize("bad", ["", "-", "North", "0north", "a" * 64, "nörd", "a_b", "a.b", "a\n", "a b"])
def test_any_other_organization_id_is_refused(bad: str) -> None:
    with pytest.raises(InvalidInput, match="organization_id"):
        checked_organization_id(bad, "organization_id")


@pytest.mark.parametrize(
    ("given_address", "normal"),
    [("ada@example.org", "ada@example.org"), (" Ada.L+x@EXAMPLE.Org ", "ada.l+x@example.org"), ("a@b.co", "a@b.co")],
)
def test_an_address_is_normalised(given_address: str, normal: str) -> None:
    assert normalised_email(given_address, "email") == normal


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "ada",
        "@b.co",
        "ada@",
        "ada@b",
        "a@b..co",
        ".a@b.co",
        "a.@b.co",
        "a..b@c.de",
        "a@-b.co",
        "a b@c.de",
        "a@b.co\0",
        "a@b@c.de",
        "ä@b.co",
        "x" * 65 + "@b.co",
        "a@" + "b." * 130 + "co",
        "a@b.co\nbcc: c@d.ef",
    ],
)
def test_what_is_no_address_is_refused(bad: str) -> None:
    with pytest.raises(InvalidInput, match="e-mail"):
        normalised_email(bad, "user.email")


@given(st.emails(domains=st.sampled_from(["example.org", "a.b.example"])))
def test_normalising_twice_changes_nothing(address: str) -> None:
    try:
        once = normalised_email(address, "email")
    except InvalidInput:
        return
    assert normalised_email(once, "email") == once == once.lower()


def test_a_name_loses_the_blanks_around_it() -> None:
    assert checked_name("  Ada \t", "display_name", required=True) == "Ada"
    assert checked_name("", "display_name", required=False) == ""


@pytest.mark.parametrize("bad", [" ", "x" * 201, "a\0b", "a\nb", "a\x1bb", "a\u2028b"])
def test_a_bad_name_is_refused(bad: str) -> None:
    with pytest.raises(InvalidInput, match="display_name"):
        checked_name(bad, "display_name", required=True)


@pytest.mark.parametrize("bad", [frozenset(), frozenset({Role.SERVICE}), frozenset({Role.SERVICE, Role.ADMIN})])
def test_a_user_holds_roles_of_people(bad: frozenset[Role]) -> None:
    with pytest.raises(InvalidInput, match=r"user\.roles"):
        checked_roles(bad, "user.roles")


def test_a_batch_names_every_fault_at_once() -> None:
    with pytest.raises(InvalidInput) as refusal:
        users_from(
            (draft("ada", "a@b.co", 0), draft("bad id", None, 1), draft("ada", "A@b.co", 2), draft("bob", "nothing", 3)), NOW
        )
    assert [each.field for each in refusal.value.violations] == [
        "requests[1].user_id",
        "requests[2].user_id",
        "requests[2].user.email",
        "requests[3].user.email",
    ]


def test_only_the_named_fields_change() -> None:
    changes = UserChanges(frozenset({"email"}), "ignored", "new@example.org", frozenset({Role.ADMIN}))
    changed = changes.applied_to(ADA)
    assert (changed.display_name, changed.email, changed.roles) == ("Ada", "new@example.org", LEARNER)


def test_an_address_can_be_taken_away() -> None:
    assert UserChanges(frozenset({"email"})).applied_to(ADA).email is None


def test_a_deactivated_user_stays_as_it_is() -> None:
    gone = ADA.deactivate(NOW)
    assert not gone.active
    with pytest.raises(UserAlreadyDeactivated):
        gone.deactivate(NOW)


roles = st.frozensets(st.sampled_from([role for role in Role if role is not Role.SERVICE]))


@given(roles, roles, roles)
def test_operators_are_made_and_unmade_by_operators_only(
    by: frozenset[Role], before: frozenset[Role], after: frozenset[Role]
) -> None:
    changes = (Role.OPERATOR in before) != (Role.OPERATOR in after)
    try:
        check_operator_change(by, before, after)
    except OperatorRoleReserved:
        assert changes
        assert Role.OPERATOR not in by
    else:
        assert not changes or Role.OPERATOR in by


def test_the_last_administrator_stays() -> None:
    check_administrator_remains(frozenset({"ada", "bob"}), "ada")
    check_administrator_remains(frozenset({"ada"}), "bob")
    with pytest.raises(LastAdministrator):
        check_administrator_remains(frozenset({"ada"}), "ada")
