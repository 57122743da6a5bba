"""Logs of decisions with their outcomes: what a policy is evaluated on, as Parquet (`.parquet`) or JSON lines (`.jsonl`).

A row is one decision's first item and what became of it, in the order in which decisions were made; each learner's rows begin with the
learner's first answer, so that the state behind every decision can be rebuilt. docs/simulation.md lists the columns. The course stands
in the file's metadata (Parquet, key `paideia.course`) or in its first line (JSON lines, `{"course": ...}`).
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from domain.scheduler.model import ProgressUpdate, Publication, SkillMastery
from domain.shared.errors import InvalidInput
from lab.simulation.cohort import Moment, simulate
from lab.simulation.courses import as_document, described
from lab.simulation.study import Study
from lab.simulation.world import World

_COURSE = b"paideia.course"
_LEAST_PROPENSITY = 1e-12


class Logged(NamedTuple):
    """One decision: when it was made (Unix seconds), by which policy, with which probability it put the item first, and the update that the
    answer led to."""

    decided_at: float
    policy: str
    propensity: float
    update: ProgressUpdate


@dataclass(frozen=True, slots=True)
class Log:
    course: Publication
    rows: Sequence[Logged]


def logged(moment: Moment, policy: str) -> Iterator[Logged]:
    """Yields the rows of one step of a simulation."""
    for now, propensity, update in zip(moment.step.now, moment.propensities.tolist(), moment.updates, strict=True):
        yield Logged(now.timestamp(), policy, propensity, update)


def log_of(study: Study, done: Callable[[int], None] | None = None) -> Log:
    """Returns the decisions of a study's first policy, all learners practising together."""
    rows: list[Logged] = []
    chooser = study.choosers[0]
    simulate(
        World.of(study.course, study.seed),
        study.family,
        np.arange(study.learners),
        chooser,
        study.schedule,
        study.seed,
        watch=lambda moment: rows.extend(logged(moment, chooser.name)),
        done=done,
    )
    return Log(study.course, rows)


def write_log(path: Path, log: Log) -> None:
    """Writes a log in the format that the name ends with. Equal logs give equal bytes. Raises InvalidInput if it cannot be written."""
    check_name(path)
    course = json.dumps(as_document(log.course), separators=(",", ":"))
    rows = [_as_row(each) for each in log.rows]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".parquet":
            table = pa.Table.from_pylist(rows, _SCHEMA.with_metadata({_COURSE: course.encode()}))
            pq.write_table(table, path, compression="zstd")
        else:
            lines = [f'{{"course":{course}}}', *(json.dumps(each, separators=(",", ":")) for each in rows)]
            path.write_text("\n".join(lines) + "\n")
    except OSError as error:
        raise InvalidInput.of("log", f"{path} cannot be written: {error.strerror}") from error


def check_name(path: Path) -> None:
    """Raises InvalidInput unless the name ends with a format that is known."""
    if path.suffix not in (".parquet", ".jsonl"):
        raise InvalidInput.of("log", f"{path} must end with .parquet or .jsonl")


def read_log(path: Path) -> Log:
    """Reads a log. Raises InvalidInput naming the first row that cannot be used, and why."""
    check_name(path)
    try:
        course, rows = _read_parquet(path) if path.suffix == ".parquet" else _read_lines(path)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, pa.ArrowException) as error:
        raise InvalidInput.of("log", f"{path} cannot be read: {error}") from error
    publication = described(course)
    known = {each.id for each in publication.items}
    return Log(publication, [_of_row(number, row, known) for number, row in enumerate(rows, 1)])


