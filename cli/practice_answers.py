"""From what a learner types to an answer's JSON, by the kind of the item."""

import re
from collections.abc import Sequence
from string import ascii_lowercase

from cli.api import Json

LETTERS = [*ascii_lowercase, *(a + b for a in ascii_lowercase for b in ascii_lowercase)]


class NotAnAnswer(Exception):
    """What was typed does not fit the item; the message says what would."""


def kind_of(body: Json) -> str:
    """`choice`, `numeric`, `shortText`, `ordering`, `matching` or `cloze`."""
    return next(each for each in ("choice", "numeric", "shortText", "ordering", "matching", "cloze") if each in body)


def how_to_answer(body: Json) -> str:
    match kind_of(body):
        case "choice" if body["choice"].get("multiple"):
            return "letters, such as: a c"
        case "choice":
            return "one letter"
        case "numeric":
            units = body["numeric"].get("units", [])
            return "a number, such as 7, 3/4, 1 3/4 or 0.75" + (f", followed by a unit: {', '.join(units)}" if units else "")
        case "shortText":
            return "a short text"
        case "ordering":
            return "all letters in order, such as: " + " ".join(LETTERS[: len(body["ordering"]["entries"])][::-1])
        case "matching":
            return "pairs, such as: a2 b1"
    return "the gaps one after the other"


def answer_from(typed: str, body: Json) -> Json:
    """Returns the answer to an item that is not a cloze, or to one gap. Raises NotAnAnswer."""
    typed = typed.strip()
    match kind_of(body):
        case "choice":
            choices = body["choice"]["choices"]
            chosen = _ids(_letters(typed), choices)
            if not chosen or (len(chosen) > 1 and not body["choice"].get("multiple")):
                raise NotAnAnswer("choose " + ("one or more letters" if body["choice"].get("multiple") else "one letter"))
            return {"choice": {"chosen": chosen}}
        case "numeric":
            if not re.search(r"\d", typed):
                raise NotAnAnswer("type a number, such as 7, 3/4, 1 3/4 or 0.75")
            return {"numeric": {"value": typed}}
        case "shortText":
            if not typed:
                raise NotAnAnswer("type a word or a few")
            return {"shortText": {"text": typed}}
        case "ordering":
            entries = body["ordering"]["entries"]
            order = _ids(_letters(typed), entries)
            if len(order) != len(entries):
                raise NotAnAnswer(f"type each of the {len(entries)} letters once, the first one first")
            return {"ordering": {"order": order}}
        case "matching":
            return {"matching": {"matches": _matches(typed, body["matching"]["sources"], body["matching"]["targets"])}}
    raise NotAnAnswer("fill the gaps one after the other")


def _letters(typed: str) -> list[str]:
    """`a, c` and `a c` are two letters; so is `ac`."""
    words = re.findall(r"[a-z]+", typed.lower())
    return list(words[0]) if len(words) == 1 else words


def _ids(letters: Sequence[str], options: Sequence[Json]) -> list[str]:
    by_letter = {letter: option["id"] for letter, option in zip(LETTERS, options, strict=False)}
    unknown = [letter for letter in letters if letter not in by_letter]
    if unknown:
        raise NotAnAnswer(f"there is no {unknown[0]}; the letters go from a to {LETTERS[len(options) - 1]}")
    if len(set(letters)) != len(letters):
        raise NotAnAnswer("each letter may come once")
    return [by_letter[letter] for letter in letters]


def _matches(typed: str, sources: Sequence[Json], targets: Sequence[Json]) -> dict[str, str]:
    pairs = re.findall(r"([a-z]+)\s*[-=:]?\s*(\d+)", typed.lower())
    if not pairs:
        raise NotAnAnswer("type pairs of a letter and a number, such as: a2 b1")
    matched = _ids([letter for letter, _ in pairs], sources)
    if any(not 1 <= int(number) <= len(targets) for _, number in pairs):
        raise NotAnAnswer(f"the numbers go from 1 to {len(targets)}")
    return {source: targets[int(number) - 1]["id"] for source, (_, number) in zip(matched, pairs, strict=True)}
