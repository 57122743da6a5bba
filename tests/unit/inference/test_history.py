from hypothesis import given, settings
from hypothesis import strategies as st

from domain.inference.history import NEWEST, Answered, Entry, merged, with_entries
from tests.unit.inference.making import answered

ENTRIES = st.lists(
    st.integers(0, 400).map(lambda n: Entry(float(n % 37), n % 3, f"{n:04}", f"item-{n % 5}", ("a",), n % 2 == 0)), max_size=600
)


@given(ENTRIES, st.data())
@settings(max_examples=25)
def test_however_answers_come_the_newest_are_kept_once_and_in_order(entries: list[Entry], data: st.DataObject) -> None:
    kept: tuple[Entry, ...] = ()
    rest = data.draw(st.permutations(entries))
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        kept, rest = with_entries(kept, rest[:size]), rest[size:]
        kept = with_entries(kept, kept)
    assert kept == tuple(sorted(set(entries))[-NEWEST:])


def test_an_answer_that_was_let_go_of_stays_away_when_it_comes_again() -> None:
    entries = [Entry(float(n), 0, f"{n:04}", "item", ("a",), True) for n in range(NEWEST + 1)]
    kept = with_entries((), entries)
    assert with_entries(kept, entries[:1]) == kept


def test_rows_that_repeat_one_answer_under_several_skills_become_one_answer() -> None:
    rows = [answered("x", True, "a"), answered("x", True, "b"), answered("y", False, "a"), answered("x", True, "a")]
    assert merged(rows) == [answered("x", True, "a", "b"), answered("y", False, "a"), answered("x", True, "a")]


def test_an_item_that_is_answered_twice_stays_two_answers() -> None:
    twice = [answered("x", True, "a"), answered("x", True, "a")]
    assert merged(twice) == twice
    otherwise = [answered("x", True, "a"), answered("x", False, "b")]
    assert merged(otherwise) == otherwise
    later = [answered("x", True, "a", at=1.0), answered("x", True, "b", at=2.0)]
    assert merged(later) == later


@given(st.lists(st.tuples(st.sampled_from("xy"), st.sampled_from("abc"), st.booleans()), max_size=30))
def test_merging_loses_no_skill_and_never_puts_one_twice(told: list[tuple[str, str, bool]]) -> None:
    rows = [Answered(item, (skill,), correct) for item, skill, correct in told]
    result = merged(rows)
    assert [(each.item, skill) for each in result for skill in each.skills] == [(item, skill) for item, skill, _ in told]
    assert all(len(set(each.skills)) == len(each.skills) for each in result)
