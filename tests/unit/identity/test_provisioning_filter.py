"""SCIM's filters: what they mean, and that no text makes them fail otherwise than by refusal."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.identity.provisioning_attributes import GROUP, USER, Tree
from domain.identity.provisioning_filter import DEEPEST, LONGEST_FILTER, MOST_CONDITIONS, InvalidFilter, parse_filter

ADA: Tree = {
    "id": "u1",
    "externalId": "Ext-1",
    "userName": "Ada@Example.org",
    "displayName": "Ada",
    "name": {"givenName": "Ada", "familyName": "Lovelace"},
    "active": True,
    "emails": [{"value": "ada@example.org", "type": "work", "primary": True}, {"value": "ada@home.example", "type": "home"}],
    "meta": {"resourceType": "User", "created": "2026-11-22T12:00:00.000Z", "lastModified": "2026-11-22T12:00:00.000Z"},
}


def holds(text: str, tree: Tree = ADA) -> bool:
    return parse_filter(text, USER).matches(tree)


@pytest.mark.parametrize(
    "text",
    [
        'userName eq "ada@example.org"',
        'USERNAME Eq "ADA@EXAMPLE.ORG"',
        'urn:ietf:params:scim:schemas:core:2.0:User:userName sw "ada"',
        'name.familyName co "LOVE"',
        'userName ew ".org"',
        "displayName pr",
        "emails pr",
        "name pr",
        "active eq true",
        'active eq "True"',
        "active ne false",
        'title eq null and not (title eq "x")',
        'externalId eq "Ext-1"',
        'emails eq "ada@home.example"',
        'emails.value co "home"',
        'emails[type eq "work" and primary eq true]',
        'emails[type eq "home" and value ew "example"]',
        'meta.created ge "2026-11-22T12:00:00Z"',
        'meta.lastModified lt "2026-11-22T13:00:00+00:30"',
        'userName gt "a" and userName lt "b"',
        'userName le "ada@example.org" and userName ge "ada@example.org"',
        'id eq "no" or id eq "u1" and active eq true',
        'not (id eq "no")',
        'not(not(id eq "u1"))',
        '((((id eq "u1"))))',
        'displayName ne "Bob"',
        'nickName ne "x"',
        'displayName eq "\\u0041da"',
        'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department ne "x"',
    ],
)
def test_a_filter_holds(text: str) -> None:
    assert holds(text)


@pytest.mark.parametrize(
    "text",
    [
        'userName eq "ada"',
        'externalId eq "ext-1"',
        'id eq "U1"',
        "active eq false",
        "externalId eq null",
        'emails[type eq "home" and primary eq true]',
        "nickName pr",
        'nickName eq "x"',
        'addresses[type eq "work"]',
        '(id eq "u1" or id eq "u2") and active eq false',
        'not (id eq "u1")',
        'meta.created gt "2026-11-22T12:00:00Z"',
        'userName ne "ADA@EXAMPLE.ORG"',
    ],
)
def test_a_filter_does_not_hold(text: str) -> None:
    assert not holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "userName",
        "userName eq",
        'userName is "x"',
        'userName eq "x" and',
        'userName eq "x" or or active eq true',
        '(userName eq "x"',
        'userName eq "x")',
        'userName eq "x',
        "userName eq x",
        'userName eq "\\x"',
        'userName eq "\\ud800"',
        'id eq "\\u0000"',
        "userName eq 7",
        'unknown eq "x"',
        'name.unknown eq "x"',
        'name eq "x"',
        "active gt true",
        'active eq "maybe" and active co "x"',
        'meta.created co "2026"',
        'meta.created eq "yesterday"',
        'meta.created eq "2026-11-22T12:00:00"',
        "userName gt null",
        'not userName eq "x"',
        'emails[type eq "x"',
        'emails.type[value eq "x"]',
        "[]",
        "members pr",
    ],
)
def test_what_is_no_filter_is_refused(text: str) -> None:
    with pytest.raises(InvalidFilter):
        parse_filter(text, USER)


@pytest.mark.parametrize(
    "text",
    [
        'userName eq "' + "x" * LONGEST_FILTER + '"',
        "(" * (DEEPEST + 1) + "active pr" + ")" * (DEEPEST + 1),
        " or ".join(["active pr"] * (MOST_CONDITIONS + 1)),
        "not (" * 300,
        "(" * 1_999,
        "emails[" * 200,
    ],
    ids=["long", "deep", "wide", "not", "open", "brackets"],
)
def test_a_filter_that_would_explode_is_refused(text: str) -> None:
    with pytest.raises(InvalidFilter):
        parse_filter(text, USER)


conditions = st.sampled_from(
    ['userName eq "a"', "active eq true", "active pr", 'emails[type eq "work"]', 'name.givenName sw "A"', 'id ne "u1"']
)
filters = st.recursive(
    conditions,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda t: f"({t[0]}) {t[1]} ({t[2]})"),
        inner.map(lambda text: f"not ({text})"),
    ),
    max_leaves=8,
)


@given(filters, filters)
def test_logic_is_that_of_booleans(one: str, other: str) -> None:
    a, b = holds(one), holds(other)
    assert holds(f"({one}) and ({other})") is (a and b)
    assert holds(f"({one}) or ({other})") is (a or b)
    assert holds(f"not ({one})") is (not a)


@given(conditions, conditions, conditions)
def test_and_binds_before_or(one: str, two: str, three: str) -> None:
    assert holds(f"{one} or {two} AND {three}") is holds(f"{one} or ({two} and {three})")
    assert holds(f"{one} and {two} Or {three}") is holds(f"({one} and {two}) or {three}")


@given(st.text(alphabet=string.printable + "äß\u2028", max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    for among in (USER, GROUP):
        try:
            parse_filter(text, among).matches(ADA)
        except InvalidFilter:
            continue


WORDS = [
    "(",
    ")",
    "[",
    "]",
    "and",
    "or",
    "not",
    "eq",
    "pr",
    "gt",
    "userName",
    "emails",
    "active",
    "members",
    '"x"',
    "true",
    "null",
    '"',
]


@given(st.lists(st.sampled_from(WORDS), max_size=60).map(" ".join))
def test_any_row_of_words_is_read_or_refused(text: str) -> None:
    for among in (USER, GROUP):
        try:
            parse_filter(text, among).matches(ADA)
        except InvalidFilter:
            continue
