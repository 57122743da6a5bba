"""What a study's user names in words: policies, courses and files. Every refusal is a CannotSimulate with a sentence."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from domain.scheduler.model import Publication
from domain.scheduler.policy import PRACTICE_2, Policy
from domain.shared.errors import DomainError
from lab.simulation.choosers import InOrder, Production, Uniform
from lab.simulation.cohort import Chooser
from lab.simulation.courses import described, read_course, synthetic

LIVE = PRACTICE_2
"""The built-in policy, which is live where an organization has none of its own."""


Course: TypeAlias = Publication


class CannotSimulate(Exception):
    """What was asked for cannot be done; the message says why."""


@contextmanager
def refusals() -> Iterator[None]:
    """Turns the domain's refusals into CannotSimulate."""
    try:
        yield
    except DomainError as refusal:
        raise CannotSimulate(refusal.message) from refusal


def policy_named(name: str) -> Policy:
    """Returns `live`, or the policy of a JSON file: its definition, whose `version` is the file's name unless it says another."""
    if name == "live":
        return LIVE
    path = Path(name)
    if path.suffix != ".json":
        raise CannotSimulate(f"{name} is no policy: name live, or a JSON file with a policy's definition")
    try:
        document = json.loads(path.read_text())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CannotSimulate(f"{path} cannot be read: {error}") from error
    if isinstance(document, Mapping):
        document = {"version": path.stem, "model_version": LIVE.model_version} | _whole_numbers(document)
    with refusals():
        return Policy.from_document(document)


def choosers_named(names: str) -> tuple[Chooser, ...]:
    """Returns the policies of a list with commas: live, random, fixed, and JSON files."""
    return tuple(_chooser(each.strip()) for each in names.split(",") if each.strip())


def course_named(name: str) -> Publication:
    """Returns `synthetic`, `synthetic:ITEMSxSKILLS`, or the course of a JSON file."""
    with refusals():
        if name == "synthetic":
            return synthetic()
        if name.startswith("synthetic:"):
            items, _, skills = name.removeprefix("synthetic:").partition("x")
            if not (items.isdecimal() and skills.isdecimal()):
                raise CannotSimulate(f"{name} should be like synthetic:500x50, items and skills")
            return synthetic(int(items), int(skills))
        return read_course(Path(name))


def course_described(document: Mapping[str, Any]) -> Publication:
    with refusals():
        return described(document)


def _chooser(name: str) -> Chooser:
    if name == "random":
        return Uniform(LIVE.met_mean)
    if name == "fixed":
        return InOrder()
    policy = policy_named(name)
    return Production(policy, "live" if policy is LIVE else policy.version)


def _whole_numbers(value: Any) -> Any:
    """JSON that passed through other hands may say 20.0 where 20 was meant."""
    if isinstance(value, Mapping):
        return {name: _whole_numbers(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_whole_numbers(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
