from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.catalog.graph import bridged, cycle_in, refuse_cycle
from domain.shared.errors import InvalidInput

SKILLS = st.sampled_from("abcdefgh")
GRAPHS = st.dictionaries(SKILLS, st.lists(SKILLS, max_size=4, unique=True).map(tuple), max_size=8)
# Only earlier letters come before a skill, so there is no cycle.
ACYCLIC = GRAPHS.map(lambda graph: {skill: tuple(b for b in before if b < skill) for skill, before in graph.items()})


def reachable(graph: dict[str, tuple[str, ...]], start: str, through: set[str]) -> set[str]:
    """Every skill before `start`, following only the skills in `through` beyond the first step (the slow, obvious way)."""
    found: set[str] = set()
    waiting = list(graph.get(start, ()))
    while waiting:
        skill = waiting.pop()
        if skill not in found:
            found.add(skill)
            if skill in through:
                waiting.extend(graph.get(skill, ()))
    return found


@given(GRAPHS)
def test_a_cycle_is_found_exactly_when_a_skill_comes_before_itself(graph: dict[str, tuple[str, ...]]) -> None:
    everything = set("abcdefgh")
    assert (cycle_in(graph) is not None) == any(each in reachable(graph, each, everything) for each in graph)


@given(GRAPHS)
def test_the_cycle_named_is_one(graph: dict[str, tuple[str, ...]]) -> None:
    cycle = cycle_in(graph)
    if cycle:
        assert cycle[0] == cycle[-1]
        assert all(after in graph[before] for before, after in pairwise(cycle))
        assert len(set(cycle)) == len(cycle) - 1


def test_a_cycle_is_named_by_its_path() -> None:
    with pytest.raises(InvalidInput) as refusal:
        refuse_cycle({"a": ("b",), "b": ("a",)}, "skill.prerequisites")
    assert refusal.value.violations[0].field == "skill.prerequisites"
    assert "a → b → a" in refusal.value.violations[0].description


def test_a_skill_that_needs_itself_is_a_cycle() -> None:
    assert cycle_in({"a": ("a",)}) == ("a", "a")


def test_long_chains_are_no_trouble() -> None:
    chain = {str(n): (str(n - 1),) for n in range(1, 20_000)}
    assert cycle_in(chain) is None
    assert bridged(chain, ["19999", "0"]) == {"19999": ("0",), "0": ()}


@given(ACYCLIC, st.sets(SKILLS))
def test_bridging_keeps_exactly_the_nearest_skills_inside(graph: dict[str, tuple[str, ...]], inside: set[str]) -> None:
    outside = set("abcdefgh") - inside
    assert bridged(graph, inside) == {skill: tuple(sorted(reachable(graph, skill, outside) & inside)) for skill in inside}


@given(ACYCLIC, st.sets(SKILLS))
def test_bridging_never_makes_a_cycle(graph: dict[str, tuple[str, ...]], inside: set[str]) -> None:
    assert cycle_in(bridged(graph, inside)) is None


@given(ACYCLIC)
def test_bridging_changes_nothing_when_every_skill_is_inside(graph: dict[str, tuple[str, ...]]) -> None:
    everything = "abcdefgh"
    assert bridged(graph, everything) == {each: tuple(sorted(graph.get(each, ()))) for each in everything}