_SCHEMA = pa.schema(
    [
        ("decided_at", pa.float64()),
        ("policy", pa.string()),
        ("propensity", pa.float64()),
        ("learner", pa.string()),
        ("sequence", pa.int64()),
        ("item", pa.string()),
        ("score", pa.float64()),
        ("answered_at", pa.float64()),
        ("response_seconds", pa.float64()),
        ("skills", pa.list_(pa.string())),
        ("means", pa.list_(pa.float64())),
        ("lowers", pa.list_(pa.float64())),
        ("uppers", pa.list_(pa.float64())),
        ("attempts", pa.list_(pa.int64())),
        ("ability", pa.float64()),
        ("ability_error", pa.float64()),
        ("item_difficulty", pa.float64()),
    ]
)


def _as_row(logged: Logged) -> dict[str, Any]:
    update = logged.update
    return {
        "decided_at": logged.decided_at,
        "policy": logged.policy,
        "propensity": logged.propensity,
        "learner": update.learner,
        "sequence": update.sequence,
        "item": update.item,
        "score": update.score,
        "answered_at": update.answered_at,
        "response_seconds": update.response_seconds,
        "skills": [each.skill for each in update.skills],
        "means": [each.mean for each in update.skills],
        "lowers": [each.lower for each in update.skills],
        "uppers": [each.upper for each in update.skills],
        "attempts": [each.attempts for each in update.skills],
        "ability": update.ability,
        "ability_error": update.ability_error,
        "item_difficulty": update.item_difficulty,
    }


def _read_parquet(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    table = pq.read_table(path)
    metadata = table.schema.metadata or {}
    if _COURSE not in metadata:
        raise InvalidInput.of("log", f"{path} has no metadata {_COURSE.decode()}: it is no log of decisions")
    return json.loads(metadata[_COURSE]), table.to_pylist()


def _read_lines(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    lines = [json.loads(each) for each in path.read_text().splitlines() if each.strip()]
    if not lines or not isinstance(lines[0], dict) or "course" not in lines[0]:
        raise InvalidInput.of("log", f"{path} must begin with a line that holds the course: it is no log of decisions")
    return lines[0]["course"], lines[1:]


def _of_row(number: int, row: Any, items: set[str]) -> Logged:
    try:
        numbers = {name: float(row[name]) for name in _NUMBERS}
        lists = [row[name] for name in ("skills", "means", "lowers", "uppers", "attempts")]
        skills = tuple(
            SkillMastery(str(skill), float(mean), float(lower), float(upper), int(attempts))
            for skill, mean, lower, upper, attempts in zip(*lists, strict=True)
        )
        seconds = row.get("response_seconds")
        update = ProgressUpdate(
            learner=str(row["learner"]),
            sequence=int(row["sequence"]),
            course="",
            item=str(row["item"]),
            score=numbers["score"],
            correct=numbers["score"] == 1.0,
            skills=skills,
            ability=numbers["ability"],
            ability_error=numbers["ability_error"],
            item_difficulty=numbers["item_difficulty"],
            answered_at=numbers["answered_at"],
            response_seconds=None if seconds is None else float(seconds),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidInput.of(f"log row {number}", f"is incomplete or not of the right kind: {error}") from error
    whole = [*numbers.values(), *(value for skill in skills for value in _numbers_of(skill))]
    rules = (
        (all(map(isfinite, whole)), "must have finite numbers"),
        (0.0 <= update.score <= 1.0, "must have a score in [0, 1]"),
        (
            _LEAST_PROPENSITY <= numbers["propensity"] <= 1.0,
            "must have a propensity in (0, 1]: what could not be shown says nothing",
        ),
        (update.item in items, f"names the item {update.item}, which the course lacks"),
        (bool(skills), "must name the skills of the item"),
        (update.sequence >= 1, "must have a sequence of at least 1"),
    )
    for holds, problem in rules:
        if not holds:
            raise InvalidInput.of(f"log row {number}", problem)
    return Logged(numbers["decided_at"], str(row.get("policy", "")), numbers["propensity"], update)


_NUMBERS = ("decided_at", "propensity", "score", "answered_at", "ability", "ability_error", "item_difficulty")


def _numbers_of(skill: SkillMastery) -> tuple[float, float, float]:
    return skill.mean, skill.lower, skill.upper
