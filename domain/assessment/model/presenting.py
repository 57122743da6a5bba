"""How one learner sees an item: the same order every time, another order for another learner."""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

from domain.assessment.model.items import (
    Body,
    ChoiceInteraction,
    ClozeInteraction,
    Interaction,
    Item,
    MatchingInteraction,
    Option,
    OrderingInteraction,
    OrderingKey,
)


def body_for(item: Item, learner: str) -> Body:
    """The body with choices, entries and targets in the learner's own order, which depends on the learner, the item and its
    revision alone. An ordering is never shown already solved."""
    seed = f"{learner}/{item.id}/{item.revision}"
    return replace(item.body, interaction=_shown(item, item.body.interaction, seed))


def _shown(item: Item, interaction: Interaction | None, seed: str) -> Interaction | None:
    match interaction:
        case ChoiceInteraction(fixed_order=False):
            return replace(interaction, choices=_shuffled(interaction.choices, seed))
        case MatchingInteraction():
            return replace(interaction, targets=_shuffled(interaction.targets, seed))
        case OrderingInteraction():
            return replace(interaction, entries=_unsolved(_shuffled(interaction.entries, seed), item))
        case ClozeInteraction():
            gaps = (
                replace(gap, interaction=replace(gap.interaction, choices=_shuffled(gap.interaction.choices, f"{seed}/{gap.id}")))
                if isinstance(gap.interaction, ChoiceInteraction) and not gap.interaction.fixed_order
                else gap
                for gap in interaction.gaps
            )
            return replace(interaction, gaps=tuple(gaps))
    return interaction


def _shuffled(options: Sequence[Option], seed: str) -> tuple[Option, ...]:
    # Sorting by a hash shuffles alike in every process and in every version of Python.
    return tuple(sorted(options, key=lambda each: sha256(f"{seed}/{each.id}".encode()).digest()))


def _unsolved(entries: tuple[Option, ...], item: Item) -> tuple[Option, ...]:
    key = item.key.answer
    solved = isinstance(key, OrderingKey) and tuple(each.id for each in entries) == key.order
    return entries[1:] + entries[:1] if solved else entries
