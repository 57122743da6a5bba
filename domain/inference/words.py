"""What is known of a learner and an item, in plain words that end without a full stop."""

from domain.inference.features import ABILITY, AGAIN, ITEM, LATELY, PRACTICE, Known
from domain.inference.item_table import Item


def fact(part: str, known: Known) -> str:
    """Returns what is known of a part."""
    return _FACTS[part](known)


def item_fact(item: Item) -> str:
    tally = item.tally
    if not tally.answers:
        return "The item was never answered when the model was trained; its skills stand in"
    return f"The item was answered right {tally.right / tally.answers:.0%} of {count(tally.answers, 'time')} in training"


def count(number: int, noun: str) -> str:
    """Returns `1 answer`, `2 answers`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _ability(known: Known) -> str:
    if not known.lately.answers:
        return "Nothing is known of the learner's level yet"
    level = "above" if known.ability.mean > 0 else "below"
    logits = f"{abs(known.ability.mean):.1f} logits"
    return f"Over {count(known.lately.answers, 'answer')} the learner's level is {logits} {level} a new learner's"


def _practice(known: Known) -> str:
    one = len(known.skills) == 1
    if not known.skills:
        return "The item's skills are not known"
    if not any(each.answers for each in known.practice):
        return f"The item's {'skill was' if one else 'skills were'} never practised"
    practised = (
        f"was practised {_times(known.skills_answers)}" if one else f"were practised {_times(known.skills_answers)} at least"
    )
    return f"The item's {'skill' if one else 'skills'} {practised}, {_against(known.skills_surplus)}"


def _lately(known: Known) -> str:
    if not known.lately.answers:
        return "There are no answers of late"
    return f"The newest answers are {known.lately.right / known.lately.weight:.0%} right, {_against(known.lately.mean_surplus)}"


def _again(known: Known) -> str:
    if not known.again.answers:
        return "The learner has not answered this item before"
    last = "right" if known.again.last else "wrong"
    return f"The learner answered this item {_times(known.again.answers)} before, the last time {last}"


def _against(surplus: float) -> str:
    if abs(surplus) < 0.02:
        return "about as well as expected"
    return "better than expected" if surplus > 0 else "worse than expected"


def _times(number: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(number, f"{number:,} times")


_FACTS = {ABILITY: _ability, PRACTICE: _practice, LATELY: _lately, ITEM: lambda known: item_fact(known.item), AGAIN: _again}
