from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from domain.assessment.model.presenting import body_for
from tests.unit.assessment import examples
from tests.unit.assessment.examples import CLOZE, MATCHING, ORDERING, SINGLE, item


@given(examples.answered_items(), st.text("abc", min_size=1, max_size=3))
def test_a_learner_sees_the_same_item_the_same_way_every_time(answered, learner):
    assert body_for(answered[0], learner) == body_for(answered[0], learner)


@given(examples.orderings(), st.text("abcdef", min_size=1, max_size=5))
def test_an_ordering_is_never_shown_already_solved_and_loses_nothing(ordering, learner):
    shown = [each.id for each in body_for(item(ordering[0], ordering[1]), learner).interaction.entries]
    assert tuple(shown) != ordering[1].order
    assert sorted(shown) == sorted(ordering[1].order)


def test_learners_and_revisions_see_different_orders():
    orders = {tuple(each.id for each in body_for(SINGLE, f"learner{n}").interaction.choices) for n in range(50)}
    assert len(orders) == 6
    again = {tuple(each.id for each in body_for(replace(SINGLE, revision=n), "ada").interaction.choices) for n in range(50)}
    assert len(again) == 6


def test_choices_in_fixed_order_stay():
    fixed = replace(SINGLE.body.interaction, fixed_order=True)
    question = replace(SINGLE, body=replace(SINGLE.body, interaction=fixed))
    assert all(body_for(question, f"learner{n}").interaction == fixed for n in range(20))


def test_the_sources_of_a_matching_and_the_gaps_of_a_cloze_keep_their_places():
    for n in range(20):
        assert body_for(MATCHING, f"learner{n}").interaction.sources == MATCHING.body.interaction.sources
        assert [gap.id for gap in body_for(CLOZE, f"learner{n}").interaction.gaps] == ["n", "w", "c"]
        assert {each.id for each in body_for(ORDERING, f"learner{n}").interaction.entries} == {"first", "second", "third"}
