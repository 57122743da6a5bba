from hypothesis import given

from domain.scheduler.model import Publication, PublishedItem, PublishedSkill
from domain.scheduler.pool import Pool, closure, compiled
from tests.unit.scheduler.making import publication, publications


def locks(pool: Pool, item: str) -> set[str]:
    """The skills that an item waits for."""
    group = pool.item_groups[pool.items.index(item)]
    return {pool.skills[skill].id for of, skill in zip(pool.lock_groups, pool.lock_skills, strict=True) if of == group}


def made(skills: dict[str, tuple[str, ...]], items: dict[str, tuple[str, ...]]) -> Pool:
    return compiled(
        Publication(
            "sql",
            1,
            tuple(PublishedSkill(each, each, before) for each, before in skills.items()),
            tuple(PublishedItem(each, 1, practised) for each, practised in items.items()),
        )
    )


def test_an_item_waits_for_all_that_comes_before_its_skills_however_far_back() -> None:
    assert locks(compiled(publication()), "item-2") == {"a", "b"}


def test_a_skill_without_items_locks_nothing() -> None:
    pool = made({"a": (), "b": ("a",), "c": ("b",)}, {"one": ("b",), "two": ("c",)})
    assert (locks(pool, "one"), locks(pool, "two")) == (set(), {"b"})


def test_an_item_does_not_wait_for_a_skill_that_only_it_practises() -> None:
    pool = made({"a": (), "b": ("a",), "c": ("b",)}, {"both": ("a", "b"), "next": ("c",)})
    assert (locks(pool, "both"), locks(pool, "next")) == (set(), {"a", "b"})


def test_an_item_waits_for_its_own_skill_when_another_item_can_bring_it() -> None:
    pool = made({"a": (), "b": ("a",)}, {"both": ("a", "b"), "easy": ("a",)})
    assert locks(pool, "both") == {"a"}


def test_a_skill_that_the_publication_does_not_list_is_taken_without_prerequisites() -> None:
    pool = made({"a": ()}, {"one": ("a", "unlisted")})
    assert {pool.skills[each].id for each in pool.skills_of(0)} == {"a", "unlisted"}


def test_closure_follows_long_chains() -> None:
    chain = {f"s{n}": (f"s{n - 1}",) if n else () for n in range(1_500)}
    assert len(closure(chain)["s1499"]) == 1_499


@given(publications())
def test_every_item_keeps_its_skills_and_its_place_in_the_index(made: Publication) -> None:
    pool = compiled(made)
    skills = {each.id: each.skills for each in made.items}
    assert sorted(pool.items) == sorted(skills)
    for position, item in enumerate(pool.items):
        assert sorted(pool.skills[each].id for each in pool.skills_of(position)) == sorted(skills[item])
    rows, at = pool.item_index.find(pool.item_index.sorted_keys)
    assert len(rows) == len(pool.items) == len(set(at.tolist()))


@given(publications())
def test_mastering_what_is_open_opens_everything_in_the_end(made: Publication) -> None:
    pool = compiled(made)
    mastered: set[int] = set()
    for _ in range(len(pool.group_sizes) + 1):
        closed = {int(g) for g, s in zip(pool.lock_groups, pool.lock_skills, strict=True) if int(s) not in mastered}
        for group in set(range(len(pool.group_sizes))) - closed:
            mastered.update(pool.group_skills[pool.group_starts[group] : pool.group_starts[group + 1]].tolist())
    assert not closed
