from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from domain.paths.graph import chains, closure, cycle_in, ordered

anything = st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"), max_size=3)).map(
    lambda drawn: {skill: tuple(each for each in before if each in drawn) for skill, before in drawn.items()}
)


@given(anything)
def test_a_graph_has_a_cycle_or_an_order_and_the_cycle_named_is_one(before: dict[str, tuple[str, ...]]) -> None:
    order, cycle = ordered(before, dict.fromkeys(before, ())), cycle_in(before)
    if cycle is None:
        assert sorted(order) == sorted(before)
    else:
        assert len(order) < len(before)
        assert cycle[0] == cycle[-1]
        assert len(set(cycle)) == len(cycle) - 1
        assert all(earlier in before[later] for earlier, later in pairwise(cycle))


def test_a_skill_that_is_its_own_prerequisite_is_a_cycle() -> None:
    assert cycle_in({"a": ("a",)}) == ("a", "a")


def test_the_lowest_rank_comes_first_as_far_as_the_prerequisites_let_it() -> None:
    before: dict[str, tuple[str, ...]] = {"a": (), "b": ("a",), "c": ()}
    assert ordered(before, {"a": (2.0,), "b": (0.0,), "c": (1.0,)}) == ["c", "a", "b"]


def test_a_closure_ends_where_it_is_told_to() -> None:
    before: dict[str, tuple[str, ...]] = {"a": (), "b": ("a",), "c": ("b",), "d": ()}
    assert closure(before, ["c"]) == {"a", "b", "c"}
    assert closure(before, ["c", "not there"], frozenset("b")) == {"b", "c"}


def test_a_chain_is_as_long_as_its_longest_branch() -> None:
    before: dict[str, tuple[str, ...]] = {"a": (), "b": ("a",), "c": ("b",), "d": ("a",)}
    assert chains(before, ["a", "b", "d", "c"]) == {"a": 3, "b": 2, "c": 1, "d": 1}
