"""What a response model knows of a learner: the newest answers, oldest first."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, TypeAlias

NEWEST: Final = 200
"""Answers that are kept of a learner: a prediction costs the same after a hundred thousand answers as after two hundred."""
MOST_SKILLS: Final = 20


class Answered(NamedTuple):
    """An answer to an item. `at` is when, in seconds since 1970, None where only the order is known."""

    item: str
    skills: tuple[str, ...]
    correct: bool
    at: float | None = None


History: TypeAlias = Sequence[Answered]


class Entry(NamedTuple):
    """An answer as it is kept: the attempt's id makes it count once, and entries are in the order of their fields."""

    at: float
    sequence: int
    attempt: str
    item: str
    skills: tuple[str, ...]
    correct: bool

    def answered(self) -> Answered:
        return Answered(self.item, self.skills, self.correct, self.at)


def with_entries(kept: Sequence[Entry], new: Iterable[Entry]) -> tuple[Entry, ...]:
    """Returns the newest entries of both, oldest first, each attempt once: the same whatever comes first and however often.

    An attempt that was let go of is older than all that are kept, so that a repeat is let go of again.
    """
    by_attempt = {each.attempt: each for each in new} | {each.attempt: each for each in kept}
    return tuple(sorted(by_attempt.values())[-NEWEST:])


def merged(answers: Iterable[Answered]) -> list[Answered]:
    """Returns answers with those rows put together that repeat one answer under several skills, as some logs write it.

    Rows are one answer if they follow each other with the same item, verdict and time and have no skill in common. An item that is answered
    twice repeats its skills, and stays two answers.
    """
    result: list[Answered] = []
    for each in answers:
        last = result[-1] if result else None
        if last is not None and (last.item, last.correct, last.at) == (each.item, each.correct, each.at):
            skills = (*last.skills, *each.skills)
            if len(set(skills)) == len(skills) <= MOST_SKILLS:
                result[-1] = last._replace(skills=skills)
                continue
        result.append(each)
    return result
